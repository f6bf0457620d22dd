// Small words of the page. Text of people and jobs enters it through these alone, as text, never as HTML.

const STATE_WORDS = {
  planned: "Plan ready",
  pending: "Waiting",
  queued: "Queued",
  running: "Running",
  done: "Done",
  accepted: "Accepted",
  needs_review: "Needs review",
  succeeded: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
  unknown: "Payment open",
};

/** The title of the tab that shows jobs of this kind; Layers shows the state and the log of any. */
const tabOf = (kind) => ({ "gaze.grid": "Gaze", "image.make": "Edit / Generate" })[kind] || "Layers";
const tabNamed = (title) => [...document.querySelectorAll("#tabs [role=tab]")].find((tab) => tab.textContent.trim() === title);

const find = (selector, within = element) => within.querySelector(selector);

/** Call a server function. Gradio swallows a failed request and answers nothing; here it is an error. */
async function ask(name, ...given) {
  const answer = await server[name](given);
  if (!answer) throw new Error("no answer");
  return answer;
}

/** An element with a class, text and children. */
function make(tag, className, text, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined && text !== null) made.textContent = text;
  made.append(...children);
  return made;
}

/** Change text only when it differs: an untouched node keeps its selection, and readers are not told twice. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Show the picture at `url` in `image`; nothing is fetched again for the same address. */
function setPicture(image, url) {
  if (image.dataset.url === (url || "")) return;
  image.dataset.url = url || "";
  if (url) image.src = url;
  else image.removeAttribute("src");
}

function badge(node, state) {
  node.dataset.state = state;
  setText(node, STATE_WORDS[state] || state);
}

/** 75 -> "1:15". */
function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** 1234567 -> "1.2 MB". */
function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB"];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** A list of jobs that this browser made or opened, newest first; a shared app shows no others. */
const ownJobs = {
  key: "scenehf-own-jobs",
  all() {
    try {
      return JSON.parse(localStorage.getItem(this.key)) || [];
    } catch {
      return [];
    }
  },
  add(job) {
    const rest = this.all().filter((other) => other !== job);
    localStorage.setItem(this.key, JSON.stringify([job, ...rest].slice(0, 50)));
  },
};

/** Whether this part of the page is on the screen: its tab is open and the window is visible. */
const inView = () => !document.hidden && element.offsetParent !== null;
