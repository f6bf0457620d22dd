// The History tab: the newest jobs, kept fresh while the tab is open.

const LOOK = 2000; // ms between two looks while the tab is in view

const list = find(".shf-jobs");
const none = find(".shf-none");
const alertBox = find(".shf-alert");
const when = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const rows = new Map();

function say(sentence) {
  alertBox.hidden = !sentence;
  setText(find("span", alertBox), sentence || "");
}

function open(id) {
  window.dispatchEvent(new CustomEvent("scenehf:open", { detail: id }));
  const tabs = document.querySelectorAll("#tabs [role=tab]");
  [...tabs].find((tab) => tab.textContent.trim() === "Layers").click();
}

function newRow(id) {
  const thumb = make("img");
  thumb.alt = "";
  const title = make("strong");
  const time = make("time");
  const state = make("span", "shf-badge");
  const head = make("button", "shf-job-open", null, make("span", "shf-thumb", null, thumb), make("span", "shf-job-text", null, title, time), state);
  head.type = "button";
  head.addEventListener("click", () => open(id));
  const remove = make("button", "shf-delete", "Delete");
  remove.type = "button";
  remove.addEventListener("click", () => press(id, remove));
  remove.addEventListener("blur", () => relax(remove));
  return { row: make("li", "", null, head, remove), thumb, title, time, state, head, remove };
}

/** The first press asks, the second deletes. */
async function press(id, button) {
  if (!button.classList.contains("is-asking")) {
    button.classList.add("is-asking");
    setText(button, "Delete for good?");
    button.setAttribute("aria-label", "Delete for good?");
    return;
  }
  relax(button);
  try {
    const answer = await ask("delete", id);
    say(answer.error);
    await look();
  } catch {
    say("The app does not answer. Try again in a moment.");
  }
}

function relax(button) {
  button.classList.remove("is-asking");
  button.removeAttribute("aria-label");
  setText(button, "Delete");
}

function fill(row, job) {
  setPicture(row.thumb, job.thumb);
  row.thumb.hidden = !job.thumb;
  setText(row.title, job.title || "Untitled");
  setText(row.time, when.format(job.created * 1000));
  badge(row.state, job.state);
  row.head.setAttribute("aria-label", `Open ${job.title || "Untitled"}`);
  if (!row.remove.classList.contains("is-asking")) row.remove.setAttribute("aria-label", `Delete ${job.title || "Untitled"}`);
  row.remove.disabled = job.state === "running";
}

async function look() {
  const { jobs } = await ask("jobs", ownJobs.all());
  const ids = new Set(jobs.map((job) => job.id));
  for (const [id, row] of rows) {
    if (ids.has(id)) continue;
    row.row.remove();
    rows.delete(id);
  }
  jobs.forEach((job, index) => {
    if (!rows.has(job.id)) rows.set(job.id, newRow(job.id));
    const row = rows.get(job.id);
    fill(row, job);
    if (list.children[index] !== row.row) list.insertBefore(row.row, list.children[index] || null);
  });
  none.hidden = jobs.length > 0;
}

async function keepLooking() {
  let lost = false;
  while (element.isConnected) {
    try {
      if (inView()) await look();
      if (lost) say("");
      lost = false;
    } catch {
      lost = true;
      say("The app does not answer. This list goes on when it is back.");
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
}

keepLooking();
