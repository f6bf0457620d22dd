const LARGEST_SHEET = 4096; // px a side: of larger ones browsers keep nothing decoded and stutter
const MOST_PIXELS = 128 * 512 * 512; // of decoded cells, all portraits of the page together: 134 MB
const LEAK = 2; // px on every side of a sheet's cell that take colour from its neighbours, by how WebP packs
const WHOLE = { x: 0, y: 0 }; // nothing is cut off
const AT_ONCE = 4; // cells being decoded

const phone = () => Math.min(screen.width, screen.height) < 600 || matchMedia("(pointer: coarse)").matches
  || navigator.deviceMemory <= 2 || navigator.connection?.saveData === true;

// --- files -------------------------------------------------------------------------------------------------

const left = (globalThis.gazePortraitFiles ??= {}); // where the scripts beside a portrait leave what they hold
const scripts = new Map();

function load(url) {
  if (!scripts.has(url)) {
    scripts.set(url, new Promise((resolve, reject) => {
      const script = Object.assign(document.createElement("script"), { src: url });
      script.onload = () => { script.remove(); resolve(left[url]); };
      script.onerror = () => { script.remove(); scripts.delete(url); reject(new Error(`${url} did not load`)); };
      document.head.append(script);
    }));
  }
  return scripts.get(url);
}

function unpacked(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64); // browsers of 2025; takes no time
  const letters = atob(base64);
  const bytes = new Uint8Array(letters.length);
  for (let index = 0; index < letters.length; index += 1) bytes[index] = letters.charCodeAt(index);
  return bytes;
}

async function picture(url) {
  const image = Object.assign(new Image(), { src: url });
  await image.decode();
  return image;
}

// --- where cells come from: `at` says which part of which image is the cell, or nothing while it is decoded ----

class Sheets {
  static async open(folder, suffix, side) {
    return new Sheets(await Promise.all([0, 1, 2, 3].map((number) => picture(`${folder}q${number}${suffix}.webp`))), side);
  }

  constructor(images, side) {
    Object.assign(this, { images, side });
  }

  at(row, column) {
    const half = this.side >> 1; // the middle of an odd grid belongs to the lower and the right sheets
    const [below, right] = [row >= half, column >= half];
    const image = this.images[2 * below + right];
    const width = image.naturalWidth / (right ? this.side - half : half);
    const height = image.naturalHeight / (below ? this.side - half : half);
    const edge = Math.min(LEAK, width / 64, height / 64);
    const [x, y] = [(column - right * half) * width + edge, (row - below * half) * height + edge];
    const trim = { x: edge / width, y: edge / height };
    return { image, x, y, width: width - 2 * edge, height: height - 2 * edge, trim };
  }

  ahead() {} // whole sheets are there or not
}

const decoded = new Map(); // "address row column" -> ImageBitmap, the least recently shown first
let pixels = 0;

function drop(key) {
  const bitmap = decoded.get(key);
  pixels -= bitmap.width * bitmap.height;
  decoded.delete(key);
  bitmap.close();
}

class Cells {
  static async open(url, side, arrived) {
    return new Cells(url, await load(url), side, arrived);
  }

  constructor(url, encoded, side, arrived) {
    Object.assign(this, { url, encoded, side, arrived, busy: new Set() });
  }

  at(row, column) {
    const key = `${this.url} ${row} ${column}`;
    const image = decoded.get(key);
    if (!image) return void this.decode(row, column);
    decoded.delete(key);
    decoded.set(key, image); // the most recent one is last
    return { image, x: 0, y: 0, width: image.width, height: image.height, trim: WHOLE };
  }

  ahead(cells) {
    for (const [row, column] of cells) {
      const inside = Math.min(row, column) >= 0 && Math.max(row, column) < this.side;
      if (inside && this.busy.size < AT_ONCE && !decoded.has(`${this.url} ${row} ${column}`)) this.decode(row, column);
    }
  }

  async decode(row, column) {
    const key = `${this.url} ${row} ${column}`;
    if (this.busy.has(key)) return;
    this.busy.add(key);
    const bytes = unpacked(this.encoded[row * this.side + column]);
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/webp" })).catch(() => null);
    this.busy.delete(key);
    if (!bitmap) return;
    if (decoded.has(key)) drop(key); // another portrait of the page wanted it too
    decoded.set(key, bitmap);
    pixels += bitmap.width * bitmap.height;
    for (const oldest of decoded.keys()) {
      if (pixels <= MOST_PIXELS || oldest === key) break;
      drop(oldest);
    }
    this.arrived(row, column);
  }
}

// The best set of this folder that this screen can draw without stuttering; the next best where files are missing.
async function open(folder, about, arrived) {
  const { gridSize, mobileGridSize, imageWidth, imageHeight, cells } = about;
  const fits = Math.max(imageWidth, imageHeight) * Math.ceil(gridSize / 2) <= LARGEST_SHEET;
  const desktop = { side: gridSize, open: () => Sheets.open(folder, "", gridSize) };
  const mobile = { side: mobileGridSize, open: () => Sheets.open(folder, "_20", mobileGridSize) };
  const single = { side: gridSize, open: () => Cells.open(folder + cells, gridSize, arrived) };
  const sets = [...(fits ? [desktop] : []), ...(cells ? [single] : []), ...(mobileGridSize ? [mobile] : []), desktop];
  if (mobileGridSize && phone()) sets.unshift(mobile);
  for (const [index, set] of sets.entries()) {
    try {
      return { side: set.side, pictures: await set.open() };
    } catch (error) {
      if (index === sets.length - 1) throw error;
    }
  }
}
