// Where the objects are: boxes and clicks of the extraction steps over the photo, and the tools that make new ones.

const SETTLES = 3000; // ms until a change that the server did not take is no longer shown

const boxInPixels = (box, { width, height }) => [box[0] * width, box[1] * height, box[2] * width, box[3] * height];
const boxInShares = (box, { width, height }) => [box[0] / width, box[1] / height, box[2] / width, box[3] / height];
const pointsInPixels = (points, photo) => points.map(([x, y, keep]) => [x * photo.width, y * photo.height, keep]);
const pointsInShares = (points, photo) => points.map(([x, y, keep]) => [x / photo.width, y / photo.height, keep]);

function marksLayer(viewer, root, tray, { onAdd, onEdit, onDone }) {
  const boxes = new Map(); // key -> mark
  let points = []; // marks of the clicks
  let view = null;
  let selected = null;
  let editable = false;
  let tool = null;
  let sent = null; // {key, hint, old}: a change on its way to the server, shown as if it had arrived

  const extracts = () => (view ? view.steps.filter((step) => step.action === "extract") : []);
  const held = () => [...boxes.values(), ...points].some((mark) => mark.held);

  function change(key, hint) {
    const step = extracts().find((other) => other.key === key);
    const mine = { key, hint, old: JSON.stringify([step.box, step.points]) };
    sent = mine;
    draw();
    setTimeout(() => {
      if (sent !== mine) return;
      sent = null;
      draw();
    }, SETTLES);
    return onEdit(key, hint);
  }

  /** The step as a person has just left it. */
  function latest(step) {
    if (!sent || sent.key !== step.key) return step;
    if (JSON.stringify([step.box, step.points]) === sent.old) return { ...step, ...sent.hint };
    sent = null;
    return step;
  }

  function drawBox(step, number) {
    if (!boxes.has(step.key)) {
      const mark = boxMark(viewer, (box) => change(step.key, { box: boxInShares(box, view.photo) }));
      boxes.set(step.key, mark);
    }
    const mark = boxes.get(step.key);
    const mine = step.key === selected;
    mark.show({
      box: boxInPixels(step.box, view.photo),
      photo: view.photo,
      number,
      name: step.name,
      selected: mine,
      editable: mine && editable && !tool,
    });
    return mark;
  }

  function drawPoints(step, number) {
    const mine = step.key === selected;
    const mark = pointMarks(viewer, (moved) => {
      if (moved.length || step.box) change(step.key, { points: pointsInShares(moved, view.photo) });
      else draw(); // a step needs one hint: its last one stays
    });
    mark.show(pointsInPixels(step.points, view.photo), view.photo, mine && editable && !tool);
    mark.node.classList.toggle("is-selected", mine);
    if (!step.box) mark.node.children[0].append(make("span", "shf-box-name", `${number} ${step.name}`));
    return mark;
  }

  function draw() {
    if (!view || held()) return;
    const focus = document.activeElement;
    const steps = extracts().map(latest);
    const shown = steps.filter((step) => !(tool && step.key === tool.key));
    for (const [key, mark] of boxes) {
      if (shown.some((step) => step.key === key && step.box)) continue;
      mark.remove();
      boxes.delete(key);
    }
    const at = points.findIndex((mark) => mark.node.contains(focus));
    const child = at >= 0 ? [...points[at].node.children].indexOf(focus) : -1;
    for (const mark of points) mark.remove();
    points = [];
    for (const step of shown) {
      const number = steps.indexOf(step) + 1;
      const box = step.box && drawBox(step, number);
      if (box && !box.node.isConnected) root.append(box.node);
      if (step.points && step.points.length) points.push(drawPoints(step, number));
    }
    // The selected one lies on top, so that its handles can be taken.
    const top = boxes.get(selected);
    if (top && root.lastElementChild !== top.node && focus !== top.node) root.append(top.node);
    for (const mark of points) root.append(mark.node);
    if (tool) root.append(tool.node);
    refocus(at, child);
  }

  /** Points are drawn anew, so the one that had the focus gets it back. */
  function refocus(at, child) {
    const dots = at >= 0 && points[at] ? points[at].node.children : [];
    if (dots.length && dots[0].tagName === "BUTTON") dots[Math.min(child, dots.length - 1)].focus({ preventScroll: true });
  }

  function place() {
    for (const mark of boxes.values()) mark.place();
    for (const mark of points) mark.place();
    if (tool) tool.place();
  }

  function stop() {
    if (!tool) return;
    tool.close();
    tool.node.remove();
    tool = null;
    viewer.use(null);
    closeTray(tray);
    root.classList.remove("is-busy");
    draw();
  }

  function leave() {
    stop();
    onDone();
    find(".shf-stage").focus({ preventScroll: true });
  }

  /** Hand over what a tool made. The tool stays in the hand, with its drawing, when it is refused. */
  async function finish(made) {
    const mine = tool;
    const { key } = mine;
    const hint = { ...made };
    delete hint.name;
    const taken = await (key === null ? onAdd(made) : change(key, hint));
    if (taken !== false && tool === mine) leave();
  }

  viewer.onFrame(place);
  return {
    show(next, key, open) {
      view = next;
      selected = key;
      editable = open;
      draw();
    },
    visible(on) {
      root.hidden = !on;
    },
    start(kind, key) {
      stop();
      if (!view) return;
      const step = extracts().find((other) => other.key === key) || null;
      const newTool = kind === "box" ? boxTool : pointsTool;
      tool = newTool(viewer, tray, view.photo, step, { finish, leave });
      tool.key = step ? key : null;
      root.hidden = false;
      root.classList.add("is-busy");
      viewer.use(tool.hand);
      draw();
      takeStage();
    },
    stop,
    get active() {
      return tool !== null;
    },
  };
}
