// Brush strokes as paths, and the picture that the server reads: green keeps, red drops, the rest is transparent.
// It is made of the paths row by row, not of a canvas: no pixel is mixed, and no browser's largest canvas sets a limit.

const STROKE_MARKS = { erase: 0, keep: 1, drop: 2 };
const STROKE_CHANNELS = [null, 1, 0]; // of RGBA, the one that a mark fills besides alpha
const STRIP = 64; // rows that are packed at a time

/** A stroke is {kind, path: [[x, y, radius], ...]} in px of the photo; each stretch is as wide as its end. */
function eachStretch({ path }, visit) {
  if (path.length === 1) visit(path[0], path[0], path[0][2]);
  for (let index = 1; index < path.length; index += 1) visit(path[index - 1], path[index], path[index][2]);
}

/** Where the row at height y crosses the stretch with round ends: [left, right], left > right where it does not. */
function crossing([ax, ay], [bx, by], radius, y) {
  let left = Infinity;
  let right = -Infinity;
  for (const [x, dy] of [[ax, y - ay], [bx, y - by]]) {
    if (Math.abs(dy) > radius) continue;
    const half = Math.sqrt(radius * radius - dy * dy);
    left = Math.min(left, x - half);
    right = Math.max(right, x + half);
  }
  const length = Math.hypot(bx - ax, by - ay);
  if (!length) return [left, right];
  const [ux, uy] = [(bx - ax) / length, (by - ay) / length];
  let [least, most] = [-Infinity, Infinity];
  for (const [across, along, low, high] of [[ux, uy, 0, length], [-uy, ux, -radius, radius]]) {
    const rest = along * (y - ay);
    if (Math.abs(across) < 1e-9) {
      if (rest < low || rest > high) return [left, right];
      continue;
    }
    const ends = [(low - rest) / across, (high - rest) / across];
    least = Math.max(least, Math.min(...ends));
    most = Math.min(most, Math.max(...ends));
  }
  return least > most ? [left, right] : [Math.min(left, ax + least), Math.max(right, ax + most)];
}

/** One byte per pixel of the photo, see STROKE_MARKS: a pixel is painted when its centre is. */
function strokePixels(strokes, width, height) {
  const pixels = new Uint8Array(width * height);
  for (const stroke of strokes) {
    const mark = STROKE_MARKS[stroke.kind];
    eachStretch(stroke, (from, to, radius) => {
      const top = Math.max(0, Math.ceil(Math.min(from[1], to[1]) - radius - 0.5));
      const bottom = Math.min(height - 1, Math.floor(Math.max(from[1], to[1]) + radius - 0.5));
      for (let row = top; row <= bottom; row += 1) {
        const [left, right] = crossing(from, to, radius, row + 0.5);
        const first = Math.max(0, Math.ceil(left - 0.5));
        const last = Math.min(width - 1, Math.floor(right - 0.5));
        if (first <= last) pixels.fill(mark, row * width + first, row * width + last + 1);
      }
    });
  }
  return pixels;
}

/** The strokes as a PNG of the photo's size; null where nothing is painted. */
async function strokesFile(strokes, { width, height }) {
  const pixels = strokePixels(strokes, width, height);
  if (!pixels.some(Boolean)) return null;
  const head = new DataView(new ArrayBuffer(13));
  head.setUint32(0, width);
  head.setUint32(4, height);
  head.setUint16(8, 0x0806); // 8 bits each of red, green, blue and alpha
  const parts = [
    new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    ...pngChunk("IHDR", new Uint8Array(head.buffer)),
    ...pngChunk("IDAT", await packed(pixels, width, height)),
    ...pngChunk("IEND", new Uint8Array()),
  ];
  return new File(parts, "strokes.png", { type: "image/png" });
}

async function packed(pixels, width, height) {
  const stream = new CompressionStream("deflate");
  const writer = stream.writable.getWriter();
  const answer = new Response(stream.readable).arrayBuffer();
  for (let top = 0; top < height; top += STRIP) {
    const rows = Math.min(STRIP, height - top);
    const bytes = new Uint8Array(rows * (1 + 4 * width)); // each row begins with 0: it is filtered by nothing
    for (let row = 0; row < rows; row += 1) {
      const start = (top + row) * width;
      for (let x = 0; x < width; x += 1) {
        const mark = pixels[start + x];
        if (!mark) continue;
        const at = row * (1 + 4 * width) + 1 + 4 * x;
        bytes[at + STROKE_CHANNELS[mark]] = bytes[at + 3] = 255;
      }
    }
    await writer.write(bytes);
  }
  await writer.close();
  return new Uint8Array(await answer);
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
  let crc = value;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  return crc;
});

function pngChunk(kind, data) {
  const head = new Uint8Array(8);
  const view = new DataView(head.buffer);
  view.setUint32(0, data.length);
  head.set([...kind].map((letter) => letter.charCodeAt(0)), 4);
  let crc = 0xffffffff;
  for (const bytes of [head.subarray(4), data]) for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  const sum = new Uint8Array(4);
  new DataView(sum.buffer).setUint32(0, ~crc >>> 0);
  return [head, data, sum];
}
