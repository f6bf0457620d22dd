// A brush in the hand: strokes on the photo, a veil that shows them, undo, keys; and sliders for an outline, if there is one.

const SIZE_LEAST = 2; // px of the photo across
const SIZE_STEP = 4; // positions of the slider that a key moves it
const PEN_LEAST = 0.25; // of the brush, for a pen that hardly presses
const OUTLINE_MOST = 50; // px, as in scenehf/layers/adjust.py
const RING = { keep: "#3ddc84", drop: "#ff5a6e", erase: "#ffffff" };

const signed = (value) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value)} px`;

/**
 * Painting on the photo that the viewer shows, as `how` says:
 * title; kinds: [kind, word] pairs, the first one is in the hand; keys: letter -> kind; apply: the word on the button;
 * hint: what is said to all, and of keys; outline: with sliders that move and soften the mask's outline; mask: its address,
 * or null; strokes: those that are there already; blank: whether nothing painted may be handed over.
 * onApply({file, strokes, feather, grow}): handed over; false: it was refused, and the brush stays open.
 */
function paintSession(viewer, tray, photo, how, { onApply, leave }) {
  const stage = find(".shf-stage");
  const veil = veilOf(photo);
  const sizes = sizeScale(photo);
  const strokes = [...how.strokes];
  let undone = [];
  let open = true;
  let stroke = null; // the one under way
  let kind = how.kinds[0][0];
  let at = { x: Math.round(photo.width / 2), y: Math.round(photo.height / 2) };
  let ringed = true; // whether the brush is to be seen
  let byKeys = true; // the arrow keys moved it last, so that Space paints instead of moving the picture
  let asked = 0;

  const kinds = choice("Brush", how.kinds, (value) => {
    kind = value;
    back();
  });
  const size = slider("Size", {
    min: 0,
    max: 100,
    value: sizes.start,
    says: (position) => `${sizes.at(position)} px`,
    onInput: () => viewer.redraw(),
  });
  const feather = slider("Feather", { min: 0, max: OUTLINE_MOST, value: 0, says: (value) => `${value} px`, onInput: reshape });
  const grow = slider("Grow", { min: -OUTLINE_MOST, max: OUTLINE_MOST, value: 0, says: signed, onInput: reshape });
  const undoButton = iconButton("Undo the last stroke", "undo", () => undo());
  const redoButton = iconButton("Redo the stroke", "redo", () => redo());
  const apply = trayButton(how.apply, "shf-primary", finish);
  const hint = toolHint(...how.hint);

  const radius = () => sizes.at(size.value) / 2;
  const back = () => stage.focus({ preventScroll: true });

  function offer() {
    undoButton.disabled = !strokes.length;
    redoButton.disabled = !undone.length;
    apply.disabled = !(how.blank || strokes.some((one) => one.kind !== "erase") || feather.value || grow.value);
  }

  /** Everything afresh: the veil as the sliders stand, and all strokes on it. */
  function replay() {
    asked = 0;
    if (!open) return;
    veil.reset(grow.value, feather.value);
    for (const one of strokes) veil.paint(one);
    viewer.redraw();
  }

  function reshape() {
    offer();
    asked = asked || requestAnimationFrame(replay);
  }

  // --- painting -------------------------------------------------------------------------------------------------

  function begin(point, event) {
    const rubs = event.pointerType === "pen" && event.buttons & 32; // the other end of a pen
    stroke = { kind: rubs ? "erase" : kind, path: [] };
    extend(point, event);
  }

  function extend(point, event) {
    const press = event.pointerType === "pen" && event.pressure ? PEN_LEAST + (1 - PEN_LEAST) * event.pressure : 1;
    const wide = radius() * press;
    const last = stroke.path.at(-1);
    if (last && Math.hypot(point.x - last[0], point.y - last[1]) < Math.max(0.5, wide / 16)) return;
    stroke.path.push([point.x, point.y, wide]);
  }

  function draw(point, event) {
    const first = stroke.path.length;
    const parts = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const part of parts.length ? parts : [event]) extend(viewer.toPhoto(part), part);
    if (stroke.path.length > first) veil.paint(stroke, first);
    at = point;
    viewer.redraw();
  }

  function commit() {
    strokes.push(stroke);
    stroke = null;
    undone = [];
    offer();
    viewer.redraw();
  }

  function dab() {
    stroke = { kind, path: [[at.x, at.y, radius()]] };
    veil.paint(stroke);
    commit();
  }

  function undo() {
    if (stroke || !strokes.length) return;
    undone.push(strokes.pop());
    offer();
    replay();
    back();
  }

  function redo() {
    if (stroke || !undone.length) return;
    strokes.push(undone.pop());
    offer();
    replay();
    back();
  }

  // --- keys -----------------------------------------------------------------------------------------------------

  function keys(event) {
    const isOurs = event.key === "Escape" || !actsItself(event);
    return isOurs && act(event) ? used(event) : false;
  }

  function act(event) {
    const history = historyKey(event);
    if (history) return (history === "undo" ? undo : redo)() || true;
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const way = event.target.tagName !== "INPUT" && arrowStep(event);
    if (way) return travel(way);
    if (how.keys[event.key.toLowerCase()]) {
      kind = how.keys[event.key.toLowerCase()];
      kinds.set(kind);
      viewer.redraw();
    } else if (event.key === "[" || event.key === "]") {
      size.value += event.key === "]" ? SIZE_STEP : -SIZE_STEP;
      viewer.redraw();
    } else if (event.key === " " && byKeys && !stroke && !event.repeat) dab();
    else if (event.key === "Enter") finish();
    else if (event.key === "Escape") leave();
    else return false;
    return true;
  }

  function travel([dx, dy]) {
    at = { x: within(Math.round(at.x) + dx, 0, photo.width), y: within(Math.round(at.y) + dy, 0, photo.height) };
    byKeys = ringed = true;
    viewer.redraw();
    return true;
  }

  /** Hand it over. The brush stays open, with its strokes, when it is refused. */
  async function finish() {
    if (apply.disabled || stroke) return;
    apply.disabled = true;
    setText(apply, "Applying…");
    let taken = false;
    try {
      const file = await strokesFile(strokes, photo);
      const asks = how.blank || file || feather.value || grow.value;
      const made = { file, strokes, feather: feather.value, grow: grow.value };
      taken = open && asks && (await onApply(made)) !== false;
    } finally {
      setText(apply, how.apply);
      if (open) offer();
    }
    if (taken && open) leave();
  }

  // --- drawing --------------------------------------------------------------------------------------------------

  function overlay(context) {
    context.imageSmoothingEnabled = viewer.scale < 3;
    context.drawImage(veil.sheet, 0, 0, photo.width, photo.height);
    if (!ringed) return;
    const line = 1 / viewer.scale;
    for (const [width, colour] of [[3.5 * line, "rgb(0 0 0 / 55%)"], [1.5 * line, RING[kind]]]) {
      context.lineWidth = width;
      context.strokeStyle = colour;
      context.beginPath();
      context.arc(at.x, at.y, Math.max(radius(), 2 * line), 0, 2 * Math.PI);
      context.stroke();
    }
  }

  const endOverlay = viewer.overlay(overlay);
  const outline = how.outline ? [feather.node, grow.node] : [];
  openTray(tray, how.title, keys, kinds.node, size.node, ...outline, undoButton, redoButton,
    trayButton("Cancel", "", leave), apply, hint);
  offer();
  replay();
  if (how.mask) {
    fetchPicture(how.mask).then(
      (mask) => {
        if (!open) return;
        veil.load(mask);
        replay();
      },
      () => {}, // without its mask the layer can still be painted
    );
  }

  return {
    close() {
      open = false;
      cancelAnimationFrame(asked);
      endOverlay();
    },
    hand: {
      cursor: "none",
      down(point, event) {
        if (event.button !== 0) return false;
        begin(point, event);
        veil.paint(stroke);
        at = point;
        byKeys = false;
        ringed = true;
        viewer.redraw();
        return true;
      },
      move: draw,
      up: commit,
      cancel() {
        stroke = null;
        replay();
      },
      hover(point) {
        ringed = point !== null;
        byKeys = false;
        at = point || at;
        viewer.redraw();
      },
      key: keys,
    },
  };
}

/** Brush sizes in even steps for the eye: each position of the slider is larger by the same share. */
function sizeScale({ width, height }) {
  const longest = Math.max(width, height);
  const most = Math.max(60, longest / 3);
  const at = (position) => Math.round(SIZE_LEAST * (most / SIZE_LEAST) ** (position / 100));
  const start = Math.round((100 * Math.log(Math.max(8, longest / 30) / SIZE_LEAST)) / Math.log(most / SIZE_LEAST));
  return { at, start };
}
