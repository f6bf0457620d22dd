// The Layers tab: follows one job and lets a person act on it. What is true lies in the store; the page only shows it.

const POLL_ACTIVE = 250; // ms between two looks while the job runs and is in view
const POLL_IDLE = 1000; // ms while it waits for a person
const POLL_AWAY = 3000; // ms while nobody looks
const POLL_LOST = 5000; // ms at most between two tries to reach the server
const BUSY = ["queued", "running"];
const SILENT = "The app does not answer. Try again in a moment.";
const OPEN = ["needs_review", "failed"]; // steps that wait for a person

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

let job = null; // the id that is followed
let seen = 0; // sequence number of the last event shown
let round = 0; // grows with every job opened: an answer for an earlier one is dropped
let state = null;
let view = null;
let selected = null; // the step that is looked at
let undone = []; // what takes back the acts of this page, the last one last
let shown = null; // the view of the picture
let led = true; // whether the selection goes along with what runs
let waits = null; // the step that last called for attention
let wake = () => {};

const alertBox = find(".shf-alert");
const jobSection = find(".shf-job");
const runButton = find(".shf-run");
const pauseButton = find(".shf-pause");
const cancelButton = find(".shf-cancel");
const reason = find(".shf-reason");

const undoButton = find(".shf-revert");
const jobName = find(".shf-job-name");

const start = startScreen({ onJob: open, say });
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
const log = logScreen();
const timeline = timelineScreen({ onSelect: (key) => select(key, true) });
const progress = progressScreen();
const parts = [stage, steps, files, log, timeline];

function say(sentence) {
  alertBox.hidden = !sentence;
  setText(find("span", alertBox), sentence || "");
}

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

// --- following ------------------------------------------------------------------------------------------------

/** Show another job; null: the empty start. */
function open(id) {
  if (id === job) return;
  job = id || null;
  seen = 0;
  state = view = selected = null;
  undone = [];
  led = true;
  round += 1;
  say("");
  marks.stop();
  brush.close();
  for (const part of parts) part.clear();
  progress.show(false);
  setText(reason, "");
  start.show(!job);
  jobSection.hidden = true;
  const address = new URL(location.href);
  if (job) address.searchParams.set("job", job);
  else address.searchParams.delete("job");
  history.replaceState(history.state, "", address);
  trigger("opened", { job });
  if (job) {
    ownJobs.add(job);
    follow(round);
  }
}

async function follow(mine) {
  let failures = 0;
  while (mine === round && element.isConnected) {
    let more = false;
    try {
      const answer = await ask("poll", job, seen);
      if (mine !== round) return;
      if (failures) say("");
      failures = 0;
      more = answer.more;
      take(answer);
      if (answer.state === "unknown") return;
    } catch {
      failures += 1;
      if (failures > 1) say("The app does not answer. Your work is safe; this page goes on when it is back.");
    }
    if (!more) await pause(failures);
  }
}

function pause(failures) {
  const usual = inView() ? (BUSY.includes(state) ? POLL_ACTIVE : POLL_IDLE) : POLL_AWAY;
  const time = failures ? Math.min(POLL_LOST, 500 * 2 ** failures) : usual;
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, time);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}

function take(answer) {
  if (answer.state === "unknown") {
    open(null);
    say("That job is not here any more. It may have been deleted.");
    return;
  }
  seen = answer.next;
  state = answer.state;
  const moves = answer.events.filter((event) => event.from === "job");
  if (moves.length) setText(reason, moves.at(-1).reason === "interrupted" ? "" : moves.at(-1).reason);
  if (answer.view) show(answer.view);
  log.add(answer.events.filter((event) => event.kind === "line"));
  const reports = answer.events.filter((event) => event.kind === "progress");
  if (reports.length && BUSY.includes(state)) progress.report(reports.at(-1));
  const previews = answer.events.filter((event) => event.kind === "preview");
  if (previews.length) stage.preview(previews.at(-1).url);
}

// --- showing --------------------------------------------------------------------------------------------------

function show(next) {
  const first = view === null;
  view = next;
  jobSection.hidden = false;
  const phase = PHASES[view.phase] || {};
  jobSection.dataset.phase = view.phase || "";
  if (document.activeElement !== jobName) jobName.value = view.title;
  find("h2").setAttribute("aria-label", view.title);
  jobName.size = Math.max(6, jobName.value.length);
  badge(find(".shf-title .shf-badge"), view.phase === "planned" ? "planned" : state);
  if (view.error) setText(reason, `${view.error.message} ${view.error.hint}`);
  const decision = view.phase === "review" && view.steps.find((step) => OPEN.includes(step.state));
  runButton.hidden = !phase.run || Boolean(decision);
  setText(runButton, [phase.run || "Run", ...cost(view)].join(" · "));
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
  placeTools();
}

/** Price and time of what Run would do. */
function cost({ estimate }) {
  if (!estimate) return [];
  const { seconds, usd } = estimate;
  const time = seconds < 90 ? `${Math.max(1, Math.round(seconds))} s` : `${Math.round(seconds / 60)} min`;
  return [usd ? `$${usd.toFixed(2)}` : "free", ...(seconds ? [`about ${time}`] : [])];
}

const decides = (step) =>
  step.state === "failed"
    ? `${step.name} failed. Retry it, or start again with another photo.`
    : `${step.name} did not pass every check. Accept it as it is, or retry it.`;

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

// What takes back what changes a step: its present attempt and the plan as it is.
const STEP_ACTS = ["retry", "rematte", "refine", "plate_retry", "choose"];
const PLAN_ACTS = ["edit", "add", "remove", "reorder"];

function inverse(verb, given) {
  if (PLAN_ACTS.includes(verb)) return ["plan", { plan: view.plan }];
  if (!STEP_ACTS.includes(verb)) return null;
  const { attempt, layer, whole } = view.steps.find((step) => step.key === given.key);
  return layer || whole ? ["choose", { key: given.key, attempt, plan: view.plan }] : null;
}

/** False where it was refused or not heard. */
async function act(verb, given = {}) {
  say("");
  const back = inverse(verb, given);
  const answer = await ask("act", verb, job, given).catch(() => ({ error: SILENT }));
  say(answer.error);
  if (!answer.error && back) undone.push(back);
  wake();
  return !answer.error;
}

async function undo() {
  if (!idle() || !undone.length) return false;
  const [verb, given] = undone.pop();
  const answer = await ask("act", verb, job, given).catch(() => ({ error: SILENT }));
  say(answer.error);
  wake();
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
keyboard(() => marks.active || brush.active, {
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
find(".shf-alert button").addEventListener("click", () => say(""));
jobName.addEventListener("change", () => act("rename", { title: jobName.value }));
jobName.addEventListener("keydown", (event) => {
  if (event.key === "Escape") jobName.value = view.title;
  if (event.key === "Escape" || event.key === "Enter") jobName.blur();
});

document.addEventListener("visibilitychange", () => wake());
window.addEventListener("scenehf:open", (event) => {
  if (element.isConnected) open(event.detail);
});

watch("value", () => props.value && open(props.value));
open(new URL(location.href).searchParams.get("job") || props.value);
