// Pointers, wheel and keys over the viewer: what a tool does not take moves the picture. And the line of the wipe.

const WHEEL = 0.0016; // zoom per px of a wheel, as a power of e
const PINCH = 0.01; // the same for a trackpad's pinch, which arrives as small steps of a wheel with Ctrl
const WHEEL_LINE = 30; // px of one line, for browsers that count in lines
const AFTER = 300; // ms after a zoom in which the wheel still does not scroll the page
const KEY_PAN = 60; // CSS px per arrow key

function viewerHands(stage, canvas, camera) {
  const touches = new Map(); // pointer id -> {x, y} in the stage
  let tool = null;
  let ground = null; // the tool that is there while nobody uses another
  let held = null; // {id, tool?} or {id, x, y} that pans, or {pinch}
  let space = false;
  let hovering = false;
  let wheeled = -Infinity;
  let steady = ""; // where the wheel last turned, and at which zoom

  const taker = () => tool || ground;

  function place(event) {
    const frame = canvas.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top };
  }

  function cursor() {
    const pans = held ? held.x !== undefined : space;
    canvas.style.cursor = pans ? (held ? "grabbing" : "grab") : (taker() && taker().cursor) || (camera.fitted() ? "default" : "grab");
  }

  // --- pointers -------------------------------------------------------------------------------------------------

  function pinched() {
    const [a, b] = [...touches.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.max(1, Math.hypot(a.x - b.x, a.y - b.y)) };
  }

  function down(event) {
    const pans = event.button === 1 || (event.button === 0 && space);
    if (!camera.ready() || (event.target !== canvas && !pans)) return;
    if (event.pointerType === "touch") touches.set(event.pointerId, place(event));
    if (touches.size === 2) {
      if (held && held.tool && held.tool.cancel) held.tool.cancel();
      held = { pinch: pinched() };
      return;
    }
    if (held || (event.button !== 0 && !pans)) return;
    const taken = !pans && taker() && taker().down && taker().down(camera.toPhoto(event), event);
    held = { id: event.pointerId, ...(taken ? { tool: taker() } : place(event)) };
    canvas.setPointerCapture(event.pointerId);
    stage.focus({ preventScroll: true });
    cursor();
  }

  function move(event) {
    if (touches.has(event.pointerId)) touches.set(event.pointerId, place(event));
    if (!held) {
      if (taker() && taker().hover && camera.ready()) taker().hover(camera.toPhoto(event), event);
      cursor();
    } else if (held.pinch) {
      if (touches.size === 2) pinch();
    } else if (held.id === event.pointerId) {
      if (held.tool) return held.tool.move && held.tool.move(camera.toPhoto(event), event);
      const at = place(event);
      camera.pan(at.x - held.x, at.y - held.y);
      held = { ...held, ...at };
    }
  }

  function pinch() {
    const now = pinched();
    const before = held.pinch;
    held.pinch = now;
    camera.pan(now.x - before.x, now.y - before.y);
    camera.zoomTo((camera.scale() * now.apart) / before.apart, [now.x, now.y]);
  }

  function up(event) {
    touches.delete(event.pointerId);
    if (held && held.pinch && !touches.size) held = null;
    else if (held && held.id === event.pointerId) {
      const ended = held.tool && (event.type === "pointerup" ? held.tool.up : held.tool.cancel);
      const used = held.tool;
      held = null;
      if (ended) ended.call(used, camera.toPhoto(event), event);
    }
    cursor();
  }

  stage.addEventListener("pointerdown", down);
  canvas.addEventListener("pointermove", move);
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  stage.addEventListener("pointerenter", () => (hovering = true));
  stage.addEventListener("pointerleave", (event) => {
    hovering = false;
    if (!held && taker() && taker().hover) taker().hover(null, event);
  });
  // The middle button would start the browser's own scrolling.
  stage.addEventListener("mousedown", (event) => event.button === 1 && event.preventDefault());
  // One finger scrolls the page past a picture that fits, unless a tool took it; two fingers are always ours.
  for (const kind of ["touchstart", "touchmove"]) {
    const ours = (event) => (event.touches.length > 1 || (held && held.tool)) && event.cancelable && event.preventDefault();
    canvas.addEventListener(kind, ours, { passive: false });
  }

  // --- wheel and pinch ------------------------------------------------------------------------------------------

  function wheel(event) {
    if (!camera.ready()) return;
    const pixels = event.deltaY * (event.deltaMode === 1 ? WHEEL_LINE : event.deltaMode === 2 ? stage.clientHeight : 1);
    const always = event.ctrlKey || event.metaKey;
    const fit = camera.fitScale();
    if (!always && pixels > 0 && camera.scale() <= fit * 1.0001) {
      if (event.timeStamp - wheeled < AFTER) event.preventDefault(); // the end of the move that reached the fit
      return;
    }
    event.preventDefault();
    if (!pixels) return;
    const factor = Math.exp(-pixels * (event.ctrlKey && Math.abs(pixels) < 50 ? PINCH : WHEEL));
    const wanted = camera.scale() * factor;
    const at = place(event);
    if (steady !== [at.x, at.y, camera.scale()].join()) camera.asDrawn();
    camera.zoomTo(always || pixels < 0 ? wanted : Math.max(wanted, fit), [at.x, at.y]);
    steady = [at.x, at.y, camera.scale()].join();
    wheeled = event.timeStamp;
    cursor();
  }

  // Safari tells of a trackpad's pinch in events of its own.
  let gesture = 1;
  function gestured(event) {
    event.preventDefault();
    if (event.type === "gesturechange" && !touches.size) {
      const at = place(event);
      camera.zoomTo((camera.scale() * event.scale) / gesture, [at.x, at.y]);
    }
    gesture = event.type === "gesturestart" ? 1 : event.scale;
  }

  stage.addEventListener("wheel", wheel, { passive: false });
  for (const kind of ["gesturestart", "gesturechange"]) stage.addEventListener(kind, gestured);

  // --- keys -----------------------------------------------------------------------------------------------------

  const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

  function key(event) {
    if (event.defaultPrevented || !camera.ready() || event.target.closest("input, textarea, select")) return;
    if (taker() && taker().key && taker().key(event)) return taken(event);
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const way = ARROWS[event.key];
    if (way && camera.scale() > camera.fitScale() * 1.0001) camera.pan(way[0] * KEY_PAN, way[1] * KEY_PAN);
    else if (event.key === "+" || event.key === "=") camera.zoomStep(1);
    else if (event.key === "-" || event.key === "_") camera.zoomStep(-1);
    else if (event.key === "0") camera.fit();
    else if (event.key === "1") camera.zoomTo(1 / (window.devicePixelRatio || 1));
    else return; // arrows at the fit go on to the page
    taken(event);
  }

  function taken(event) {
    event.preventDefault();
    event.stopPropagation();
    cursor();
  }

  stage.addEventListener("keydown", key);

  function spaceKey(event) {
    if (!stage.isConnected) {
      document.removeEventListener("keydown", spaceKey);
      document.removeEventListener("keyup", spaceKey);
      return;
    }
    if (event.key !== " ") return;
    const free = [document.body, stage].includes(document.activeElement);
    if (event.type === "keydown" && !(free && hovering && inView())) return;
    space = event.type === "keydown";
    if (space) event.preventDefault(); // no page of scroll
    cursor();
  }
  document.addEventListener("keydown", spaceKey);
  document.addEventListener("keyup", spaceKey);

  return {
    /** The tool that gets pointers and keys first; null: none. */
    use(next) {
      if (held && held.tool && held.tool !== next) {
        if (held.tool.cancel) held.tool.cancel();
        held = null;
      }
      tool = next || null;
      cursor();
    },
    /** The tool for when no other is used. */
    ground(next) {
      ground = next || null;
      cursor();
    },
  };
}

