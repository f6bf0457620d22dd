// One row of the History tab: a job drawn into an element that is used again for other jobs while the list scrolls.

/** Kinds of jobs: their word, and whether they can be copied. */
const KINDS = {
  "layers.extract": { word: "Layers", copies: true },
  "gaze.grid": { word: "Gaze", copies: false },
  "image.make": { word: "Edit", copies: false },
};
const kindOf = (kind) => KINDS[kind] || { word: kind, copies: false };
const nameOf = (job) => job.title || "Untitled";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const onDay = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const exactly = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });

/** 1700000000 -> "12 min ago"; a date, once that is a week or more. */
function ago(time, now = Date.now() / 1000) {
  const past = now - time;
  if (past < MINUTE) return "just now";
  if (past < HOUR) return `${Math.floor(past / MINUTE)} min ago`;
  if (past < DAY) return `${Math.floor(past / HOUR)} h ago`;
  if (past < 2 * DAY) return "yesterday";
  if (past < 7 * DAY) return `${Math.floor(past / DAY)} days ago`;
  return onDay.format(time * 1000);
}

const rowTemplate = find("template").content.firstElementChild;

/** A row for no job yet: {node, job, ...parts}. */
function newRow() {
  const node = rowTemplate.cloneNode(true);
  const [kind, seconds] = node.querySelectorAll(".shf-row-meta > span");
  const acts = {};
  for (const button of node.querySelectorAll("[data-act]")) acts[button.dataset.act] = button;
  return {
    node,
    acts,
    kind,
    seconds,
    job: null,
    leave: null, // ends the renaming that goes on in it
    thumb: find("img", node),
    title: find(".shf-job-open", node),
    input: find(".shf-rename", node),
    time: find("time", node),
    state: find(".shf-badge", node),
  };
}

/** Draw `job` into the row. hurry: it flies past, so its picture can wait. */
function fillRow(row, job, hurry) {
  const other = !row.job || row.job.id !== job.id;
  if (other) {
    setPicture(row.thumb, null); // or the picture of the job before would stay until the next one has come
    spread(row, false);
    row.node.dataset.id = job.id;
  }
  row.job = job;
  if (!hurry) setPicture(row.thumb, job.thumb);
  const name = nameOf(job);
  const kind = kindOf(job.kind);
  setText(row.kind, kind.word);
  setText(row.time, ago(job.created));
  setText(row.seconds, job.seconds >= 1 ? `took ${clock(job.seconds)}` : "");
  if (row.state.dataset.state !== job.state) badge(row.state, job.state);
  const running = job.state === "running";
  if (row.acts.delete.disabled !== running || other) {
    row.acts.delete.disabled = running;
    row.acts.delete.title = running ? "Cancel it first" : "Delete (Del)";
  }
  if (!row.leave) setText(row.title, name);
  if (other) row.acts.duplicate.classList.toggle("is-not-for-it", !kind.copies);
  if (other || row.name !== name) {
    row.name = name;
    row.title.title = name;
    row.time.title = exactly.format(job.created * 1000);
    row.title.setAttribute("aria-label", `Open ${name}`);
    for (const [act, button] of Object.entries(row.acts)) button.setAttribute("aria-label", `${LABELS[act]} ${name}`);
  }
}

const LABELS = { rename: "Rename", duplicate: "Duplicate", delete: "Delete", more: "More for" };

/** On a narrow screen: show the row's buttons in place of its second line, or put them away. */
function spread(row, open) {
  row.node.classList.toggle("is-spread", open);
  row.acts.more.setAttribute("aria-expanded", String(open));
}
