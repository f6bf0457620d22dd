// Clicks over the picture: green ones with a plus keep, red ones with a minus drop.

const CLICK_SLIP = 6; // px a pointer may slip and still click

/** Points as buttons. onMoved(points): [[x, y, 1 keep | 0 drop], ...] in px, after one was dragged or deleted. */
function pointMarks(viewer, onMoved) {
  const node = make("div", "shf-points");
  let photo = null;
  let points = [];
  let held = null; // {id, index, at, point}
  let timer = 0;
  let moved = false;

  function place() {
    points.forEach(([x, y], index) => {
      const at = viewer.toStage(x, y);
      node.children[index].style.transform = `translate(${at.x}px, ${at.y}px)`;
    });
  }

  function put(index, x, y) {
    points[index] = [within(x, 0, photo.width), within(y, 0, photo.height), points[index][2]];
    moved = true;
    place();
  }

  function rest() {
    clearTimeout(timer);
    if (!moved) return;
    moved = false;
    onMoved(points.map((point) => [...point]));
  }

  function take(index, event) {
    if (event.button !== 0 || held) return;
    used(event);
    const dot = node.children[index];
    dot.focus({ preventScroll: true });
    dot.setPointerCapture(event.pointerId);
    held = { id: event.pointerId, index, at: viewer.toPhoto(event), point: points[index] };
  }

  function drag(event) {
    if (!held || event.pointerId !== held.id) return;
    event.stopPropagation();
    const to = viewer.toPhoto(event);
    put(held.index, held.point[0] + Math.round(to.x - held.at.x), held.point[1] + Math.round(to.y - held.at.y));
  }

  function drop() {
    held = null;
    rest();
  }

  function keys(index, event) {
    const step = arrowStep(event);
    if (step) {
      used(event);
      put(index, points[index][0] + step[0], points[index][1] + step[1]);
      clearTimeout(timer);
      timer = setTimeout(rest, KEYS_REST);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      used(event);
      points.splice(index, 1);
      moved = true;
      rest();
    }
  }

  function dotOf([, , keep], index, editable) {
    const dot = make(editable ? "button" : "i", "shf-point");
    dot.dataset.keep = keep;
    if (!editable) return dot;
    dot.type = "button";
    dot.setAttribute("aria-label", `${keep ? "Keep" : "Drop"} point ${index + 1}. Arrow keys move it, Delete removes it`);
    dot.addEventListener("pointerdown", (event) => take(index, event));
    dot.addEventListener("pointermove", drag);
    for (const kind of ["pointerup", "pointercancel", "lostpointercapture"]) dot.addEventListener(kind, drop);
    dot.addEventListener("keydown", (event) => keys(index, event));
    dot.addEventListener("blur", rest);
    return dot;
  }

  return {
    node,
    place,
    get held() {
      return Boolean(held || moved);
    },
    show(next, size, editable) {
      const focused = [...node.children].indexOf(document.activeElement);
      photo = size;
      points = next.map((point) => [...point]);
      node.replaceChildren(...points.map((point, index) => dotOf(point, index, editable)));
      if (focused >= 0 && points.length && editable) node.children[Math.min(focused, points.length - 1)].focus({ preventScroll: true });
      place();
    },
    remove() {
      clearTimeout(timer);
      moved = false;
      node.remove();
    },
  };
}
