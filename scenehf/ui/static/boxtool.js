// The tool that draws a box: by dragging, or by keys alone.

const DRAG_LEAST = 6; // px on the screen below which a drag was a slip

function boxTool(viewer, tray, photo, step, { finish, leave }) {
  const node = make("div", "shf-draft");
  const { node: nameRow, input } = nameField();
  const hint = toolHint("Drag a box around the object.", "Enter places one that the arrow keys move; with Alt they resize it.");
  const use = trayButton(step ? "Use box" : "Add layer", "shf-primary", done);
  const cancel = trayButton("Cancel", "", leave);
  let mark = null;
  let from = null; // where the drag under way began

  function ready() {
    nameRow.hidden = Boolean(step) || !mark;
    use.hidden = !mark;
    hint.hidden = Boolean(mark && !step);
  }

  function show(box) {
    if (!mark) {
      mark = boxMark(viewer, () => {});
      node.append(mark.node);
    }
    mark.show({ box, photo, selected: true, editable: !from, draft: true });
  }

  function drop() {
    if (mark) mark.remove();
    mark = from = null;
    ready();
  }

  function done() {
    if (!mark || from) return;
    const box = boxInShares(mark.box, photo);
    finish(step ? { box } : { name: input.value.trim() || input.placeholder, box });
  }

  /** By mouse another box of a step is taken as soon as it is drawn; a new step is to be named first. */
  function drawn(box) {
    show(box);
    ready();
    if (step) done();
    else input.focus({ preventScroll: true });
  }

  function centred() {
    const [x, y] = [Math.round(photo.width / 4), Math.round(photo.height / 4)];
    show([x, y, photo.width - x, photo.height - y]);
    ready();
    mark.node.focus({ preventScroll: true });
  }

  function keys(event) {
    if (event.key === "Escape") {
      used(event);
      leave();
    } else if (event.key === "Enter" && event.target.tagName !== "BUTTON") {
      used(event);
      if (mark) done();
      else centred();
    } else return false;
    return true;
  }

  openTray(tray, step ? `Another box for ${step.name}` : "A layer by a box", keys, hint, nameRow, use, cancel);
  ready();
  return {
    node,
    place: () => mark && mark.place(),
    close() {},
    hand: {
      cursor: "crosshair",
      down(point, event) {
        if (event.button !== 0) return false;
        drop();
        from = point;
        return true;
      },
      move(point) {
        const box = boxBetween(from, point, photo);
        if (box[2] > box[0] && box[3] > box[1]) show(box);
      },
      up(point) {
        const box = boxBetween(from, point, photo);
        const slip = Math.max(Math.abs(point.x - from.x), Math.abs(point.y - from.y)) * viewer.scale < DRAG_LEAST;
        from = null;
        if (slip || !isBox(box, photo)) drop();
        else drawn(box);
      },
      cancel: drop,
      key: keys,
    },
  };
}
