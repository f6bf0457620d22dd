// The Edit / Generate tab: a form that says what to make, and one job that is followed. What is true lies in the store.

const BUSY_PHASE = "running";

const KEYS_HELD = { Escape: cancel, ArrowLeft: () => results.turn(-1), ArrowRight: () => results.turn(1) };

let view = null;
let offered = null; // models, templates, limits of spending
let origin = null; // {job, key, input}: the job and the step whose layer is edited, and its place among the pictures
let lookFor = null; // the asset to look at, once its job is here

const jobSection = find(".shf-job");
const startSection = find(".shf-start");
const form = find(".shf-make");
const howMany = find(".shf-how-many input");
const terms = find(".shf-terms");
const cancelButton = find(".shf-cancel");
const runButton = find(".shf-run");
const originButton = find(".shf-origin");
const backButton = find(".shf-back");
const reason = find(".shf-reason");

const followed = followJob(EDIT_TAB, { onOpen: opened, onView: show, onPreview: (url) => view && view.phase === BUSY_PHASE && stage.show({ live: url }) });
const { open, say, act, progress } = followed;
const stage = editStage({ onMask: (mask) => inputs.setMask(mask) });
const models = modelPicker({ onPick: suit, onKept: load, say });
const options = optionFields(find(".shf-option-fields"), { onChange: changed });
const prompt = promptField({ onChange: changed });
const inputs = inputList({ onChange: inputsChanged, onPaint: (_, mask) => stage.paint((mask && mask.strokes) || []) });
const quote = quoteScreen({ asked, inputs, model: () => models.model, spent: () => offered.spent });
const files = editFiles({
  models, options, prompt, inputs, howMany, say,
  setOrigin,
  restored: changed,
  added: () => stage.want("input"),
});
const results = resultList({
  onLook: look,
  on: {
    input: useAsInput,
    reuse: (picture) => files.restore(picture.recipe),
    place: ({ asset }) => putBack(asset),
    pay: (key, made) => act("payment", { key, made }),
  },
});
const gallery = galleryScreen({ onOpen: openMade, say });

// --- the form -------------------------------------------------------------------------------------------------

/** Another model: only its controls are there. */
function suit(model) {
  options.draw(model.controls);
  inputs.suit(model.images, model.mask);
  const tasks = model.group === "Edit" ? ["edit"] : model.group === "Generate" ? ["generate"] : ["edit", "generate"];
  prompt.suit(tasks, model.prompt, offered.templates);
  // Done twice by a model without chance, it would be the same picture twice.
  find(".shf-how-many").hidden = model.local && !options.has("seed");
  terms.hidden = !model.terms;
  find("input", terms).checked = false;
  setText(find("span", terms), `I agree: ${model.terms}`);
  const takes = model.images[1] > 0;
  setText(find(".shf-drop-title"), takes ? "Drop a picture here to edit it" : "What you describe appears here");
  setText(find(".shf-drop-how"), takes ? "Or click to choose one, or paste it." : "Write a prompt, or drop a picture.");
  setText(find(".shf-where"), model.goes ? `${takes ? "It is" : "Your words are"} sent to ${model.goes}.` : stays);
  changed();
}

const stays = find(".shf-where").textContent;

const count = () => (find(".shf-how-many").hidden ? 1 : Math.min(offered.most, Math.max(1, Math.round(howMany.valueAsNumber) || 1)));

function asked() {
  return {
    model: models.model.id,
    prompt: models.model.prompt[1] ? prompt.read() : "",
    options: options.read(),
    count: count(),
    agreed: find("input", terms).checked,
    origin: origin && { job: origin.job, key: origin.key },
  };
}

function inputsChanged() {
  const [first] = inputs.all;
  if (!inputs.mask) stage.unveil();
  stage.show({ input: first || inputOf(view) });
  if (origin && (!first || first.id !== origin.input)) origin = null;
  changed();
}

/** of: {job, key} of the layer that the first picture is, or null. */
function setOrigin(of) {
  const [first] = inputs.all;
  origin = of && first ? { job: of.job, key: of.key, input: first.id } : null;
}

function changed() {
  if (!offered) return;
  startSection.hidden = Boolean(inputs.all.length || followed.job);
  backButton.hidden = !origin || Boolean(view && view.origin);
  quote.soon();
}

async function send() {
  if (stage.painting || !(await quote.agreed())) return;
  quote.sending = true;
  say("");
  try {
    const { mask } = inputs;
    let painted = mask && mask.source;
    if (mask && mask.file) painted = { upload: (await upload(mask.file)).path };
    const given = inputs.all.map(({ source, name }) => ({ ...source, name }));
    const answer = await ask("create", asked(), given, painted || null);
    if (answer.error) return say(answer.error);
    prompt.keep();
    files.tell("");
    open(answer.job);
  } catch {
    say("It could not be sent. Is the app still running? Try again.");
  } finally {
    quote.sending = false;
  }
}

// --- pictures that come from elsewhere --------------------------------------------------------------------------

const inputOf = (of) => (of && of.inputs.length ? { id: `${of.id}/1`, ...asInput(of.inputs[0]) } : null);

