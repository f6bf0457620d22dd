// The Layers tab: follows one job and lets a person act on it. What is true lies in the store; the page only shows it.

const OPEN = ["needs_review", "failed", "unknown"]; // steps that wait for a person

const PHASES = {
  planning: { busy: true, says: "Reading the photo…" },
  unplanned: { run: "Try again" },
  planned: { run: "Run" },
  running: { busy: true, pause: true, says: "Starting…" },
  review: { run: "Continue" },
  succeeded: {},
  failed: { run: "Run again" },
  cancelled: { run: "Run again" },
};

const KEYS = [
  ["Enter", "run, or go on"],
  ["Esc", "leave a tool, or cancel the run"],
  ["A", "accept the step"],
  ["R", "retry the step"],
  ["E", "refine the step with the brush"],
  ["↑ ↓", "the step before, the step after"],
  ["← →", "the view before, the view after"],
  ["Alt ↑ ↓", "move the layer forward, back"],
  ["B / P", "add a layer by a box / by clicks"],
  ["V", "hide or show the layer in the scene"],
  ["Del", "take the step out of the plan"],
  ["Ctrl Z", "undo"],
  ["+ − 0 1", "on the picture: zoom in, out, fit, single pixels"],
];

let view = null;
let selected = null; // the step that is looked at
let undone = []; // what takes back the acts of this page, the last one last
let shown = null; // the view of the picture
let led = true; // whether the selection goes along with what runs
let waits = null; // the step that last called for attention

const jobSection = find(".shf-job");
const runButton = find(".shf-run");
const pauseButton = find(".shf-pause");
const cancelButton = find(".shf-cancel");
const reason = find(".shf-reason");

const undoButton = find(".shf-revert");

const followed = followJob("Layers", { onOpen: opened, onView: show, onPreview: (url) => stage.preview(url) });
const { open, say, progress } = followed;
const choices = choicesPanel({ say });
const start = startScreen({ onJob: open, say, options: choices.options });
const stage = stageScreen({
  onView(name) {
    shown = name;
    if (brush.active && name !== "photo") brush.close();
    placeTools();
  },
  onMove: (...moved) => steps.moved(...moved),
});
const marks = marksLayer(stage.viewer, find(".shf-marks"), find(".shf-tray"), {
  onAdd: (given) => act("add", given),
  onEdit: (key, hint) => act("edit", { key, ...hint }),
  onDone: placeTools,
});
const brush = brushLayer(stage.viewer, find(".shf-tray"), { onApply: refine, onDone: placeTools });
const steps = stepsScreen({
  onSelect: select,
  onAct: act,
  onTool: tool,
  onLook(looks) {
    stage.look(looks);
    stage.want("scene");
  },
  onCompare(key, a, b) {
    select(key, false);
    stage.attempts(a, b);
    stage.want(b ? "compare" : null);
  },
});
const files = exportScreen({ onExport: (order) => act("export", order) });
const timeline = timelineScreen({ onSelect: (key) => select(key, true) });
const parts = [stage, steps, files, timeline];

function select(key, look) {
  if (key !== selected && brush.active) brush.close();
  selected = key;
  if (look) led = false;
  steps.select(key);
  stage.select(key, look);
  placeTools();
}

const card = () => view && view.steps && view.steps.find((step) => step.key === selected);
const idle = () => Boolean(view) && !(PHASES[view.phase] || {}).busy;

/** Boxes and points lie over the photo; they can be moved while nothing runs. */
function placeTools() {
  if (!view || !view.steps) return;
  marks.visible(shown === "photo" && !brush.active);
  marks.show(view, selected, idle());
}

/** Begin to draw a box or points, for a new step or for one that there is, or to refine one with the brush. */
function tool(name, key) {
  marks.stop();
  brush.close();
  if (key) select(key, false);
  stage.want("photo");
  if (name === "refine") brush.open(card(), view.photo);
  else marks.start(name, key);
  placeTools();
}

// --- showing --------------------------------------------------------------------------------------------------

/** Another job is followed, or none. */
function opened() {
  view = selected = null;
  undone = [];
  led = true;
  marks.stop();
  brush.close();
  for (const part of parts) part.clear();
  start.show(!followed.job);
  if (!followed.job) choices.refresh();
  jobSection.hidden = true;
}

function show(next) {
  const first = view === null;
  view = next;
  jobSection.hidden = false;
  const phase = PHASES[view.phase] || {};
  jobSection.dataset.phase = view.phase || "";
  const decision = view.phase === "review" && view.steps.find((step) => OPEN.includes(step.state));
  const fetches = decision && decision.state === "unknown"; // what is out is looked for; nothing is sent again
  runButton.hidden = !phase.run || Boolean(decision && !fetches);
  setText(runButton, [fetches ? "Look again" : phase.run || "Run", ...cost(view)].join(" · "));
  setText(find(".shf-spent"), choices.spent(view.spent, view.estimate && view.estimate.usd));
  pauseButton.hidden = !phase.pause;
  cancelButton.hidden = !phase.busy;
  if (view.phase === "planned") setText(reason, "These are the steps. Run them when they look right.");
  if (decision) setText(reason, decides(decision));
  progress.show(Boolean(phase.busy), phase.says);
  if (!view.steps) return; // a job of a kind that has no screen yet: its state and its log are all there is
  if (phase.busy) {
    marks.stop();
    brush.close();
  }
  setText(find(".shf-summary"), empty(view) || "");
  files.show(view, !phase.busy);
  steps.show(view, !phase.busy);
  timeline.show(view);
  stage.show(view);
  follows(first);
  undoButton.disabled = !idle() || !undone.length;
  setText(undoButton, priced("Undo", undoCost()));
  placeTools();
}

