// The scene view: the plate and its layers over each other, to be moved about and tilted.

const PIVOT = 0.35; // the depth (0 plate, 1 nearest) that stands still while the scene tilts
const SOLID = 0.1; // a layer is taken where it is more opaque than this
const SLACK = 3; // CSS px that a pointer may tremble before it drags
const TILT_KEY = 0.2; // of the way from rest to the end, per arrow key
const TILT_EASE = 0.18; // of the remaining way, per frame
const NUDGE = 8; // CSS px that Shift and an arrow move the selected layer

const ARROW_WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** onMove(key, dx, dy): a layer was moved, px of the photo. onChange(): the sheets have to be shown again. */
function sceneView(viewer, stage, { onMove, onChange }) {
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  let look = new Map(); // key -> {hidden, opacity, dx, dy}
  let sheets = [];
  let selected = null;
  let dragged = null; // {key, from, start, moved}
  let shown = false;
  let tilting = false;
  let tilt = { x: 0, y: 0 };
  let goal = tilt;
  let turning = 0;

  const looks = (key) => look.get(key) || {};

  /** Back to front, as the viewer wants them. */
  function sheetsOf(scene, photo) {
    const whole = { x: 0, y: 0, width: photo.width, height: photo.height };
    const all = [{ key: "plate", ...whole, ...scene.plate }, ...scene.layers];
    sheets = all.map((sheet, index) => {
      const { hidden, opacity = 1, dx = 0, dy = 0 } = looks(sheet.key);
      const lift = index / Math.max(1, all.length - 1) - PIVOT;
      return { ...sheet, dx, dy, opacity: hidden ? 0 : opacity, lift };
    });
    return sheets;
  }

  function pick(point) {
    const layers = sheets.slice(1).filter((sheet) => sheet.opacity > 0);
    return layers.findLast((sheet) => viewer.alphaAt(sheet, point) > SOLID);
  }

  function put(key, dx, dy) {
    const moved = { dx: Math.round(dx), dy: Math.round(dy) };
    look.set(key, { ...looks(key), ...moved });
    onChange();
    onMove(key, moved.dx, moved.dy);
  }

  // --- moving layers --------------------------------------------------------------------------------------------

  const mover = {
    cursor: "",
    down(point, event) {
      const sheet = tilting ? null : pick(point);
      // A finger moves the picture or the page; only the layer that is selected goes along with it.
      if (!sheet || (event.pointerType === "touch" && sheet.key !== selected)) return false;
      dragged = { key: sheet.key, from: point, start: sheet, moved: false };
      return true;
    },
    move(point) {
      const [dx, dy] = [point.x - dragged.from.x, point.y - dragged.from.y];
      if (!dragged.moved && Math.hypot(dx, dy) * viewer.scale < SLACK) return;
      dragged.moved = true;
      put(dragged.key, dragged.start.dx + dx, dragged.start.dy + dy);
    },
    up() {
      dragged = null;
    },
    cancel() {
      if (dragged && dragged.moved) put(dragged.key, dragged.start.dx, dragged.start.dy);
      dragged = null;
    },
    hover(point) {
      const over = point && !tilting && pick(point) ? "move" : "";
      if (over === mover.cursor) return;
      mover.cursor = over;
      viewer.ground(mover);
    },
    key(event) {
      const way = ARROW_WAYS[event.key];
      if (tilting && way && !event.shiftKey) {
        turn(goal.x + way[0] * TILT_KEY, goal.y + way[1] * TILT_KEY);
        return true;
      }
      const sheet = sheets.slice(1).find((one) => one.key === selected);
      if (!sheet) return false;
      if (event.key === "Home") {
        put(sheet.key, 0, 0);
        return true;
      }
      if (!way || !event.shiftKey) return false;
      const far = Math.max(1, NUDGE / viewer.scale);
      put(sheet.key, sheet.dx + way[0] * far, sheet.dy + way[1] * far);
      return true;
    },
  };

  find("canvas", stage).addEventListener("dblclick", (event) => {
    const sheet = shown && !tilting ? pick(viewer.toPhoto(event)) : null;
    if (sheet) put(sheet.key, 0, 0);
  });

  // --- tilt -----------------------------------------------------------------------------------------------------

  function turn(x, y) {
    goal = { x: Math.max(-1, Math.min(1, x)), y: Math.max(-1, Math.min(1, y)) };
    turning = turning || requestAnimationFrame(ease);
  }

  function ease() {
    turning = 0;
    if (!tilting || !shown) return;
    const way = { x: goal.x - tilt.x, y: goal.y - tilt.y };
    const near = calm.matches || Math.hypot(way.x, way.y) < 0.004;
    tilt = near ? goal : { x: tilt.x + way.x * TILT_EASE, y: tilt.y + way.y * TILT_EASE };
    viewer.tilt = tilt;
    if (!near) turning = requestAnimationFrame(ease);
  }

  stage.addEventListener("pointermove", (event) => {
    if (!tilting || !shown || event.buttons) return;
    const frame = stage.getBoundingClientRect();
    turn((2 * (event.clientX - frame.left)) / frame.width - 1, (2 * (event.clientY - frame.top)) / frame.height - 1);
  });
  stage.addEventListener("pointerleave", () => tilting && turn(0, 0));

  function update() {
    viewer.ground(shown ? mover : null);
    viewer.tilt = shown && tilting ? tilt : null;
  }

  return {
    sheetsOf,
    look(map) {
      look = new Map(map);
    },
    select(key) {
      selected = key;
    },
    /** Whether the scene is what the stage shows. */
    shown(is) {
      if (is === shown) return;
      shown = is;
      update();
    },
    get tilting() {
      return tilting;
    },
    set tilting(is) {
      tilting = is;
      tilt = goal = { x: 0, y: 0 };
      update();
    },
  };
}
