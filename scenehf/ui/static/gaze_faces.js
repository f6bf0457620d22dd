// The faces of the photo, where it has several: the one that turns is marked, a click on another turns that one.

function facesScreen({ onFace }) {
  const section = find(".shf-faces");
  const crowd = find(".shf-crowd");
  let shown = "";

  function mark({ box, turns }, index, all) {
    const [x0, y0, x1, y1] = box;
    const button = make("button");
    button.type = "button";
    button.setAttribute("aria-pressed", String(turns));
    button.setAttribute("aria-label", `Face ${index + 1} of ${all.length}`);
    button.title = turns ? "This face turns" : "Turn this face";
    Object.assign(button.style, {
      left: `${50 * (x0 + x1)}%`,
      top: `${50 * (y0 + y1)}%`,
      width: `${100 * (x1 - x0)}%`,
      height: `${100 * (y1 - y0)}%`,
    });
    button.addEventListener("click", () => {
      if (!turns) onFace([(x0 + x1) / 2, (y0 + y1) / 2]);
    });
    return button;
  }

  return {
    show(view, idle) {
      section.hidden = view.faces.length < 2;
      setText(find(".shf-count", section), String(view.faces.length));
      setText(find(".shf-hint", section), idle ? "Click the face that is to turn." : "When this is done, another face can be chosen.");
      setPicture(find("img", crowd), section.hidden ? null : view.photo.url);
      const signature = JSON.stringify(view.faces);
      if (signature !== shown) {
        shown = signature;
        const focused = [...crowd.querySelectorAll("button")].indexOf(document.activeElement);
        for (const old of crowd.querySelectorAll("button")) old.remove();
        crowd.append(...view.faces.map(mark));
        if (focused >= 0) crowd.querySelectorAll("button")[focused].focus();
      }
      for (const button of crowd.querySelectorAll("button")) button.disabled = !idle;
    },
    clear() {
      shown = "";
      section.hidden = true;
      for (const old of crowd.querySelectorAll("button")) old.remove();
    },
  };
}
