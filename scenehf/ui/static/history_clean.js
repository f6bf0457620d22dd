// How much there is and what it takes, and deleting what is old.

/** onCleaned(): many jobs may be gone. */
function cleanScreen({ onCleaned }) {
  const line = find(".shf-facts");
  const opener = find(".shf-clean-open");
  const panel = find(".shf-clean");
  const days = find("select", panel);
  const says = find(".shf-clean-says");
  const [remove, close] = panel.querySelectorAll("button");
  const many = (count) => `${count.toLocaleString()} ${count === 1 ? "job" : "jobs"}`;
  let round = 0;

  function toggle(open) {
    panel.hidden = !open;
    opener.setAttribute("aria-expanded", String(open));
    if (open) count();
  }

  async function count() {
    const mine = ++round;
    remove.disabled = true;
    setText(remove, "Delete");
    setText(says, "Counting…");
    try {
      const answer = await ask("cleanable", Number(days.value));
      if (mine !== round) return;
      if (answer.error) return setText(says, answer.error);
      setText(says, answer.jobs ? "What is queued or running stays. This cannot be undone." : "There are none.");
      setText(remove, answer.jobs ? `Delete ${many(answer.jobs)}` : "Delete");
      remove.disabled = !answer.jobs;
    } catch {
      if (mine === round) setText(says, "The app does not answer. Try again in a moment.");
    }
  }

  async function clean() {
    const mine = ++round;
    remove.disabled = days.disabled = true;
    setText(says, "Deleting…");
    try {
      const answer = await ask("clean", Number(days.value));
      if (mine === round) setText(says, answer.error || `Deleted ${many(answer.jobs)}; ${size(answer.freed)} are free again.`);
      if (mine === round) setText(remove, "Delete");
    } catch {
      setText(says, "The app does not answer. It may still be deleting.");
    }
    days.disabled = false;
    onCleaned();
  }

  opener.addEventListener("click", () => toggle(panel.hidden));
  days.addEventListener("change", count);
  panel.addEventListener("submit", (event) => {
    event.preventDefault();
    clean();
  });
  const shut = () => {
    toggle(false);
    opener.focus();
  };
  close.addEventListener("click", shut);
  panel.addEventListener("keydown", (event) => event.key === "Escape" && shut());

  return {
    /** found: how many of them match the search; null without one. leaving: those on their way out. */
    show(facts, leaving, found) {
      const all = many(Math.max(0, facts.jobs - leaving));
      const parts = [found === null ? all : `${found.toLocaleString()} of ${all}`];
      if (facts.bytes !== undefined) parts.push(size(facts.bytes), `${size(facts.free)} free`);
      setText(line, parts.join(" · "));
      opener.hidden = facts.bytes === undefined;
    },
  };
}
