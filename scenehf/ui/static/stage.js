// What the picture shows: the photo, what runs now, a step's layer or alpha, two of them compared, or the whole scene.

/** onView(name): another view is shown. onMove(key, dx, dy): a person moved a layer of the scene, px of the photo. */
function stageScreen({ onView = () => {}, onMove = () => {} } = {}) {
  const stage = find(".shf-stage");
  const views = find(".shf-views");
  const caption = find(".shf-caption");
  const buttons = [...views.querySelectorAll("button")];
  const viewer = pictureViewer(stage, find("canvas", stage));
  const scene = sceneView(viewer, stage, { onMove, onChange: draw });
  const zoom = zoomGroup(viewer, find(".shf-zoom"), {
    onMode: draw,
    onTilt(is) {
      scene.tilting = is;
      if (is) stage.focus({ preventScroll: true }); // so that the arrow keys tilt it
      draw();
    },
    onGround: draw,
  });
  let view = null;
  let selected = null;
  let live = null;
  let wanted = null; // what a person asked to see; null: whatever fits the moment
  let pair = null; // two attempts of the selected step that are compared
  let shown = "";

  const card = () => view.steps.find((step) => step.key === selected);
  const whole = (picture) => ({ x: 0, y: 0, width: view.photo.width, height: view.photo.height, ...picture });
  const pane = (...sheets) => ({ sheets, checker: true, ground: zoom.ground });

  /** What a step or an attempt of it came to, as a pane; null: it has no picture. */
  function made(step) {
    if (step && step.layer) return pane(step.layer);
    return step && step.whole ? pane(whole(step.whole)) : null;
  }

  /** Which views there are now, each with what it shows: {panes, caption}. */
  function available() {
    const { photo, phase } = view;
    const step = card();
    const original = pane(whole({ url: photo.url, full: photo.full }));
    const found = { photo: { panes: [original], caption: `${photo.width} × ${photo.height} px` } };
    if (live && ["running", "planning"].includes(phase)) {
      found.live = { panes: [pane(whole({ url: live, contain: true }))], caption: "What is being worked on" };
    }
    const result = made(step);
    if (result) found.layer = { panes: [result], caption: placeOf(step) };
    if (step && step.mask) found.alpha = { panes: [pane(whole(step.mask))], caption: `Alpha of ${step.name}: white is kept` };
    const both = pair ? attemptsOf(step) : null;
    if (both) found.compare = { panes: both, caption: `${step.name}: attempt ${pair[0]} left, attempt ${pair[1]} right` };
    else if (result) found.compare = { panes: [original, result], caption: `Left the photo, right ${step.name}` };
    if (view.scene) found.scene = { panes: [pane(...scene.sheetsOf(view.scene, photo))], caption: sceneCaption() };
    return found;
  }

  function attemptsOf(step) {
    const both = pair.map((number) => made(((step && step.attempts) || []).find((one) => one.attempt === number)));
    return both.every(Boolean) ? both : null;
  }

  function placeOf(step) {
    const { layer } = step;
    return layer ? `${step.name}, ${layer.width} × ${layer.height} px at ${layer.x}, ${layer.y}` : step.name;
  }

  const sceneCaption = () =>
    scene.tilting
      ? "Move the pointer over the picture, or press the arrow keys, to tilt it."
      : "Drag a layer to move it, double-click to put it back. Shift and the arrow keys move the selected one.";

  function pick(found) {
    if (wanted && found[wanted]) return wanted;
    if (found.live) return "live";
    if (view.phase === "succeeded" && found.scene) return "scene";
    if (view.phase === "review" && found.layer) return "layer";
    return "photo";
  }

  function draw() {
    if (!view) return;
    const found = available();
    const name = pick(found);
    for (const button of buttons) {
      button.hidden = !found[button.dataset.view];
      button.setAttribute("aria-pressed", String(button.dataset.view === name));
    }
    stage.dataset.view = name;
    stage.style.setProperty("--ratio", view.photo.width / view.photo.height);
    scene.shown(name === "scene");
    viewer.base(found[name].panes, view.photo, name);
    const [first] = found[name].panes;
    const bare = name === "scene" ? first.sheets[0].opacity < 1 : name === "compare" || (name === "layer" && Boolean(card().layer));
    zoom.offer({ mode: name === "compare", tilt: name === "scene", ground: bare });
    if (!buttons[0].disabled) setText(caption, found[name].caption);
    if (name === shown) return;
    shown = name;
    onView(name);
  }

  for (const button of buttons) {
    button.addEventListener("click", () => {
      if (button.dataset.view === "compare") pair = null;
      wanted = button.dataset.view;
      draw();
    });
  }

  // While a tool shows a picture of its own there is no other view to go to.
  viewer.onGuest((is) => {
    for (const button of buttons) button.disabled = is;
    setText(caption, "");
    draw();
  });

  return {
    viewer,
    shown: () => shown,
    /** Go to the view `by` places on among those that there are. */
    turn(by) {
      const there = buttons.filter((button) => !button.hidden && !button.disabled);
      const next = there[there.findIndex((button) => button.dataset.view === shown) + by];
      if (!view || !next) return false;
      next.click();
    },
    show(next) {
      if (view && (view.phase !== next.phase || view.id !== next.id)) wanted = null;
      view = next;
      draw();
    },
    /** look: a person asks to see the step, in the kind of view that is open if that shows steps. */
    select(key, look) {
      if (key !== selected) pair = null;
      selected = key;
      scene.select(key);
      if (look && !["layer", "alpha", "compare"].includes(shown)) wanted = "layer";
      draw();
    },
    /** A picture of the work, of all of the photo or of a part. The one before stays until it is here. */
    preview(url) {
      live = url;
      draw();
    },
    want(name) {
      wanted = name;
      draw();
    },
    /** Compare two attempts of the selected step by number; without numbers: photo and result again. */
    attempts(a, b) {
      pair = a === null || a === undefined ? null : [a, b];
      if (pair) wanted = "compare";
      draw();
    },
    /** map: a Map of a layer's key, or "plate", to {hidden, opacity, dx, dy}. */
    look(map) {
      scene.look(map);
      draw();
    },
    clear() {
      view = live = wanted = selected = pair = null;
      shown = "";
      scene.look();
      scene.select(null);
      scene.shown(false);
      viewer.clear();
      setText(caption, "");
    },
  };
}
