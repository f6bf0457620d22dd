// The buttons over a picture.

const GROUND_WORDS = { checks: "checks", black: "black", white: "white" };

/** Buttons of the zoom, and those that belong to one view: how two are compared, tilt, what lies under a layer. */
function zoomGroup(viewer, group, { onMode, onTilt, onGround }) {
  let ground = "checks";

  function button(text, label, act) {
    const made = make("button", "", text);
    made.type = "button";
    if (label) made.setAttribute("aria-label", label);
    made.addEventListener("click", () => act(made));
    return made;
  }

  const swatch = button(null, "", () => {
    const names = Object.keys(GROUND_WORDS);
    ground = names[(names.indexOf(ground) + 1) % names.length];
    labelSwatch();
    onGround();
  });
  swatch.className = "shf-ground";
  swatch.append(make("i"));

  function labelSwatch() {
    swatch.dataset.ground = ground;
    swatch.title = `Transparent areas: ${GROUND_WORDS[ground]}`;
    swatch.setAttribute("aria-label", `${swatch.title}. Change`);
  }

  const tilt = button("Tilt", "", () => press(tilt, tilt.getAttribute("aria-pressed") !== "true"));

  function press(node, is) {
    node.setAttribute("aria-pressed", String(is));
    onTilt(is);
  }

  const modes = { wipe: button("Wipe", "", () => setMode("wipe")), split: button("Side by side", "", () => setMode("split")) };

  function setMode(mode) {
    viewer.mode = mode;
    for (const [name, node] of Object.entries(modes)) node.setAttribute("aria-pressed", String(name === mode));
    onMode();
  }

  const percent = button("100 %", "", () => {
    if (Math.abs(viewer.scale * window.devicePixelRatio - 1) < 0.005) viewer.fit();
    else viewer.zoomTo(1 / window.devicePixelRatio);
  });
  percent.className = "shf-percent";
  const fit = button("Fit", "Fit the picture", () => viewer.fit());
  const modeGroup = make("div", "shf-modes", null, modes.wipe, modes.split);
  const steps = make("div", "shf-zooms", null);
  steps.append(button("−", "Zoom out", () => viewer.zoomStep(-1)), percent, button("+", "Zoom in", () => viewer.zoomStep(1)), fit);
  group.replaceChildren(swatch, tilt, modeGroup, steps);

  viewer.onFrame(() => {
    const figure = 100 * viewer.scale * window.devicePixelRatio;
    setText(percent, `${figure < 10 ? figure.toFixed(1) : Math.round(figure)} %`);
    percent.setAttribute("aria-label", `Zoom ${percent.textContent}. Switch between single pixels and the whole picture`);
    fit.setAttribute("aria-pressed", String(viewer.fitted()));
  });
  labelSwatch();
  tilt.setAttribute("aria-pressed", "false");
  for (const [name, node] of Object.entries(modes)) node.setAttribute("aria-pressed", String(name === "wipe"));

  return {
    get ground() {
      return ground;
    },
    offer(which) {
      modeGroup.hidden = !which.mode;
      tilt.hidden = !which.tilt;
      swatch.hidden = !which.ground;
    },
  };
}
