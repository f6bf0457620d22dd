// The large picture: the photo with its boxes, what a step made of it, its mask, or the scene that tilts.

function stageScreen() {
  const stage = find(".shf-stage");
  const figure = find("figure", stage);
  const photo = find(".shf-photo");
  const boxes = find(".shf-boxes");
  const sheet = find(".shf-sheet");
  const picture = find("img", sheet);
  const caption = find(".shf-caption");
  const views = find(".shf-views");
  const depth = depthPicture(find(".shf-depth"));
  const buttons = [...views.querySelectorAll("button")];
  let view = null;
  let selected = null;
  let live = null;
  let wanted = null; // what a person asked to see; null: whatever fits the moment

  const card = () => (view ? view.steps.find((step) => step.key === selected) : null);

  /** Which views there are now, each with what it shows. */
  function available() {
    const step = card();
    const found = { photo: { caption: view.scene } };
    if (live && view.phase === "running") found.live = { url: live, caption: "What is being worked on" };
    if (step && step.layer) found.layer = { ...step.layer, caption: step.name };
    else if (step && step.whole) found.layer = { url: step.whole, caption: step.name };
    if (step && step.mask) found.mask = { url: step.mask, caption: `Mask of ${step.name}: white is kept` };
    if (view.depth) found.depth = { scene: view.depth, caption: "Move the pointer over the picture to tilt it." };
    return found;
  }

  function pick(found) {
    if (wanted && found[wanted]) return wanted;
    if (found.live) return "live";
    if (view.phase === "succeeded" && found.depth) return "depth";
    if (view.phase === "review" && found.layer) return "layer";
    return "photo";
  }

  function draw() {
    if (!view) return;
    const found = available();
    const name = pick(found);
    const shown = found[name];
    for (const button of buttons) {
      button.hidden = !found[button.dataset.view];
      button.setAttribute("aria-pressed", String(button.dataset.view === name));
    }
    views.hidden = Object.keys(found).length < 2;
    stage.dataset.view = name;
    figure.style.aspectRatio = `${view.photo.width} / ${view.photo.height}`;
    figure.style.setProperty("--ratio", view.photo.width / view.photo.height);
    setPicture(photo, view.photo.url);
    boxes.hidden = name !== "photo";
    sheet.hidden = !shown.url;
    if (shown.url) place(shown);
    depth.show(shown.scene, view.photo);
    setText(caption, shown.caption || "");
  }

  function place(shown) {
    setPicture(picture, shown.url);
    const part = shown.x !== undefined;
    picture.classList.toggle("is-placed", part);
    if (part) placeOn(picture, shown, view.photo);
    else picture.removeAttribute("style");
    picture.alt = shown.caption;
  }

  function drawBoxes() {
    const steps = view.steps.filter((step) => step.action === "extract" && step.box);
    boxes.replaceChildren(
      ...steps.map((step) => {
        const [x0, y0, x1, y1] = step.box;
        const number = view.steps.filter((other) => other.action === "extract").indexOf(step) + 1;
        const box = make("div", "shf-box", null, make("span", "", `${number} ${step.name}`));
        box.classList.toggle("is-selected", step.key === selected);
        box.classList.toggle("is-low", y0 < 0.06);
        box.style.left = `${100 * x0}%`;
        box.style.top = `${100 * y0}%`;
        box.style.width = `${100 * (x1 - x0)}%`;
        box.style.height = `${100 * (y1 - y0)}%`;
        return box;
      }),
    );
  }

  for (const button of buttons) {
    button.addEventListener("click", () => {
      wanted = button.dataset.view;
      draw();
    });
  }

  return {
    show(next) {
      if (view && view.phase !== next.phase) wanted = null;
      view = next;
      drawBoxes();
      draw();
    },
    select(key, look) {
      selected = key;
      if (look) wanted = "layer";
      if (!view) return;
      drawBoxes();
      draw();
    },
    preview(url) {
      live = url;
      draw();
    },
    clear() {
      view = live = wanted = selected = null;
      setPicture(photo, null);
      setPicture(picture, null);
      depth.show(undefined);
    },
  };
}
