// What is looked at: the first picture, the work as it goes on, a result, or both compared. And the brush for its mask.

const MASKING = {
  title: "Paint the mask",
  kinds: [["keep", "Paint"], ["erase", "Erase"]],
  keys: { p: "keep", e: "erase" },
  apply: "Done",
  hint: [
    "What is green may change, all else stays as it is.",
    "P paints, E erases; [ and ] change the size; arrow keys move the brush, Space paints.",
  ],
  outline: false,
  mask: null,
  blank: true,
};

/** onMask({file, strokes} or null): the mask was painted. */
function editStage({ onMask }) {
  const shown = find(".shf-shown");
  const stage = find(".shf-stage");
  const tray = find(".shf-tray");
  const caption = find(".shf-caption");
  const buttons = [...find(".shf-views").querySelectorAll("button")];
  const viewer = pictureViewer(stage, find("canvas", stage));
  const zoom = zoomGroup(viewer, find(".shf-zoom"), { onMode: draw, onTilt: () => {}, onGround: draw });
  let input = null;
  let result = null;
  let live = null;
  let wanted = null; // what a person asked to see
  let painting = null;
  let veiled = null; // {of, veil}: the mask, as it lies over the input

  const pane = (...sheets) => ({ sheets, checker: true, ground: zoom.ground });
  const whole = (picture, frame = picture) => ({
    x: 0, y: 0, width: frame.width, height: frame.height, url: picture.url, full: picture.full, contain: frame !== picture,
  });

  function available() {
    const found = {};
    if (input) found.input = { panes: [pane(whole(input))], frame: input, caption: `${input.name}, ${input.width} × ${input.height} px` };
    if (live) {
      const frame = input || result || { width: 1024, height: 1024, url: live };
      found.live = { panes: [pane({ ...whole(frame), url: live, full: undefined, contain: true })], frame, caption: "What is being worked on" };
    }
    if (result) found.result = { panes: [pane(whole(result))], frame: result, caption: captionOf(result) };
    if (result && input) {
      const same = result.width === input.width && result.height === input.height;
      const panes = [pane(whole(input)), pane(same ? whole(result) : whole(result, input))];
      found.compare = { panes, frame: input, caption: "Left before, right after" };
    }
    return found;
  }

  function captionOf({ width, height, recipe }) {
    const seed = recipe.options.seed;
    return [`${width} × ${height} px`, seed === undefined || seed === null ? "" : `seed ${seed}`].filter(Boolean).join(", ");
  }

  function draw() {
    const found = available();
    const names = Object.keys(found);
    shown.hidden = !names.length;
    if (!names.length) return;
    const usual = ["live", "compare", "result", "input"].find((name) => found[name]);
    const name = painting ? "input" : found[wanted] ? wanted : usual;
    for (const button of buttons) {
      button.hidden = !found[button.dataset.view];
      button.disabled = Boolean(painting);
      button.setAttribute("aria-pressed", String(button.dataset.view === name));
    }
    const { panes, frame, caption: words } = found[name];
    stage.dataset.view = name;
    stage.style.setProperty("--ratio", frame.width / frame.height);
    viewer.base(panes, { url: frame.url, width: frame.width, height: frame.height }, name);
    zoom.offer({ mode: name === "compare", tilt: false, ground: true });
    setText(caption, painting ? "" : words);
  }

  function stop() {
    if (!painting) return;
    painting.close();
    painting = null;
    viewer.use(null);
    closeTray(tray);
    draw();
  }

  function veilFor(strokes, of) {
    if (!of || !strokes.length) return null;
    const veil = veilOf(of);
    veil.reset(0, 0);
    for (const one of strokes) veil.paint(one);
    return { of, veil };
  }

  viewer.overlay((context) => {
    if (!veiled || painting || stage.dataset.view !== "input" || !input || veiled.of.id !== input.id) return;
    context.drawImage(veiled.veil.sheet, 0, 0, input.width, input.height);
  });
  for (const button of buttons) {
    button.addEventListener("click", () => {
      wanted = button.dataset.view;
      draw();
    });
  }

  return {
    /** Nothing is repainted for what is the same. fresh: what is shown is chosen anew. */
    show(next, fresh = false) {
      if ("input" in next) {
        if (painting && (!next.input || !input || next.input.id !== input.id)) stop();
        ({ input } = next);
      }
      if ("result" in next) ({ result } = next);
      if ("live" in next) ({ live } = next);
      if (fresh) wanted = null;
      draw();
    },
    want(name) {
      wanted = name;
      draw();
    },
    /** Paint the mask of the input; strokes: those that are there. */
    paint(strokes) {
      stop();
      const apply = ({ file, strokes: made }) => {
        veiled = veilFor(made, input);
        onMask(file ? { file, strokes: made } : null);
        stop();
      };
      const leave = () => {
        stop();
        stage.focus({ preventScroll: true });
      };
      const of = { width: input.width, height: input.height };
      painting = { close() {} }; // so that the input is shown, with its size, before the brush comes
      draw();
      const session = paintSession(viewer, tray, of, { ...MASKING, strokes }, { onApply: apply, leave });
      painting = session;
      viewer.use(session.hand);
      takeStage();
    },
    /** The mask is gone, or of an earlier job. */
    unveil() {
      veiled = null;
      viewer.redraw();
    },
    stop,
    clear() {
      stop();
      input = result = live = wanted = veiled = null;
      viewer.clear();
      draw();
    },
    get painting() {
      return painting !== null;
    },
  };
}