/** Price and time of what Run would do. */
function cost({ estimate, engine }) {
  if (!estimate) return [];
  const { seconds, usd } = estimate;
  const time = seconds < 90 ? `${Math.max(1, Math.round(seconds))} s` : `${Math.round(seconds / 60)} min`;
  return [priceWords({ usd, billed: engine.billed }), ...(seconds ? [`about ${time}`] : [])];
}

/** The most that the next Undo can cost: an earlier attempt is free, what was built on a later one may not be. */
function undoCost() {
  const [verb, { key }] = undone.at(-1) || ["", {}];
  const step = verb === "choose" && view.steps.find((other) => other.key === key);
  return step ? step.usd_after : 0;
}

function decides({ name, state, payment }) {
  if (payment && payment.lost) return `Nobody knows whether ${payment.service} made ${name}. Look at its list of calls and say on the card what became of it.`;
  if (state === "unknown") return `${name} was taken on, and its result has not been fetched yet. Look again.`;
  if (state === "failed") return `${name} failed. Retry it, or start again with another photo.`;
  return `${name} did not pass every check. Accept it as it is, or retry it.`;
}

/** Keep the step in view that matters now: one that waits for a person, or what runs until a person picks a card. */
function follows(first) {
  const now = view.steps.find((step) => (step.state === "running" && led) || OPEN.includes(step.state));
  const key = now ? now.key : first || !card() ? view.steps[0].key : selected;
  if (key !== waits || !card()) select(key, false);
  waits = key;
}

function empty(shown) {
  const nothing = shown.phase === "planned" && !shown.steps.some((step) => step.action === "extract");
  return nothing ? "Nothing stood out in this photo. Running it gives the photo as one plate." : "";
}

// --- acting ---------------------------------------------------------------------------------------------------

// What is taken back by the plan as it was, and what also by the attempt that was chosen.
const STEP_ACTS = ["retry", "rematte", "refine", "plate_retry", "choose"];
const PLAN_ACTS = ["edit", "add", "remove", "reorder"];

/** False where it was refused or not heard. */
async function act(verb, given = {}) {
  const before = STEP_ACTS.includes(verb) && view.steps.find((step) => step.key === given.key);
  const done = await followed.act(verb, given);
  if (!done) return false;
  if (PLAN_ACTS.includes(verb)) undone.push(["plan", { plan: done.was }]);
  if (before && (before.layer || before.whole)) {
    undone.push(["choose", { key: given.key, attempt: before.attempt, plan: done.was }]);
  }
  return true;
}

async function undo() {
  if (!idle() || !undone.length) return false;
  await followed.act(...undone.pop());
}

async function refine(key, { strokes, feather, grow }) {
  try {
    const sent = strokes && (await upload(strokes));
    return await act("refine", { key, strokes: sent && sent.path, feather, grow });
  } catch {
    say("The strokes could not be sent. Is the app still running? Try again.");
    return false;
  }
}

function run() {
  if (runButton.hidden || jobSection.hidden) return false;
  led = true;
  act("run");
}

/** Go to the step `by` places on. */
function step(by) {
  if (!view || !view.steps || jobSection.hidden) return false;
  const at = view.steps.findIndex((other) => other.key === selected);
  const next = view.steps[Math.max(0, Math.min(view.steps.length - 1, at + by))];
  select(next.key, true);
  steps.focus(next.key);
}

/** Go to the view `by` places on. */
function turn(by) {
  if (jobSection.hidden) return false;
  const views = [...find(".shf-views").querySelectorAll("button:not([hidden])")];
  const at = views.findIndex((button) => button.dataset.view === shown);
  views[Math.max(0, Math.min(views.length - 1, at + by))].click();
}

/** Press a button of the selected card, if it is there. */
function press(name) {
  const button = find(`.shf-card.is-selected .${name}`);
  if (!button || button.hidden || jobSection.hidden) return false;
  button.click();
}

const adds = (name) => () => (find(".shf-add").hidden || jobSection.hidden ? false : tool(name, null));

function escape() {
  if (cancelButton.hidden || jobSection.hidden) return false;
  act("cancel");
}

// A tool that draws has the keys to itself.
keyboard(KEYS, () => marks.active || brush.active, {
  Enter: run,
  Escape: escape,
  a: () => press("shf-accept"),
  r: () => press("shf-retry"),
  e: () => press("shf-refine"),
  v: () => press("shf-eye"),
  b: adds("box"),
  p: adds("points"),
  Delete: () => press("shf-remove"),
  ArrowUp: () => step(-1),
  ArrowDown: () => step(1),
  ArrowLeft: () => turn(-1),
  ArrowRight: () => turn(1),
  "Alt+ArrowUp": () => steps.move(selected, -1),
  "Alt+ArrowDown": () => steps.move(selected, 1),
  "Mod+z": () => (undoButton.disabled ? false : void undo()),
});

runButton.addEventListener("click", run);
pauseButton.addEventListener("click", () => act("pause"));
cancelButton.addEventListener("click", () => act("cancel"));
undoButton.addEventListener("click", undo);
find(".shf-new").addEventListener("click", () => open(null));
followed.begin();
