// The History tab: every job of every kind, kept fresh while the tab is open.

const LOOK = 2000; // ms between two looks while the tab is in view
const COUNT = 5; // looks from one count of everything to the next
const PAGE = 100; // rows asked for at once; more when somebody jumps far ahead
const MOST = 1000; // rows in one answer
const TYPING = 150; // ms without a key before a search
const SECOND_CLICK = 250; // ms in which a click on a title can become a double-click

const AWAY = "The app does not answer. Try again in a moment.";
const FILTERS = ["queued", "running", "needs_review", "succeeded", "failed", "cancelled"];

let items = []; // the jobs as the server told them, newest first, without a gap; those in the bin are left out
let total = 0; // how many match, as far as the server knows
let complete = false; // items holds them all
let round = 0; // grows with every other search: an answer for an earlier one is dropped
let touched = 0; // grows with every change from here: a look that began before it is dropped
let loading = false;
let facts = null;
let newer = 0; // jobs that came while somebody looks further down
let opening = 0; // timer of a click that may become a double-click
let wake = () => {};

const alertBox = find(".shf-alert");
const search = find(".shf-search");
const byState = find(".shf-by-state");
const byKind = find(".shf-by-kind");
const scroller = find(".shf-jobs");
const spacer = find(".shf-jobs-all");
const none = find(".shf-none");
const newerButton = find(".shf-newer");

const bin = wasteBin(find(".shf-undo"), { onUndo: restored, onDone: settled });
const clean = cleanScreen({ onCleaned: () => reload().then(count, () => say(AWAY)) });
const list = windowList(scroller, spacer, {
  jobs: () => items,
  length: () => (complete ? items.length : Math.max(items.length, total - bin.size)),
  onNeed: load,
  onDraw: drawn,
});

function say(sentence) {
  alertBox.hidden = !sentence;
  setText(find("span", alertBox), sentence || "");
}

const wanted = () => ({ state: byState.value, kind: byKind.value, search: search.value.trim() });
const narrowed = () => Object.values(wanted()).some(Boolean);

// --- asking ---------------------------------------------------------------------------------------------------

async function told(name, ...given) {
  const answer = await ask(name, ...given);
  if (answer.error) throw new Error(answer.error);
  return answer;
}

/** The next page, or as many rows as are missing up to `end`. */
async function load(end) {
  if (loading || complete) return;
  loading = true;
  const mine = round;
  const limit = Math.min(MOST, Math.max(PAGE, end - items.length + PAGE));
  try {
    const last = items.length ? items.at(-1).id : null;
    const answer = await told("jobs", wanted(), last, limit);
    if (mine === round) {
      items = items.concat(answer.jobs.filter((job) => !bin.has(job.id)));
      total = answer.total;
      complete = answer.jobs.length < limit;
    }
  } catch {
    return; // the next look says so
  } finally {
    loading = false;
  }
  list.draw();
}

/** The first page of what is searched for now. */
async function reload() {
  const mine = ++round;
  const answer = await told("jobs", wanted(), null, PAGE);
  if (mine !== round) return;
  items = answer.jobs.filter((job) => !bin.has(job.id));
  total = answer.total;
  complete = answer.jobs.length < PAGE;
  scroller.hidden = false;
  scroller.scrollTop = 0;
  list.settle();
}

/** Ask again for the rows in view, and for what is new above them. */
async function look() {
  const { first, end } = list.span();
  if (!items.length) return reload();
  if (first >= items.length) return load(end); // somebody jumped far ahead
  const mine = [round, touched];
  const last = Math.min(end, items.length) - 1;
  const toTheEnd = complete && last === items.length - 1;
  const ranges = [[first ? items[first - 1].id : null, toTheEnd ? "" : items[last].id]];
  if (first) ranges.push([null, items[0].id]);
  const answer = await told("fresh", wanted(), ranges);
  if (mine[0] !== round || mine[1] !== touched) return;
  if (answer.parts.some((part) => part.length >= MOST)) return reload();
  const top = items[0].id;
  const focused = list.row(list.active) && list.row(list.active).node.contains(document.activeElement);
  const index = indexOf(items, list.active);
  list.steady(() => {
    ranges.forEach(([above, until], part) => {
      const start = above ? placeOf(items, above) + (indexOf(items, above) >= 0) : 0;
      let stop = until ? placeOf(items, until) + (indexOf(items, until) >= 0) : items.length;
      if (stop < start) stop = start;
      items.splice(start, stop - start, ...answer.parts[part].filter((job) => !bin.has(job.id)));
    });
    total = answer.total;
  });
  if (focused && document.activeElement === document.body) list.focus(index); // its job is gone: the next one
  const came = placeOf(items, top);
  if (scroller.scrollTop > 0) newer += came;
  drawn();
}

