// --- a blink: no cell has closed eyes, so the skin above each eye is drawn down over it, with the lashes at its end

const BLINK = 240; // ms, down and up again
const DOWN = 0.4; // of that time the lid goes down
const LASH = 0.1; // of the open eye: its uppermost part goes down with the lid
const SKIN = 0.75; // of the way from the lid up to the brow is skin that stretches

/** How far the lids are down, 0 to 1, this many ms after the blink began. */
function closing(time) {
  const part = time / BLINK;
  if (part <= 0 || part >= 1) return 0;
  const way = part < DOWN ? part / DOWN : (1 - part) / (1 - DOWN);
  return way * way * (3 - 2 * way);
}

/**
 * What a painter draws to close the eyes by `amount`: for every column of the canvas where the skin begins, where it
 * ends and where the lid now is, in px. eyes: of the metadata; gaze: what the portrait looks at; trim: how much of a
 * cell is cut off on every side, in shares of it.
 */
function closedLids(eyes, amount, gaze, { width, height }, trim) {
  const columns = [];
  for (const { upper, lower, right, down, brow } of eyes) {
    const place = ([x, y]) => [
      ((x + gaze.x * right[0] + gaze.y * down[0] - trim.x) / (1 - 2 * trim.x)) * width,
      ((y + gaze.x * right[1] + gaze.y * down[1] - trim.y) / (1 - 2 * trim.y)) * height,
    ];
    const [above, below] = [upper.map(place), lower.map(place)];
    const end = place([upper[0][0], brow])[1];
    for (let column = Math.ceil(above[0][0]); column < above.at(-1)[0]; column += 1) {
      const [lid, floor] = [heightAt(above, column), heightAt(below, column)];
      const lash = LASH * Math.max(0, floor - lid);
      const skin = lid + lash;
      columns.push({ column, top: lid - SKIN * Math.max(0, lid - end), skin, lid: skin + (floor - lid) * amount });
    }
  }
  return columns;
}

/** y of a line of points from left to right at this x. */
function heightAt(points, x) {
  const after = Math.max(1, points.findIndex((point) => point[0] >= x));
  const [[x0, y0], [x1, y1]] = [points[after - 1], points[after]];
  return y0 + ((y1 - y0) * (x - x0)) / (x1 - x0 || 1);
}
