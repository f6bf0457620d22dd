// The log, the timeline, and the progress line above them.

const LINES_KEPT = 200; // in the page; the store keeps them all

function logScreen() {
  const lines = find(".shf-lines");
  const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

  return {
    add(events) {
      if (!events.length) return;
      const sticks = lines.scrollTop + lines.clientHeight > lines.scrollHeight - 30;
      lines.append(
        ...events.map((event) => {
          const line = make("div", "", null, make("time", "", time.format(event.time * 1000)), make("span", "", event.text));
          line.dataset.from = event.from;
          return line;
        }),
      );
      while (lines.childElementCount > LINES_KEPT) lines.firstElementChild.remove();
      if (sticks) lines.scrollTop = lines.scrollHeight;
    },
    clear() {
      lines.replaceChildren();
    },
  };
}

function progressScreen() {
  const box = find(".shf-progress");
  const track = find(".shf-track");
  const fill = find(".shf-track i");
  const doing = find(".shf-doing");
  const timing = find(".shf-time");
  let last = null;

  function tick() {
    if (!last || box.hidden) return;
    const since = (Date.now() - last.at) / 1000;
    const words = [`${clock(last.elapsed + since)} elapsed`];
    if (last.eta !== null) words.push(`about ${clock(Math.max(1, last.eta - since))} to go`);
    setText(timing, words.join(", "));
  }
  const timer = setInterval(() => (element.isConnected ? tick() : clearInterval(timer)), 1000);

  return {
    report(event) {
      last = { at: Date.now(), elapsed: event.elapsed, eta: event.eta };
      const percent = Math.round(100 * event.fraction);
      fill.style.width = `${percent}%`;
      track.setAttribute("aria-valuenow", percent);
      setText(doing, [`${percent} %`, event.message].filter(Boolean).join(" · "));
      tick();
    },
    show(visible, words) {
      box.hidden = !visible;
      if (!visible) last = null;
      else if (!last) {
        fill.style.width = "0";
        track.removeAttribute("aria-valuenow");
        setText(doing, words);
        setText(timing, "");
      }
    },
    say(words) {
      setText(doing, words);
    },
  };
}

/** Every attempt of every step as a bar as long as it took, in the order of time. */
function timelineScreen({ onSelect }) {
  const list = find(".shf-timeline");
  let shown = "";

  function bar({ step, attempt }) {
    const seconds = attempt.seconds ?? Math.max(0, Date.now() / 1000 - attempt.started);
    const button = make("button", "", null, make("span", "", step.name));
    button.type = "button";
    button.title = `${step.name}, attempt ${attempt.attempt}: ${seconds.toFixed(1)} s, ${STATE_WORDS[attempt.state].toLowerCase()}`;
    button.setAttribute("aria-label", button.title);
    button.addEventListener("click", () => onSelect(step.key));
    const row = make("li", "", null, button);
    row.dataset.state = attempt.state;
    row.style.flexGrow = Math.max(0.05, seconds);
    return row;
  }

  return {
    show(view) {
      const runs = view.steps.flatMap((step) => step.attempts.map((attempt) => ({ step, attempt })));
      const begun = runs.filter(({ attempt }) => attempt.started).sort((a, b) => a.attempt.started - b.attempt.started);
      const signature = JSON.stringify(begun.map(({ step, attempt }) => [step.name, attempt.attempt, attempt.state, attempt.ended]));
      if (signature === shown) return;
      shown = signature;
      list.replaceChildren(...begun.map(bar));
    },
    clear() {
      shown = "";
      list.replaceChildren();
    },
  };
}
