// The tool that says by clicks what belongs to an object and what does not; a cross that keys move does the same.

const MOST_POINTS = 64; // as in scenehf/layers/plan.py

function pointsTool(viewer, tray, photo, step, { finish, leave }) {
  const stage = find(".shf-stage");
  const cross = make("div", "shf-cross");
  const node = make("div", "shf-draft", null, cross);
  let points = step ? pointsInPixels(step.points || [], photo) : [];
  let at = { x: Math.round(photo.width / 2), y: Math.round(photo.height / 2) };
  let press = null;
  let keeps = true;
  const past = [];

  const marks = pointMarks(viewer, (moved) => put(moved));
  const toggle = choice("What a click says", [["keep", "Keep"], ["drop", "Drop"]], (value) => {
    keeps = value === "keep";
    stage.focus({ preventScroll: true });
  });
  const counts = make("span", "shf-tally");
  counts.setAttribute("role", "status");
  const undo = iconButton("Undo the last point", "undo", back);
  const { node: nameRow, input } = nameField();
  const use = trayButton(step ? "Use points" : "Add layer", "shf-primary", done);
  const hint = toolHint(
    "Click what belongs to the object, and with Drop what does not.",
    "Alt or the right button drops too. Arrow keys move a cross; Enter keeps there, Alt+Enter drops.",
  );

  const isInside = ({ x, y }) => x >= 0 && y >= 0 && x <= photo.width && y <= photo.height;

  function draw() {
    const kept = points.filter(([, , keep]) => keep).length;
    const full = points.length >= MOST_POINTS ? ", no more fit" : "";
    setText(counts, `${kept} keep, ${points.length - kept} drop${full}`);
    undo.disabled = !past.length;
    use.disabled = !kept;
    marks.show(points, photo, true);
    place();
  }

  function put(next) {
    past.push(points);
    points = next;
    draw();
  }

  function add({ x, y }, keep) {
    if (points.length < MOST_POINTS) put([...points, [within(x, 0, photo.width), within(y, 0, photo.height), keep ? 1 : 0]]);
  }

  function back() {
    if (!past.length) return;
    points = past.pop();
    draw();
    if (undo.disabled) stage.focus({ preventScroll: true });
  }

  function done() {
    if (use.disabled) return;
    const given = pointsInShares(points, photo);
    finish(step ? { points: given } : { name: input.value.trim() || input.placeholder, points: given });
  }

  function place() {
    marks.place();
    const on = viewer.toStage(at.x, at.y);
    cross.style.transform = `translate(${on.x}px, ${on.y}px)`;
  }

  function keys(event) {
    if (event.key === "Escape") {
      used(event);
      leave();
      return true;
    }
    if (event.target === input) {
      if (event.key !== "Enter") return false;
      used(event);
      done();
      return true;
    }
    if (historyKey(event) === "undo") {
      used(event);
      back();
      return true;
    }
    return event.target.tagName !== "BUTTON" && cursorKeys(event);
  }

  function cursorKeys(event) {
    const way = arrowStep(event);
    if (!way && event.key !== "Enter") return false;
    used(event);
    node.classList.add("by-keys");
    if (way) at = { x: within(at.x + way[0], 0, photo.width), y: within(at.y + way[1], 0, photo.height) };
    else add(at, !event.altKey);
    place();
    return true;
  }

  /** The right button drops. While a pointer is down, the menu comes of a long touch, or of a click with Ctrl. */
  function rightClick(event) {
    event.preventDefault();
    const point = viewer.toPhoto(event);
    if (event.button === 2 && !press && isInside(point)) add(point, false);
  }

  stage.addEventListener("contextmenu", rightClick);
  node.append(marks.node);
  openTray(tray, step ? `Other points for ${step.name}` : "A layer by clicks", keys, toggle.node, counts, undo, nameRow, use,
    trayButton("Cancel", "", leave), hint);
  nameRow.hidden = Boolean(step);
  draw();
  return {
    node,
    place,
    close() {
      stage.removeEventListener("contextmenu", rightClick);
      marks.remove();
    },
    hand: {
      cursor: "crosshair",
      down(point, event) {
        if (!isInside(point) || event.button !== 0) return false;
        press = { point, drop: event.altKey || event.ctrlKey || !keeps };
        return true;
      },
      move() {},
      up(point) {
        const slip = Math.hypot(point.x - press.point.x, point.y - press.point.y) * viewer.scale;
        node.classList.remove("by-keys");
        at = { x: Math.round(press.point.x), y: Math.round(press.point.y) };
        if (slip < CLICK_SLIP) add(press.point, !press.drop);
        press = null;
      },
      cancel() {
        press = null;
      },
      key: keys,
    },
  };
}
