// The Gaze tab: follows one grid and lets a person act on it. What is true lies in the store; the page only shows it.

const PHASES = {
  running: { busy: true, says: "Starting…" },
  succeeded: {},
  failed: { run: true },
  cancelled: { run: true },
  review: { run: true },
  faceless: {},
};

const KEYS = [
  ["Enter", "run again, where it stopped"],
  ["Esc", "cancel the run"],
];

let view = null;

const jobSection = find(".shf-job");
const runButton = find(".shf-run");
const cancelButton = find(".shf-cancel");
const reason = find(".shf-reason");
const again = find(".shf-again");

const where = find(".shf-where");
const stays = where.textContent;
const wanted = optionsForm(find(".shf-start .shf-options"), (sees) => setText(where, sees ? `It is sent to ${sees}.` : stays));
const other = optionsForm(find(".shf-again .shf-options"));
const site = siteScreen();
const faces = facesScreen({ onFace: (face) => makeAgain({ face }) });
const followed = followJob("Gaze", { onOpen: opened, onView: show, onPreview: site.preview });
const { open, say, act, progress } = followed;
const start = startScreen({ onJob: open, say, options: () => [wanted.read()] });

/** Another job is followed, or none. */
function opened() {
  view = null;
  site.clear();
  faces.clear();
  find("details", again).open = false;
  start.show(!followed.job);
  jobSection.hidden = true;
}

function show(next) {
  const first = view === null;
  view = next;
  const phase = PHASES[view.phase];
  jobSection.hidden = false;
  jobSection.dataset.phase = view.phase;
  runButton.hidden = !phase.run;
  const isFirst = view.phase === "review" && !view.drawn;
  setText(runButton, (isFirst ? "Run" : "Run again") + (view.usd ? ` · up to $${view.usd.toFixed(2)}` : ""));
  cancelButton.hidden = !phase.busy;
  again.hidden = Boolean(phase.busy) || view.phase === "faceless";
  if (first) other.write(view.options);
  const said = explained(view);
  if (said !== null) setText(reason, said);
  progress.show(Boolean(phase.busy), phase.says);
  site.show(view);
  faces.show(view, !phase.busy);
}

/** A sentence about how the grid stands, or null where its last move says enough. */
function explained({ phase, problem, drawn, cells }) {
  if (problem && (phase === "faceless" || phase === "review")) return `${problem.message} ${problem.hint}`.trim();
  if (phase === "cancelled" && drawn) return `${drawn} of ${cells} cells are drawn. Run again goes on from there.`;
  return null;
}

/** Run again, with what is changed. */
async function makeAgain(changes = {}) {
  if (Object.keys(changes).length) site.forget();
  return act("again", changes);
}

function run() {
  if (runButton.hidden || jobSection.hidden) return false;
  makeAgain();
}

function cancel() {
  if (cancelButton.hidden || jobSection.hidden) return false;
  act("cancel");
}

keyboard(KEYS, () => false, { Enter: run, Escape: cancel });

runButton.addEventListener("click", run);
cancelButton.addEventListener("click", cancel);
find(".shf-new").addEventListener("click", () => open(null));
again.addEventListener("submit", (event) => {
  event.preventDefault();
  makeAgain(other.read());
});
followed.begin();
