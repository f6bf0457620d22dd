// What the brush shows over the photo: a veil over all that the mask does not keep, and the strokes in it.

const VEIL_RGB = [30, 33, 40]; // not black, so that it is seen on a black ground too
const VEIL_OPACITY = 0.7;
const VEIL_STROKES = { keep: "rgb(46 196 100 / 45%)", drop: "rgb(214 48 68 / 58%)" };
const VEIL_AREA = 8e6; // px of the canvases at most; larger photos are veiled a little coarser
const OUTLINE_SIDE = 640; // px of the small mask in which the sliders' effect is shown
const STEP_BESIDE = 0.955; // Borgefors: lengths of one step that make a distance true to 4 %
const STEP_ACROSS = 1.3693;

const sheetOf = (width, height) => Object.assign(document.createElement("canvas"), { width, height });

function fetchPicture(url) {
  const picture = new Image();
  picture.src = url;
  return picture.decode().then(() => picture);
}

/** The picture's red values at this size. */
function greysOf(picture, width, height) {
  const context = sheetOf(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  return Uint8ClampedArray.from({ length: width * height }, (_, index) => data[4 * index]);
}

/** A sheet of the veil's colour where kept(index) in 0..1 is low. */
function veilSheet(width, height, kept) {
  const sheet = sheetOf(width, height);
  const context = sheet.getContext("2d");
  const image = context.createImageData(width, height);
  for (let index = 0; index < width * height; index += 1) {
    const at = 4 * index;
    image.data[at] = VEIL_RGB[0];
    image.data[at + 1] = VEIL_RGB[1];
    image.data[at + 2] = VEIL_RGB[2];
    image.data[at + 3] = 255 * VEIL_OPACITY * (1 - kept(index));
  }
  context.putImageData(image, 0, 0);
  return sheet;
}

/** How far each pixel is from the nearest one for which is(index) holds. */
function distances(width, height, is) {
  const far = Float32Array.from({ length: width * height }, (_, index) => (is(index) ? 0 : 1e6));
  const pass = (rows, columns, way) => {
    for (const y of rows) {
      for (const x of columns) {
        const at = y * width + x;
        const reach = (dx, dy, length) => {
          if (x + dx < 0 || x + dx >= width || y + dy < 0 || y + dy >= height) return;
          far[at] = Math.min(far[at], far[at + dy * width + dx] + length);
        };
        reach(-way, 0, STEP_BESIDE);
        reach(0, -way, STEP_BESIDE);
        reach(-way, -way, STEP_ACROSS);
        reach(way, -way, STEP_ACROSS);
      }
    }
  };
  const [ys, xs] = [[...Array(height).keys()], [...Array(width).keys()]];
  pass(ys, xs, 1);
  pass(ys.reverse(), xs.reverse(), -1);
  return far;
}

/** mask: a picture of the whole photo, white is kept. */
function veilOf(photo) {
  const scale = Math.min(1, Math.sqrt(VEIL_AREA / (photo.width * photo.height)));
  const [width, height] = [Math.round(photo.width * scale), Math.round(photo.height * scale)];
  const small = Math.min(1, OUTLINE_SIDE / Math.max(photo.width, photo.height));
  const [columns, rows] = [Math.ceil(photo.width * small), Math.ceil(photo.height * small)];
  const sheet = sheetOf(width, height); // what is shown: the veil with the strokes in it
  const context = sheet.getContext("2d");
  let exact = sheetOf(1, 1); // the veil of the mask as it is
  let bare = null; // the veil without strokes, which the eraser brings back
  let outline = null; // px of the photo from the mask's edge, inside is negative; made when a slider first moves
  let mask = null;

  function edge() {
    const greys = greysOf(mask, columns, rows);
    const outside = distances(columns, rows, (index) => greys[index] > 127);
    const inside = distances(columns, rows, (index) => greys[index] <= 127);
    return outside.map((value, index) => (value - inside[index]) / small);
  }

  /** An approximation of what the sliders will do, see scenehf/layers/adjust.py. */
  function moved(grow, feather) {
    outline = outline || edge();
    const spread = Math.max(feather / 2, 0.6 / small) / 1.702; // a logistic curve stands for the blurred edge
    return veilSheet(columns, rows, (index) => 1 / (1 + Math.exp((outline[index] - grow) / spread)));
  }

  /** Points of one width as one line: painting a whole stroke again then costs little more than its last stretch. */
  function line({ kind }, points, radius) {
    context.lineWidth = 2 * radius;
    context.beginPath();
    context.moveTo(points[0][0], points[0][1]);
    // A line of no length has no round ends in some browsers.
    if (points.length === 1) context.lineTo(points[0][0] + 0.01, points[0][1]);
    for (const [x, y] of points.slice(1)) context.lineTo(x, y);
    context.globalCompositeOperation = "destination-out";
    context.strokeStyle = "#000";
    context.stroke();
    context.globalCompositeOperation = "source-over";
    context.strokeStyle = kind === "erase" ? bare : VEIL_STROKES[kind];
    context.stroke();
  }

  return {
    sheet,
    load(picture) {
      mask = picture;
      const greys = greysOf(picture, width, height);
      exact = veilSheet(width, height, (index) => greys[index] / 255);
    },
    /** The veil afresh, as the sliders stand, without strokes. */
    reset(grow, feather) {
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.globalCompositeOperation = "copy";
      context.drawImage(mask && (grow || feather) ? moved(grow, feather) : exact, 0, 0, width, height);
      const under = sheetOf(width, height);
      under.getContext("2d").drawImage(sheet, 0, 0);
      bare = context.createPattern(under, "no-repeat");
      bare.setTransform(new DOMMatrix().scale(1 / scale));
      context.setTransform(scale, 0, 0, scale, 0, 0);
      context.lineCap = context.lineJoin = "round";
    },
    /** Paint the part of a stroke that begins at this point of its path. */
    paint(stroke, first = 0) {
      const path = stroke.path.slice(Math.max(0, first - 1));
      if (path.length === 1) line(stroke, path, path[0][2]);
      let start = 0;
      for (let end = 1; end < path.length; end += 1) {
        if (end + 1 < path.length && path[end + 1][2] === path[end][2]) continue;
        line(stroke, path.slice(start, end + 1), path[end][2]);
        start = end;
      }
    },
  };
}