function useAsInput(picture) {
  if (!picture) return;
  const name = `${(view && view.title) || "result"}`.slice(0, 80);
  inputs.replace([]);
  files.add({ ...asInput({ ...picture, name }) });
  form.scrollIntoView({ block: "nearest" });
}

/** A picture that another tab sent. */
function receive() {
  if (!offered || !inView()) return;
  const draft = takeDraft();
  if (!draft) return;
  open(null);
  inputs.replace([]);
  files.add({ name: draft.name, width: draft.width, height: draft.height, url: draft.url, full: draft.full, source: { job: draft.job, asset: draft.asset } });
  setOrigin(draft);
  changed();
}

// --- the job --------------------------------------------------------------------------------------------------

/** Another job is followed, or none. */
function opened() {
  view = null;
  jobSection.hidden = true;
  find(".shf-log").hidden = true;
  results.clear();
  stage.show({ result: null, live: null, input: inputs.all[0] || null }, true);
  changed();
}

function show(next) {
  const first = view === null;
  view = next;
  if (offered && view.spent) offered.spent = { ...view.spent, day: offered.spent?.day };
  const busy = view.phase === BUSY_PHASE;
  jobSection.hidden = false;
  find(".shf-log").hidden = false;
  startSection.hidden = true;
  jobSection.dataset.phase = view.phase;
  cancelButton.hidden = !busy;
  const left = view.steps.filter((step) => !step.pictures.length).length;
  const pays = view.steps.some((step) => step.state === "unknown");
  runButton.hidden = busy || !left;
  setText(runButton, pays ? "Look again" : priced(view.steps.length > left ? "Make the rest" : "Try again", view.usd));
  originButton.hidden = !view.origin;
  if (view.origin) setText(originButton, `Back to ${view.origin.title}`);
  progress.show(busy, "Starting…");
  if (!busy) stage.show({ live: null });
  if (first && !inputs.all.length) stage.show({ input: inputOf(view) });
  results.show(view);
  if (lookFor && results.want(lookFor)) lookFor = null;
  const failed = view.steps.filter((step) => step.error).length;
  if (failed && view.phase === "succeeded") setText(reason, `${failed} of ${view.steps.length} could not be made.`);
  if (busy) return;
  gallery.load();
  changed(); // by now it is known better how long it takes
}

function look(picture) {
  const shown = picture ? { ...picture, recipe: picture.recipe } : null;
  // What is compared is what went in, not what the form holds by now.
  stage.show({ result: shown, input: inputOf(view) || inputs.all[0] || null });
}

function openMade(job, asset) {
  lookFor = asset;
  if (job === followed.job) {
    if (results.want(asset)) lookFor = null;
  } else open(job);
  jobSection.scrollIntoView({ block: "nearest" });
}

function cancel() {
  if (cancelButton.hidden || jobSection.hidden) return false;
  act("cancel");
}

/** The layer that was edited gets these colours, in the scene it came from. */
async function putBack(asset) {
  const { job } = view.origin;
  if (await act("put_back", { asset })) backTo(job);
}

function backTo(job) {
  tabNamed("Layers").click();
  window.dispatchEvent(new CustomEvent("scenehf:open", { detail: { tab: "Layers", job } }));
}

async function load() {
  try {
    const answer = await ask("models");
    if (answer.error) return say(answer.error);
    offered = answer;
    howMany.max = offered.most;
    models.fill(offered);
    receive();
  } catch {
    say(SILENT);
  }
}

// --- hands ----------------------------------------------------------------------------------------------------

receiveFiles(find(".shf-tab"), find(".shf-drop input"), files.take);
find(".shf-add-input input").addEventListener("change", (event) => {
  const chosen = [...event.target.files];
  event.target.value = "";
  files.take(chosen, inputs.section);
});
for (const button of element.querySelectorAll(".shf-example")) button.addEventListener("click", () => files.example(button));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    send();
  } else if (event.key === "Enter" && event.target.tagName === "INPUT") event.preventDefault(); // nothing is paid by mistake
});
howMany.addEventListener("input", changed);
find("input", terms).addEventListener("change", changed);
cancelButton.addEventListener("click", cancel);
runButton.addEventListener("click", () => act("again"));
originButton.addEventListener("click", () => backTo(view.origin.job));
backButton.addEventListener("click", () => backTo(origin.job));
find(".shf-new").addEventListener("click", () => {
  open(null);
  inputs.replace([]);
  prompt.write("");
  files.tell("");
});
document.addEventListener("keydown", function press(event) {
  if (!element.isConnected) return document.removeEventListener("keydown", press);
  const types = event.target.matches("input, textarea, select, summary, button, [contenteditable=true]");
  if (!inView() || types || stage.painting || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target !== document.body && !element.contains(event.target)) return;
  if (KEYS_HELD[event.key] && KEYS_HELD[event.key]() !== false) event.preventDefault();
});
window.addEventListener("scenehf:draft", () => element.isConnected && receive());
new ResizeObserver(() => {
  if (!inView()) return;
  receive();
  gallery.load();
}).observe(find(".shf-make"));
load().then(() => followed.begin());
