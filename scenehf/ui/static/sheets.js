// Bitmaps of the pictures that the viewer draws: fetched and decoded beside the page, closed when they are not needed.

const SHEET_BYTES = 600e6; // of decoded pixels that are kept; what is shown now counts first
const SHEET_RETRY = 2000; // ms before a picture that failed is asked for again
const SHEET_LOADS = { reduced: 4, full: 1 }; // at once: large ones one by one, so that the page stays quick

/** arrived() is called after every picture that came, and after every one that did not. */
function sheetStore(arrived) {
  const held = new Map(); // address -> {bitmap, bytes}, least lately used first
  const loading = new Map(); // address -> {level, stop}
  const failed = new Map(); // address -> when
  const pixel = make("canvas").getContext("2d", { willReadFrequently: true });
  let wishes = [];
  let shown = new Set();

  const total = () => [...held.values()].reduce((sum, entry) => sum + entry.bytes, 0);

  /** Close what is not shown, oldest first, until `bytes` more fit. */
  function makeRoom(bytes) {
    let rest = total() + bytes - SHEET_BYTES;
    for (const [url, entry] of held) {
      if (rest <= 0) break;
      if (shown.has(url)) continue;
      entry.bitmap.close();
      held.delete(url);
      rest -= entry.bytes;
    }
    return rest <= 0;
  }

  function next() {
    for (const { url, level, bytes } of wishes) {
      if (held.has(url) || loading.has(url) || performance.now() - (failed.get(url) ?? -Infinity) < SHEET_RETRY) continue;
      const busy = [...loading.values()].filter((load) => load.level === level).length;
      if (busy >= SHEET_LOADS[level]) continue;
      if (level === "full" && !makeRoom(bytes)) continue;
      load(url, level);
    }
  }

  async function load(url, level) {
    const stop = new AbortController();
    loading.set(url, { level, stop });
    try {
      const answer = await fetch(url, { signal: stop.signal });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      // Every picture of a job is sRGB already: taken as it is, its pixels stay exact.
      const bitmap = await createImageBitmap(await answer.blob(), { colorSpaceConversion: "none" });
      held.set(url, { bitmap, bytes: 4 * bitmap.width * bitmap.height });
      failed.delete(url);
      makeRoom(0);
    } catch {
      if (!stop.signal.aborted) failed.set(url, performance.now());
    }
    loading.delete(url);
    arrived();
    next();
  }

  return {
    /** The bitmap at `url` if it is here. */
    get(url) {
      const entry = held.get(url);
      if (!entry) return null;
      held.delete(url);
      held.set(url, entry); // the latest used goes last
      return entry.bitmap;
    },
    failed: (url) => failed.has(url),
    /** What to load, first things first: [{url, level: "reduced" | "full", bytes}]. `urls`: what must not be closed. */
    want(list, urls) {
      wishes = list;
      shown = urls;
      for (const [url, load] of loading) {
        if (load.level === "full" && !list.some((wish) => wish.url === url)) load.stop.abort();
      }
      next();
    },
    /** How opaque the picture is at (u, v) in 0..1, as 0..1. */
    alphaAt(url, u, v) {
      const entry = held.get(url);
      if (!entry || u < 0 || v < 0 || u >= 1 || v >= 1) return 0;
      const { bitmap } = entry;
      pixel.clearRect(0, 0, 1, 1);
      pixel.drawImage(bitmap, Math.floor(u * bitmap.width), Math.floor(v * bitmap.height), 1, 1, 0, 0, 1, 1);
      return pixel.getImageData(0, 0, 1, 1).data[3] / 255;
    },
    clear() {
      for (const load of loading.values()) load.stop.abort();
      for (const entry of held.values()) entry.bitmap.close();
      wishes = [];
      shown = new Set();
      held.clear();
      failed.clear();
    },
  };
}