async function count() {
  facts = await told("facts");
  const known = [...byKind.options].slice(1).map((option) => option.value);
  if (facts.kinds.join("\n") !== known.join("\n")) {
    const chosen = byKind.value;
    byKind.replaceChildren(option("", "All kinds"), ...facts.kinds.map((kind) => option(kind, kindOf(kind).word)));
    byKind.value = facts.kinds.includes(chosen) ? chosen : "";
    if (byKind.value !== chosen) search.dispatchEvent(new Event("input"));
  }
  byKind.hidden = facts.kinds.length < 2;
  drawn();
}

async function keepLooking() {
  let lost = false;
  for (let turn = 0; element.isConnected; turn += 1) {
    try {
      if (inView()) {
        await look();
        if (turn % COUNT === 0 || !facts) await count();
      }
      if (lost) say("");
      lost = false;
    } catch {
      lost = true;
      say("The app does not answer. This list goes on when it is back.");
    }
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, LOOK);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

// --- showing --------------------------------------------------------------------------------------------------

const option = (value, text) => Object.assign(make("option", "", text), { value });

/** What depends on how many rows there are. */
function drawn() {
  const empty = complete && !items.length;
  scroller.hidden = empty || (!items.length && !total);
  none.hidden = !empty;
  const text = narrowed() ? "Nothing matches." : "No jobs yet. Open a photo in the Layers tab; everything you do is kept here.";
  setText(find("p", none), text);
  find("button", none).hidden = !narrowed();
  if (facts) clean.show(facts, bin.size, narrowed() ? (complete ? items.length : total - bin.size) : null);
  if (scroller.scrollTop < ROW) newer = 0;
  newerButton.hidden = newer === 0;
  setText(newerButton, newer === 1 ? "1 new job" : `${newer} new jobs`);
}

function clearSearch() {
  search.value = byState.value = byKind.value = "";
  again();
  search.focus();
}

function again() {
  touched += 1;
  reload().catch(() => say(AWAY));
}

let typing = 0;
search.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(again, TYPING);
});
for (const select of [byState, byKind]) select.addEventListener("change", again);
byState.append(option("", "All states"), ...FILTERS.map((state) => option(state, STATE_WORDS[state])));
byKind.append(option("", "All kinds"));
find("button", none).addEventListener("click", clearSearch);
newerButton.addEventListener("click", () => {
  scroller.scrollTop = 0;
  list.focus(0);
});

// --- acting ---------------------------------------------------------------------------------------------------

function open(job) {
  const tab = tabOf(job.kind);
  window.dispatchEvent(new CustomEvent("scenehf:open", { detail: { job: job.id, tab } }));
  tabNamed(tab).click();
}

async function duplicate(row) {
  say("");
  const job = row.job;
  row.acts.duplicate.disabled = true;
  try {
    const answer = await ask("duplicate", job.id);
    if (answer.error) say(answer.error);
    else open({ id: answer.job, kind: job.kind });
  } catch {
    say(AWAY);
  }
  row.acts.duplicate.disabled = false;
}

function remove(row) {
  const index = indexOf(items, row.job.id);
  if (index < 0 || row.job.state === "running") return;
  say("");
  touched += 1;
  bin.put(items[index]);
  items.splice(index, 1);
  list.draw();
  if (items.length) list.focus(index);
  else find(".shf-undo button").focus();
}

