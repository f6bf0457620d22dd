// Brush strokes of the viewer: what is drawn around, under and over the sheets, and the sheets themselves.

const SQUARES = 2; // device pixels per pixel from which single pixels are shown as squares
const GRID = 16; // from which a grid parts them
const GRID_LINE = "rgb(128 128 128 / 40%)";
const CHECK = 8; // CSS px of one square of the checkerboard
const GROUNDS = { black: "#000000", white: "#ffffff" };

/** All in device pixels. A frame is {x0, y0: the photo's corner, k: device px per px, left, top, right, bottom: what shows}. */
function picturePainter(context, stage) {
  let colours = null;

  function read(dpr) {
    const style = getComputedStyle(stage);
    const colour = (word) => style.getPropertyValue(`--shf-${word}`).trim();
    const tile = make("canvas");
    const square = Math.round(CHECK * dpr);
    tile.width = tile.height = 2 * square;
    const paint = tile.getContext("2d");
    paint.fillStyle = colour("check-a");
    paint.fillRect(0, 0, 2 * square, 2 * square);
    paint.fillStyle = colour("check-b");
    paint.fillRect(square, 0, square, square);
    paint.fillRect(0, square, square, square);
    colours = { dpr, around: colour("sunken"), line: colour("line-strong"), checks: context.createPattern(tile, "repeat") };
  }

  /** Only the part of the bitmap that is in sight is drawn: the cost follows the stage, not the picture. */
  function sheet({ bitmap, x, y, wide, high, opacity, all }, { x0, y0, k, left, top, right, bottom }) {
    const atX = x0 + x * k;
    const atY = y0 + y * k;
    const perX = (wide * k) / bitmap.width; // device pixels per pixel of the bitmap
    const perY = (high * k) / bitmap.height;
    const inside = (value, most) => Math.min(Math.max(value, 0), most);
    const sx0 = inside(Math.floor((left - atX) / perX) - 1, bitmap.width);
    const sy0 = inside(Math.floor((top - atY) / perY) - 1, bitmap.height);
    const sx1 = inside(Math.ceil((right - atX) / perX) + 1, bitmap.width);
    const sy1 = inside(Math.ceil((bottom - atY) / perY) + 1, bitmap.height);
    if (sx1 <= sx0 || sy1 <= sy0) return;
    const exact = Math.abs(perX - 1) < 1e-3 && Number.isInteger(atX) && Number.isInteger(atY);
    context.imageSmoothingEnabled = !exact && (perX < SQUARES || !all);
    context.globalAlpha = opacity;
    const at = [atX + sx0 * perX, atY + sy0 * perY, (sx1 - sx0) * perX, (sy1 - sy0) * perY];
    context.drawImage(bitmap, sx0, sy0, sx1 - sx0, sy1 - sy0, ...at);
    context.globalAlpha = 1;
  }

  function grid({ x0, y0, k, left, top, right, bottom }) {
    context.fillStyle = GRID_LINE;
    const first = (edge, corner) => Math.ceil((edge - corner) / k);
    for (let x = first(left, x0); x0 + x * k < right; x += 1) context.fillRect(Math.round(x0 + x * k), top, 1, bottom - top);
    for (let y = first(top, y0); y0 + y * k < bottom; y += 1) context.fillRect(left, Math.round(y0 + y * k), right - left, 1);
  }

  return {
    /** Light became dark, or the other way round. */
    recolour() {
      colours = null;
    },
    begin(size, dpr, quality) {
      if (!colours || colours.dpr !== dpr) read(dpr);
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.imageSmoothingQuality = quality;
      context.fillStyle = colours.around;
      context.fillRect(0, 0, ...size);
    },
    /** checker: whether the ground shows what is transparent. sheets: {bitmap, x, y, wide, high (px of the photo),
     *  opacity, all: the bitmap holds all pixels}, back to front. */
    pane({ checker, ground }, sheets, frame, overlays) {
      const { x0, y0, k, left, top, right, bottom } = frame;
      if (right <= left || bottom <= top) return;
      context.save();
      context.beginPath();
      context.rect(left, top, right - left, bottom - top);
      context.clip();
      if (checker) {
        colours.checks.setTransform(new DOMMatrix([1, 0, 0, 1, x0, y0])); // of one size at any zoom, going with the picture
        context.fillStyle = GROUNDS[ground] || colours.checks;
        context.fillRect(left, top, right - left, bottom - top);
      }
      for (const one of sheets) sheet(one, frame);
      if (k >= GRID) grid(frame);
      context.setTransform(k, 0, 0, k, x0, y0);
      for (const draw of overlays) draw(context);
      context.restore();
    },
    line(x, high) {
      context.fillStyle = colours.line;
      context.fillRect(x, 0, 1, high);
    },
  };
}