/** The line between two pictures: dragged, or moved by keys. onMove(share) with 0..1 of the picture in sight. */
function wipeDivider(stage, onMove) {
  const line = make("div", "shf-wipe", null, make("i"));
  line.hidden = true;
  line.tabIndex = 0;
  line.setAttribute("role", "slider");
  line.setAttribute("aria-label", "Divider between the two pictures");
  line.setAttribute("aria-valuemin", "0");
  line.setAttribute("aria-valuemax", "100");
  stage.append(line);
  let share = 0.5;
  let area = { left: 0, right: 1 };

  const go = (wanted) => onMove(Math.min(1, Math.max(0, wanted)));

  line.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.stopPropagation();
    line.setPointerCapture(event.pointerId);
  });
  line.addEventListener("pointermove", (event) => {
    if (!line.hasPointerCapture(event.pointerId)) return;
    const x = event.clientX - stage.getBoundingClientRect().left - stage.clientLeft;
    go((x - area.left) / Math.max(1, area.right - area.left));
  });
  line.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 0.1 : 0.02;
    const steps = { ArrowLeft: -step, ArrowDown: -step, ArrowRight: step, ArrowUp: step, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    event.stopPropagation();
    go(share + steps[event.key]);
  });

  return {
    /** mode: "wipe", or anything else, which hides the line. */
    place(mode, at, seen) {
      line.hidden = mode !== "wipe";
      share = at;
      area = seen;
      line.style.left = `${seen.left + at * (seen.right - seen.left)}px`;
      line.setAttribute("aria-valuenow", String(Math.round(100 * at)));
    },
  };
}
