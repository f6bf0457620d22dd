// The picture on its canvas: sheets over each other at any zoom, one pane or two that are compared.

const ZOOM_STOPS = [3, 6, 12.5, 25, 50, 75, 100, 150, 200, 300, 400, 600, 800, 1200, 1600, 2400, 3200]; // percent
const ZOOM_MOST = 32; // device pixels per pixel of the photo
const ENOUGH = 1.25; // how far a reduced picture may be stretched before all its pixels are fetched
const REST = 140; // ms after the last move: what is drawn then is drawn at its best
const HOLD = 400; // ms that the old picture stays while the next one loads
const TRAVEL = 0.035; // of the width, between the plate and the nearest layer, from rest to the end of the tilt

function pictureViewer(stage, canvas) {
  const context = canvas.getContext("2d", { alpha: false });
  const painter = picturePainter(context, stage);
  const sheets = sheetStore(() => redraw(false));
  const divider = wipeDivider(stage, (share) => {
    wipe = share;
    redraw();
  });
  const overlays = new Set();
  const followers = new Set();
  let photo = null;
  let panes = [];
  let next = null; // panes whose pictures are still on their way: {panes, name, until}
  let name = "";
  let mode = "wipe";
  let wipe = 0.5;
  let tilt = null; // {x, y} in -1..1 while the scene tilts
  let width = 0; // of the stage, CSS px
  let height = 0;
  let dpr = 1;
  let scale = 1; // CSS px per pixel of the photo
  let centre = { x: 0, y: 0 }; // the point of the photo in the middle of a pane
  let fitted = true;
  let asked = 0;
  let moved = -Infinity; // when something last moved
  let resting = 0;
  let followed = "";
  let base = null; // what the stage shows while no tool shows something of its own: [panes, photo, name]
  let guest = false; // whether a tool does
  let onGuest = () => {};

  // --- where things are -----------------------------------------------------------------------------------------

  const isSplit = () => panes.length > 1 && mode === "split";
  const paneWidth = () => (isSplit() ? width / 2 : width);
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const fitScale = () => Math.min(paneWidth() / photo.width, height / photo.height) || 1;

  /** Where the photo's top left corner lies in the stage, on whole device pixels. */
  function origin(pane = 0) {
    const left = pane * paneWidth() + paneWidth() / 2 - centre.x * scale;
    return { x: Math.round(left * dpr) / dpr, y: Math.round((height / 2 - centre.y * scale) * dpr) / dpr };
  }

  /** The middle may go where the picture is; the nearer to the fit, the closer it stays to the picture's own middle. */
  function settle() {
    if (!photo || !width || !height) return;
    if (fitted) scale = fitScale();
    const room = Math.min(1, Math.max(0, scale / fitScale() - 1)) / 2;
    centre.x = clamp(centre.x, photo.width * (0.5 - room), photo.width * (0.5 + room));
    centre.y = clamp(centre.y, photo.height * (0.5 - room), photo.height * (0.5 + room));
  }

  /** Take the picture to lie where it is drawn, on whole device pixels: what a long zoom starts from grows with it. */
  function asDrawn() {
    const corner = origin();
    centre = { x: (paneWidth() / 2 - corner.x) / scale, y: (height / 2 - corner.y) / scale };
  }

  function zoomTo(wanted, at = [paneWidth() / 2, height / 2]) {
    if (!photo) return;
    const fit = fitScale();
    const x = (isSplit() ? at[0] % paneWidth() : at[0]) - paneWidth() / 2;
    const y = at[1] - height / 2;
    const point = { x: centre.x + x / scale, y: centre.y + y / scale };
    scale = clamp(wanted, Math.min(fit / 2, 1 / dpr), Math.max(ZOOM_MOST / dpr, fit));
    fitted = Math.abs(scale / fit - 1) < 1e-4;
    if (fitted) scale = fit;
    centre = { x: point.x - x / scale, y: point.y - y / scale };
    settle();
    redraw();
  }

  /** To the next round figure, up (1) or down (-1); the fit is one of them. */
  function zoomStep(direction) {
    if (!photo) return;
    const stops = [...ZOOM_STOPS.map((percent) => percent / 100 / dpr), fitScale()].sort((a, b) => a - b);
    const found = direction > 0 ? stops.find((stop) => stop > scale * 1.01) : stops.findLast((stop) => stop < scale * 0.99);
    if (found) zoomTo(found);
  }

  function fit() {
    fitted = true;
    settle();
    redraw();
  }

  function pan(dx, dy) {
    centre = { x: centre.x - dx / scale, y: centre.y - dy / scale };
    settle();
    redraw();
  }

  function toPhoto(event) {
    const frame = canvas.getBoundingClientRect();
    const x = event.clientX - frame.left;
    const corner = origin(isSplit() && x >= paneWidth() ? 1 : 0);
    return { x: (x - corner.x) / scale, y: (event.clientY - frame.top - corner.y) / scale };
  }

  function toStage(x, y) {
    const corner = origin();
    return { x: corner.x + x * scale, y: corner.y + y * scale };
  }

  // --- what to draw ---------------------------------------------------------------------------------------------

  /** Where a sheet lies, in px of the photo, after its offset and the tilt. */
  function placed(sheet) {
    let { x = 0, y = 0, width: wide, height: high } = sheet;
    x += sheet.dx || 0;
    y += sheet.dy || 0;
    const bitmap = sheet.contain && sheets.get(sheet.url);
    if (bitmap) {
      const share = Math.min(wide / bitmap.width, high / bitmap.height);
      x += (wide - bitmap.width * share) / 2;
      y += (high - bitmap.height * share) / 2;
      wide = bitmap.width * share;
      high = bitmap.height * share;
    }
    if (!tilt) return { x, y, wide, high };
    const grown = 1 + 2 * TRAVEL; // so that no edge of the plate shows
    const way = (sheet.lift || 0) * TRAVEL * photo.width;
    return {
      x: photo.width / 2 + (x - photo.width / 2) * grown - tilt.x * way,
      y: photo.height / 2 + (y - photo.height / 2) * grown - tilt.y * way,
      wide: wide * grown,
      high: high * grown,
    };
  }

  /** Whether the reduced picture holds too little: too few pixels, or single pixels are to be seen as they are. */
  function needsFull(sheet) {
    if (!sheet.full) return false;
    const reduced = sheets.get(sheet.url);
    return scale * dpr >= 0.999 || (reduced !== null && sheet.width * scale * dpr > reduced.width * ENOUGH);
  }

  function bitmapOf(sheet) {
    const reduced = sheets.get(sheet.url);
    return ((needsFull(sheet) || !reduced) && sheet.full && sheets.get(sheet.full)) || reduced;
  }

  function want() {
    const all = [...panes, ...(next ? next.panes : [])].flatMap((pane) => pane.sheets);
    const wishes = all.map((sheet) => ({ url: sheet.url, level: "reduced" }));
    for (const sheet of all.filter((one) => needsFull(one) && inSight(one)).reverse()) {
      wishes.push({ url: sheet.full, level: "full", bytes: 4 * sheet.width * sheet.height });
    }
    const urls = new Set(wishes.map((wish) => wish.url));
    for (const sheet of all) if (sheet.opacity !== 0) urls.add(sheet.full); // a sheet just out of sight soon comes back
    sheets.want(wishes, urls);
  }

  function inSight(sheet) {
    if (sheet.opacity === 0) return false;
    const { x, y, wide, high } = placed(sheet);
    const corner = origin();
    const left = corner.x + x * scale;
    const top = corner.y + y * scale;
    return left < paneWidth() && top < height && left + wide * scale > 0 && top + high * scale > 0;
  }

  // --- drawing --------------------------------------------------------------------------------------------------

  /** Ask for one frame. lively: something moves, so that speed comes before quality until it rests. */
  function redraw(lively = true) {
    if (lively) moved = performance.now();
    asked = asked || requestAnimationFrame(frame);
  }

  function frame() {
    cancelAnimationFrame(asked);
    asked = 0;
    takeNext();
    if (!photo || !width || !height || !stage.isConnected) return;
    dpr = window.devicePixelRatio || 1;
    const size = [Math.round(width * dpr), Math.round(height * dpr)];
    if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
    settle();
    const lively = performance.now() - moved < REST;
    painter.begin(size, dpr, lively ? "low" : "high");
    paintPanes(size);
    divider.place(panes.length > 1 ? mode : null, wipe, seen());
    want();
    tell();
    clearTimeout(resting);
    if (lively) resting = setTimeout(() => redraw(false), REST + 20);
  }

  /** The next panes take the place of the old ones once all their pictures are here, or after a moment. */
  function takeNext() {
    if (!next) return;
    const here = next.panes.every((pane) => pane.sheets.every((sheet) => bitmapOf(sheet) || sheets.failed(sheet.url)));
    if (!here && performance.now() < next.until) return want();
    ({ panes, name } = next);
    next = null;
  }

  function paintPanes([wide, high]) {
    if (isSplit()) {
      const half = Math.round(wide / 2);
      paintPane(0, { left: 0, top: 0, right: half, bottom: high });
      paintPane(1, { left: half, top: 0, right: wide, bottom: high });
      painter.line(half, high);
    } else if (panes.length > 1) {
      const line = Math.round(dividerAt() * dpr);
      paintPane(0, { left: 0, top: 0, right: line, bottom: high });
      paintPane(1, { left: line, top: 0, right: wide, bottom: high });
    } else if (panes.length) {
      paintPane(0, { left: 0, top: 0, right: wide, bottom: high });
    }
  }

  /** The part of the stage that the picture covers, left and right, CSS px. */
  function seen() {
    const left = origin().x;
    return { left: Math.max(0, left), right: Math.min(width, left + photo.width * scale) };
  }

  function dividerAt() {
    const { left, right } = seen();
    return left + wipe * (right - left);
  }

  function paintPane(index, area) {
    const corner = origin(isSplit() ? index : 0);
    const k = scale * dpr;
    const x0 = Math.round(corner.x * dpr);
    const y0 = Math.round(corner.y * dpr);
    const frame = {
      x0,
      y0,
      k,
      left: Math.max(area.left, x0),
      top: Math.max(area.top, y0),
      right: Math.min(area.right, Math.round(x0 + photo.width * k)),
      bottom: Math.min(area.bottom, Math.round(y0 + photo.height * k)),
    };
    painter.pane(panes[index], panes[index].sheets.map(painted).filter(Boolean), frame, overlays);
  }

  /** A sheet as the painter wants it; null: nothing of it is here, or nothing of it shows. */
  function painted(sheet) {
    const { opacity = 1 } = sheet;
    const bitmap = opacity > 0 ? bitmapOf(sheet) : null;
    return bitmap && { bitmap, opacity, all: bitmap.width >= sheet.width, ...placed(sheet) };
  }

  /** What others learn of a frame: which view is drawn, and where the photo is now. */
  function tell() {
    const drawn = panes.flatMap((pane) => pane.sheets).every((sheet) => sheet.opacity === 0 || bitmapOf(sheet));
    if (drawn && !next) canvas.dataset.drawn = name;
    else delete canvas.dataset.drawn;
    const corner = origin();
    const now = [corner.x, corner.y, scale, width, height, isSplit()].join();
    if (now === followed) return;
    followed = now;
    stage.classList.toggle("is-zoomed", !fitted);
    for (const follow of followers) follow();
  }

  function show(given, of, called) {
    if (!photo || photo.url !== of.url || photo.width !== of.width || photo.height !== of.height) {
      photo = of;
      centre = { x: photo.width / 2, y: photo.height / 2 };
      fitted = true;
      panes = [];
    }
    if (called !== name) delete canvas.dataset.drawn;
    const until = next && next.name === called ? next.until : performance.now() + (panes.length ? HOLD : 0);
    next = { panes: given, name: called, until };
    if (panes.length) setTimeout(() => redraw(false), HOLD + 10);
    redraw(false);
  }

  function lend(is) {
    if (guest === is) return;
    guest = is;
    onGuest(is);
  }

  // --- the page around it ---------------------------------------------------------------------------------------

  new ResizeObserver(() => {
    ({ clientWidth: width, clientHeight: height } = canvas);
    if (photo) frame(); // at once: a frame later the old picture would be seen stretched
  }).observe(canvas);
  const lights = new MutationObserver(() => {
    if (!stage.isConnected) return lights.disconnect();
    painter.recolour();
    redraw(false);
  });
  lights.observe(document.body, { attributes: true, attributeFilter: ["class"] });

  const now = { scale: () => scale, fitted: () => fitted, ready: () => Boolean(photo) };
  const camera = { toPhoto, pan, asDrawn, zoomTo, zoomStep, fit, fitScale, ...now };
  const hands = viewerHands(stage, canvas, camera);

  return {
    /** What a tool shows of its own, until it is no longer used. */
    show(given, of, called = "") {
      lend(true);
      show(given, of, called);
    },
    /** What is shown otherwise. `called` is what canvas[data-drawn] says once it is drawn. */
    base(given, of, called) {
      base = [given, of, called];
      if (!guest) show(...base);
    },
    /** follow(whether a tool shows something of its own). */
    onGuest(follow) {
      onGuest = follow;
    },
    clear() {
      photo = next = base = null;
      panes = [];
      lend(false);
      delete canvas.dataset.drawn;
      sheets.clear();
    },
    get mode() {
      return mode;
    },
    set mode(given) {
      mode = given;
      redraw();
    },
    get wipe() {
      return wipe;
    },
    set wipe(share) {
      wipe = clamp(share, 0, 1);
      redraw();
    },
    set tilt(given) {
      tilt = given;
      redraw();
    },
    get scale() {
      return scale;
    },
    redraw,
    fit,
    zoomTo,
    zoomStep,
    toPhoto,
    toStage,
    fitted: () => fitted,
    /** draw(context) after the panes, 1 unit = 1 px of the photo. Gives back what ends it. */
    overlay(draw) {
      overlays.add(draw);
      redraw(false);
      return () => {
        overlays.delete(draw);
        redraw(false);
      };
    },
    onFrame(follow) {
      followers.add(follow);
    },
    use(tool) {
      hands.use(tool);
      if (!tool && guest) {
        lend(false);
        if (base) show(...base);
      }
    },
    ground: hands.ground,
    /** How opaque a sheet is at a point of the photo. */
    alphaAt(sheet, point) {
      const { x, y, wide, high } = placed(sheet);
      return sheets.alphaAt(sheet.url, (point.x - x) / wide, (point.y - y) / high);
    },
  };
}
