// The Layers tab: follows one job and lets a person act on it. What is true lies in the store; the page only shows it.

const POLL_ACTIVE = 250; // ms between two looks while the job runs and is in view
const POLL_IDLE = 1000; // ms while it waits for a person
const POLL_AWAY = 3000; // ms while nobody looks
const POLL_LOST = 5000; // ms at most between two tries to reach the server
const BUSY = ["queued", "running"];
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
let wake = () => {};

const alertBox = find(".shf-alert");
const jobSection = find(".shf-job");
const runButton = find(".shf-run");
const pauseButton = find(".shf-pause");
const cancelButton = find(".shf-cancel");
const reason = find(".shf-reason");

const start = startScreen({ onJob: open, say });
const stage = stageScreen();
const steps = stepsScreen({ onSelect: (key) => select(key, true), onAct: act });
const files = exportScreen({ onExport: (order) => act("export", order) });
const log = logScreen();
const progress = progressScreen();

function say(sentence) {
  alertBox.hidden = !sentence;
  setText(find("span", alertBox), sentence || "");
}

function select(key, look) {
  steps.select(key);
  stage.select(key, look);
}

// --- following ------------------------------------------------------------------------------------------------

/** Show another job; null: the empty start. */
function open(id) {
  if (id === job) return;
  job = id || null;
  seen = 0;
  state = view = null;
  round += 1;
  say("");
  for (const part of [stage, steps, files, log]) part.clear();
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
  setText(find("h2"), view.title);
  badge(find(".shf-title .shf-badge"), view.phase === "planned" ? "planned" : state);
  if (view.error) setText(reason, `${view.error.message} ${view.error.hint}`);
  const decision = view.phase === "review" && view.steps.find((step) => OPEN.includes(step.state));
  runButton.hidden = !phase.run || Boolean(decision);
  setText(runButton, phase.run || "Run");
  pauseButton.hidden = !phase.pause;
  cancelButton.hidden = !phase.busy;
  if (view.phase === "planned") setText(reason, "These are the steps. Run them when they look right.");
  if (decision) setText(reason, decides(decision));
  progress.show(Boolean(phase.busy), phase.says);
  if (!view.steps) return; // a job of a kind that has no screen yet: its state and its log are all there is
  setText(find(".shf-scene"), empty(view) || "");
  files.show(view, !phase.busy);
  steps.show(view, !phase.busy);
  stage.show(view);
  follows(first);
}

const decides = (step) =>
  step.state === "failed"
    ? `${step.name} failed. Retry it, or start again with another photo.`
    : `${step.name} did not pass every check. Accept it as it is, or retry it.`;

/** Keep the step in view that matters now: the one that runs, or the one that waits for a person. */
function follows(first) {
  const now = view.steps.find((step) => step.state === "running" || OPEN.includes(step.state));
  if (now) select(now.key, false);
  else if (first && view.steps.length) select(view.steps[0].key, false);
}

function empty(shown) {
  const nothing = shown.phase === "planned" && !shown.steps.some((step) => step.action === "extract");
  return nothing ? "Nothing stood out in this photo. Running it gives the photo as one plate." : "";
}

// --- acting ---------------------------------------------------------------------------------------------------

async function act(verb, given = {}) {
  say("");
  try {
    const answer = await ask("act", verb, job, given);
    if (answer.error) say(answer.error);
  } catch {
    say("The app does not answer. Try again in a moment.");
  }
  wake();
}

runButton.addEventListener("click", () => act("run"));
pauseButton.addEventListener("click", () => act("pause"));
cancelButton.addEventListener("click", () => act("cancel"));
find(".shf-new").addEventListener("click", () => open(null));
find(".shf-alert button").addEventListener("click", () => say(""));

document.addEventListener("visibilitychange", () => wake());
window.addEventListener("scenehf:open", (event) => {
  if (element.isConnected) open(event.detail);
});

watch("value", () => props.value && open(props.value));
open(new URL(location.href).searchParams.get("job") || props.value);
