// Deleting with a way back: a deleted job leaves the list at once, and the store some seconds later.

const UNDO = 8000; // ms
const LINGER = 2000; // ms more while the pointer or the focus is on the bar, a few times
const LINGERS = 3;

/** onUndo(jobs): these are in the list again. onDone(jobs, sentence): the others are gone from the store; these could
 *  not be deleted, and why. */
function wasteBin(bar, { onUndo, onDone }) {
  const says = find("span", bar);
  const back = find("button", bar);
  const waiting = new Map(); // id -> job: can be undone
  const going = new Map(); // id -> job: the server has been told, but has not answered yet
  let timer = 0;

  function show() {
    const [job] = waiting.values();
    back.hidden = !job;
    bar.classList.toggle("is-shown", waiting.size > 0);
    bar.parentElement.classList.toggle("has-undo", waiting.size > 0);
    if (job) setText(says, waiting.size > 1 ? `Deleted ${waiting.size} jobs` : `Deleted ${nameOf(job)}`);
    else setText(says, "");
  }

  function wait(time, more = LINGERS) {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (more && bar.matches(":hover, :focus-within")) wait(LINGER, more - 1);
      else commit(ask);
    }, time);
  }

  async function commit(tell) {
    clearTimeout(timer);
    if (!waiting.size) return;
    const sent = new Map(waiting);
    for (const [id, job] of sent) going.set(id, job);
    waiting.clear();
    show();
    let kept = {};
    let sentence = "";
    try {
      kept = (await tell("remove", [...sent.keys()])).kept;
      sentence = Object.values(kept)[0] || "";
    } catch {
      for (const id of sent.keys()) kept[id] = true;
      sentence = "The app does not answer, so nothing was deleted. Try again in a moment.";
    }
    for (const id of sent.keys()) going.delete(id);
    const staying = [...sent.values()].filter((job) => kept[job.id]);
    onDone(staying, sentence);
  }

  back.addEventListener("click", undo);

  function undo() {
    if (!waiting.size) return false;
    clearTimeout(timer);
    const undone = [...waiting.values()];
    waiting.clear();
    show();
    onUndo(undone);
    return true;
  }

  return {
    undo,
    has: (id) => waiting.has(id) || going.has(id),
    get size() {
      return waiting.size + going.size;
    },
    put(job) {
      waiting.set(job.id, job);
      show();
      wait(UNDO);
    },
    /** Nobody looks any more: delete for good. leaving: the page may be gone before an answer comes. */
    empty: (leaving) => commit(leaving ? lastWord : ask),
  };
}

/** As `ask`, but sent even if the page is closed at this moment. Gradio's own call would be dropped. */
async function lastWord(name, ...given) {
  const config = window.gradio_config;
  const own = config.components.find((component) => component.props.elem_id === "history");
  const body = { data: given, fn_name: name, component_id: own.id, session_hash: Math.random().toString(36).slice(2) };
  const answer = await fetch(`${config.root}${config.api_prefix || ""}/component_server`, {
    method: "POST",
    keepalive: true,
    credentials: "same-origin",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error("no answer");
  return answer.json();
}
