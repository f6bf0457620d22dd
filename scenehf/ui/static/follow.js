// One job, followed: what the tabs of all kinds of jobs share. The store is asked for what happened since, and the
// page shows it; name, state, progress and log of the job are shown here, the rest by the tab that called.

const POLL_ACTIVE = 250; // ms between two looks while the job runs and is in view
const POLL_IDLE = 1000; // ms while it waits for a person
const POLL_AWAY = 3000; // ms while nobody looks
const POLL_LOST = 5000; // ms at most between two tries to reach the server
const BUSY = ["queued", "running"];
const LAST_OPEN = "scenehf-open"; // under which the browser keeps the job that was open last
const SILENT = "The app does not answer. Try again in a moment.";

/** Browsers may refuse to keep anything. */
function remember(job) {
  try {
    if (job) localStorage.setItem(LAST_OPEN, job);
    else localStorage.removeItem(LAST_OPEN);
  } catch { /* then a reload has the address */ }
}

function remembered() {
  try {
    return localStorage.getItem(LAST_OPEN);
  } catch {
    return null;
  }
}

/**
 * Follow one job at a time in the tab with this title.
 * onOpen(): another job begins to be followed, or none. onView(view): how the job stands has changed.
 * onPreview(url): an intermediate picture. Call begin() when the tab is ready for them.
 */
function followJob(tab, { onOpen, onView, onPreview }) {
  const alertBox = find(".shf-alert");
  const jobName = find(".shf-job-name");
  const reason = find(".shf-reason");
  const log = logScreen();
  const progress = progressScreen();
  const self = { job: null, state: null, open, say, act, progress, begin, wake: () => wake() };
  let seen = 0; // sequence number of the last event shown
  let round = 0; // grows with every job opened: an answer for an earlier one is dropped
  let view = null;
  let wake = () => {};
  let ready = false; // whether the tab can show a job
  let acting = Promise.resolve(); // the last act that was asked for

  function say(sentence) {
    alertBox.hidden = !sentence;
    setText(find("span", alertBox), sentence || "");
  }

  /** Have a reload come back to this job. */
  function address(id) {
    const there = new URL(location.href);
    if (id) there.searchParams.set("job", id);
    else there.searchParams.delete("job");
    history.replaceState(history.state, "", there);
  }

  /** Have this page, and the browser, come back to the job that is followed. */
  function keep() {
    address(self.job);
    remember(self.job);
  }

  /** Show another job; null: the empty start. */
  function open(id) {
    id = id || null;
    if (id === self.job) return;
    close(id);
    keep();
    if (id) follow(round);
  }

  /** Leave the job for another one, or for none. */
  function close(next) {
    self.job = next;
    element.dataset.follows = next || "";
    seen = 0;
    self.state = view = null;
    round += 1;
    say("");
    log.clear();
    progress.show(false);
    setText(reason, "");
    onOpen();
  }

  async function follow(mine) {
    let failures = 0;
    while (mine === round && element.isConnected) {
      let more = false;
      try {
        const answer = await ask("poll", self.job, seen);
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
    const usual = inView() ? (BUSY.includes(self.state) ? POLL_ACTIVE : POLL_IDLE) : POLL_AWAY;
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
    if (answer.view && tabOf(answer.view.kind) !== tab) {
      passOn(tabOf(answer.view.kind));
      return;
    }
    seen = answer.next;
    self.state = answer.state;
    const moves = answer.events.filter((event) => event.from === "job");
    if (moves.length) setText(reason, moves.at(-1).reason === "interrupted" ? "" : moves.at(-1).reason);
    if (answer.view) show(answer.view);
    log.add(answer.events.filter((event) => event.kind === "line"));
    const reports = answer.events.filter((event) => event.kind === "progress");
    if (reports.length && BUSY.includes(self.state)) progress.report(reports.at(-1));
    const previews = answer.events.filter((event) => event.kind === "preview");
    if (previews.length) onPreview(previews.at(-1).url);
  }

  /** The job is of another tab's kind: that tab is told, or, if it is not ready yet, finds it in the address. */
  function passOn(other) {
    const here = inView();
    const { job } = self;
    close(null);
    if (here) tabNamed(other).click();
    window.dispatchEvent(new CustomEvent("scenehf:open", { detail: { tab: other, job } }));
  }

  function show(next) {
    view = next;
    if (document.activeElement !== jobName) jobName.value = view.title;
    find("h2").setAttribute("aria-label", view.title);
    jobName.size = Math.max(6, jobName.value.length);
    badge(find(".shf-title .shf-badge"), view.phase === "planned" ? "planned" : self.state);
    if (view.error) setText(reason, `${view.error.message} ${view.error.hint}`);
    onView(view);
  }

  /** One act after the other, each on what the one before left. The server's answer; null where it was refused. */
  function act(verb, given = {}) {
    const job = self.job;
    acting = acting.then(() => send(verb, job, given));
    return acting;
  }

  async function send(verb, job, given) {
    say("");
    const answer = await ask("act", verb, job, given).catch(() => ({ error: SILENT }));
    say(answer.error);
    wake();
    return answer.error ? null : answer;
  }

  const heldElsewhere = (id) => [...document.querySelectorAll("[data-follows]")].some((other) => other.dataset.follows === id);

  /** Open what the address names, unless another tab has it. Where the address of a page is lost (a Space's frame), the
   * first tab opens the job that was open last, or passes it on to the tab of its kind. */
  function begin() {
    ready = true;
    const named = new URL(location.href).searchParams.get("job") || (tab === "Layers" && remembered());
    if (named && !heldElsewhere(named)) open(named);
  }

  // Gradio hides tabs by their size. The one that comes into view is the one to come back to.
  let visible = inView();
  new ResizeObserver(() => {
    const before = visible;
    visible = inView();
    if (before || !visible) return;
    if (self.job) keep();
    wake();
  }).observe(element);

  find("button", alertBox).addEventListener("click", () => say(""));
  jobName.addEventListener("change", () => act("rename", { title: jobName.value }));
  jobName.addEventListener("keydown", (event) => {
    if (event.key === "Escape") jobName.value = view.title;
    if (event.key === "Escape" || event.key === "Enter") jobName.blur();
  });
  document.addEventListener("visibilitychange", () => wake());
  window.addEventListener("scenehf:open", ({ detail }) => {
    if (!element.isConnected) return;
    if (detail.tab === tab && ready) open(detail.job);
    else address(detail.job); // where a tab that is not ready looks when it is
  });
  return self;
}
