// The large picture: the photo with its boxes, what a step made of it, its mask, or the scene that tilts.

function stageScreen() {
  const stage = find(".shf-stage");
  const figure = find("figure", stage);
  const photo = find(".shf-photo");
  const boxes = find(".shf-boxes");
  const sheet = find(".shf-sheet");
  const picture = find("img", sheet);
  const caption = find(".shf-caption");
  const buttons = [...element.querySelectorAll(".shf-views button")];
  let view = null;
  let selected = null;
  let live = null;
  let wanted = null; // what a person asked to see; null: whatever fits the moment
  let frame = null;

  const card = () => (view ? view.steps.find((step) => step.key === selected) : null);

  /** Which views there are now, each with what it shows. */
  function available() {
    const step = card();
    const views = { photo: { caption: view.scene } };
    if (live && view.phase === "running") views.live = { url: live, caption: "What is being worked on" };
    if (step && step.layer) views.layer = { ...step.layer, caption: step.name };
    else if (step && step.whole) views.layer = { url: step.whole, caption: step.name };
    if (step && step.mask) views.mask = { url: step.mask, caption: `Mask of ${step.name}: white is kept` };
    if (view.depth) views.depth = { page: view.depth, caption: "Move the pointer over the picture to tilt it" };
    return views;
  }

  function pick(views) {
    if (wanted && views[wanted]) return wanted;
    if (views.live) return "live";
    if (view.phase === "succeeded" && views.depth) return "depth";
    if (view.phase === "review" && views.layer) return "layer";
    return "photo";
  }

  function draw() {
    if (!view) return;
    const views = available();
    const name = pick(views);
    const shown = views[name];
    for (const button of buttons) {
      button.hidden = !views[button.dataset.view];
      button.setAttribute("aria-pressed", String(button.dataset.view === name));
    }
    stage.dataset.view = name;
    figure.style.aspectRatio = `${view.photo.width} / ${view.photo.height}`;
    figure.style.setProperty("--ratio", view.photo.width / view.photo.height);
    setPicture(photo, view.photo.url);
    boxes.hidden = name !== "photo";
    sheet.hidden = !shown.url;
    if (shown.url) place(shown);
    drawFrame(shown.page);
    setText(caption, shown.caption || "");
  }

  function place(shown) {
    setPicture(picture, shown.url);
    const { width, height } = view.photo;
    const part = shown.x !== undefined;
    picture.classList.toggle("is-placed", part);
    picture.style.left = part ? `${(100 * shown.x) / width}%` : "";
    picture.style.top = part ? `${(100 * shown.y) / height}%` : "";
    picture.style.width = part ? `${(100 * shown.width) / width}%` : "";
    picture.style.height = part ? `${(100 * shown.height) / height}%` : "";
    picture.alt = shown.caption;
  }

  function drawFrame(page) {
    if (frame && frame.dataset.page !== page) {
      frame.remove();
      frame = null;
    }
    if (page && !frame) {
      frame = make("iframe");
      frame.title = "The scene in depth";
      frame.setAttribute("sandbox", "allow-scripts");
      frame.dataset.page = page;
      frame.src = page;
      figure.append(frame);
    }
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
      drawFrame(undefined);
    },
  };
}
