// One box over the picture. Selected and editable, it is moved and resized by its handles or by keys.

const HANDLE_EDGES = { nw: [0, 1], n: [1], ne: [2, 1], e: [2], se: [2, 3], s: [3], sw: [0, 3], w: [0] };
const MIN_SIDE = 4; // px of the photo
const MIN_AREA = 0.000101; // share of the photo; a plan refuses boxes below 0.0001
const LABEL_ROOM = 22; // px above a box that its label takes
const KEYS_REST = 500; // ms without a key after which moving by keys counts as one finished gesture

/** The box [x0, y0, x1, y1] (px) of two corners, inside a photo of this size. */
function boxBetween(from, to, photo) {
  const xs = [from.x, to.x].map((x) => within(Math.round(x), 0, photo.width)).sort((a, b) => a - b);
  const ys = [from.y, to.y].map((y) => within(Math.round(y), 0, photo.height)).sort((a, b) => a - b);
  return [xs[0], ys[0], xs[1], ys[1]];
}

const isBox = ([x0, y0, x1, y1], photo) =>
  Math.min(x1 - x0, y1 - y0) >= MIN_SIDE && (x1 - x0) * (y1 - y0) >= MIN_AREA * photo.width * photo.height;

function movedBox([x0, y0, x1, y1], dx, dy, photo) {
  const x = within(dx, -x0, photo.width - x1);
  const y = within(dy, -y0, photo.height - y1);
  return [x0 + x, y0 + y, x1 + x, y1 + y];
}

/** The box with these edges (0 left, 1 top, 2 right, 3 bottom) moved, never smaller than a box may be. */
function resizedBox(box, edges, dx, dy, photo) {
  const next = [...box];
  for (const edge of edges) {
    const across = edge % 2;
    const side = across ? photo.height : photo.width;
    const other = across ? next[2] - next[0] : next[3] - next[1];
    const least = Math.max(MIN_SIDE, (MIN_AREA * photo.width * photo.height) / other);
    const value = box[edge] + (across ? dy : dx);
    next[edge] = edge < 2 ? within(value, 0, next[edge + 2] - least) : within(value, next[edge - 2] + least, side);
  }
  return next;
}

/** onMoved(box): a gesture has ended with another box (px of the photo). */
function boxMark(viewer, onMoved) {
  const label = make("span", "shf-box-name");
  const measure = make("span", "shf-box-size");
  const handles = Object.keys(HANDLE_EDGES).map((place) => {
    const handle = make("i", "shf-handle");
    handle.dataset.place = place;
    return handle;
  });
  const node = make("div", "shf-box", null, label, measure, ...handles);
  let photo = null;
  let box = null;
  let name = "";
  let editable = false;
  let grip = null; // the pointer gesture under way
  let before = null; // the box before a gesture by keys
  let timer = 0;

  function place() {
    if (!box) return;
    const from = viewer.toStage(box[0], box[1]);
    const to = viewer.toStage(box[2], box[3]);
    node.style.transform = `translate(${from.x}px, ${from.y}px)`;
    node.style.width = `${to.x - from.x}px`;
    node.style.height = `${to.y - from.y}px`;
    node.classList.toggle("is-low", from.y < LABEL_ROOM);
    node.classList.toggle("is-narrow", to.x - from.x < 48);
    node.classList.toggle("is-flat", to.y - from.y < 48);
  }

  function put(next) {
    box = next;
    const words = `${Math.round(box[2] - box[0])} × ${Math.round(box[3] - box[1])} px`;
    setText(measure, words);
    if (editable) node.setAttribute("aria-label", `Box of ${name}, ${words}. Arrow keys move it, with Alt they resize it`);
    place();
  }

  function report(from) {
    if (from && from.some((edge, index) => edge !== box[index])) onMoved(box);
  }

  function rest() {
    clearTimeout(timer);
    const from = before;
    before = null;
    report(from);
  }

  function drop() {
    if (!grip) return;
    const { from } = grip;
    grip = null;
    node.classList.remove("is-held");
    report(from);
  }

  node.addEventListener("pointerdown", (event) => {
    if (!editable || grip || event.button !== 0) return;
    used(event);
    rest();
    node.focus({ preventScroll: true });
    node.setPointerCapture(event.pointerId);
    grip = { id: event.pointerId, at: viewer.toPhoto(event), from: box, edges: HANDLE_EDGES[event.target.dataset.place] };
    node.classList.add("is-held");
  });
  node.addEventListener("pointermove", (event) => {
    if (!grip || event.pointerId !== grip.id) return;
    event.stopPropagation();
    const to = viewer.toPhoto(event);
    const [dx, dy] = [Math.round(to.x - grip.at.x), Math.round(to.y - grip.at.y)];
    put(grip.edges ? resizedBox(grip.from, grip.edges, dx, dy, photo) : movedBox(grip.from, dx, dy, photo));
  });
  for (const kind of ["pointerup", "pointercancel", "lostpointercapture"]) node.addEventListener(kind, drop);
  node.addEventListener("blur", rest);
  node.addEventListener("keydown", (event) => {
    const step = editable && arrowStep(event);
    if (!step) return;
    used(event);
    before = before || box;
    put(event.altKey ? resizedBox(box, [2, 3], ...step, photo) : movedBox(box, ...step, photo));
    clearTimeout(timer);
    timer = setTimeout(rest, KEYS_REST);
  });

  return {
    node,
    place,
    get box() {
      return box;
    },
    get held() {
      return Boolean(grip || before);
    },
    /** look: {box (px), photo, number, name, selected, editable, draft} */
    show(look) {
      photo = look.photo;
      name = look.name || "the new layer";
      editable = look.editable;
      setText(label, [look.number, look.name].filter(Boolean).join(" "));
      label.hidden = !label.textContent;
      node.classList.toggle("is-selected", look.selected);
      node.classList.toggle("is-editable", editable);
      node.classList.toggle("is-draft", Boolean(look.draft));
      if (editable) {
        node.tabIndex = 0;
        node.setAttribute("role", "group");
      } else {
        for (const attribute of ["tabindex", "role", "aria-label"]) node.removeAttribute(attribute);
      }
      put(look.box);
    },
    remove() {
      clearTimeout(timer);
      before = grip = null;
      node.remove();
    },
  };
}