/** Put jobs back to their places, as far as the list has been loaded. */
function putBack(jobs) {
  touched += 1;
  list.steady(() => {
    for (const job of jobs) {
      const index = placeOf(items, job.id);
      if (indexOf(items, job.id) < 0 && (index < items.length || complete)) items.splice(index, 0, job);
    }
  });
}

function restored(jobs) {
  scroller.hidden = false;
  putBack(jobs);
  list.focus(indexOf(items, jobs.at(-1).id));
}

function settled(kept, sentence) {
  putBack(kept);
  if (sentence) say(sentence);
  count().catch(() => {});
}

async function keepTitle(job, text) {
  say("");
  if (text === job.title) return;
  touched += 1;
  retitle(job.id, text);
  let title = job.title;
  try {
    const answer = await ask("rename", job.id, text);
    if (answer.error) say(answer.error);
    else title = answer.title;
  } catch {
    say(AWAY);
  }
  touched += 1;
  retitle(job.id, title);
}

function retitle(id, title) {
  items = items.map((job) => (job.id === id ? { ...job, title } : job));
  list.draw();
}

const rename = (row) => renameRow(row, { onKeep: keepTitle, onEmpty: () => say("A job needs a name.") });

const ACTS = {
  rename,
  duplicate,
  delete: remove,
  more: (row) => spread(row, row.acts.more.getAttribute("aria-expanded") === "false"),
};

const rowOf = (target) => {
  const node = target.closest(".shf-row");
  return node && list.row(node.dataset.id);
};

spacer.addEventListener("click", (event) => {
  const row = rowOf(event.target);
  if (!row || event.target === row.input) return;
  const button = event.target.closest("[data-act]");
  if (button) return ACTS[button.dataset.act](row);
  clearTimeout(opening);
  const job = row.job;
  if (event.target !== row.title || event.detail === 0) open(job);
  else if (event.detail === 1) opening = setTimeout(() => open(job), SECOND_CLICK);
});
spacer.addEventListener("dblclick", (event) => {
  const row = rowOf(event.target);
  if (row && event.target === row.title) rename(row);
});
spacer.addEventListener("focusin", (event) => {
  const row = rowOf(event.target);
  if (row) list.active = row.job.id;
});

// --- keys -----------------------------------------------------------------------------------------------------

scroller.addEventListener("keydown", (event) => {
  const row = rowOf(event.target);
  if (!row || event.altKey || event.ctrlKey || event.metaKey) return;
  const index = indexOf(items, row.job.id);
  const page = Math.max(1, Math.floor(scroller.clientHeight / ROW) - 1);
  const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -index, End: items.length };
  if (event.key in moves) list.focus(Math.max(0, index + moves[event.key]));
  else if (event.key === "Enter" && event.target === row.node) open(row.job);
  else if (event.key === "F2") rename(row);
  else if (event.key === "Delete") remove(row);
  else return;
  event.preventDefault();
});
search.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowDown" || !items.length) return;
  event.preventDefault();
  list.focus(Math.max(0, indexOf(items, list.active)));
});

const types = (node) => node.isContentEditable || node.matches("input, textarea, select");

function onKey(event) {
  if (!element.isConnected) return document.removeEventListener("keydown", onKey);
  if (!inView() || types(event.target) || event.altKey) return;
  const command = event.ctrlKey || event.metaKey;
  if (event.key === "/" && !command) {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key.toLowerCase() === "z" && command && !event.shiftKey && bin.undo()) event.preventDefault();
}
document.addEventListener("keydown", onKey);

// --- coming and going -----------------------------------------------------------------------------------------

function onHide() {
  if (!element.isConnected) {
    document.removeEventListener("visibilitychange", onHide);
    window.removeEventListener("pagehide", onHide);
  }
  if (document.hidden || !element.isConnected) bin.empty(true);
  else wake();
}
document.addEventListener("visibilitychange", onHide);
window.addEventListener("pagehide", () => bin.empty(true));

// Another tab of the app hides this one, which then has no size.
new ResizeObserver(() => {
  if (element.offsetParent === null) bin.empty(false);
  else wake();
}).observe(find(".shf-history"));

keepLooking();
