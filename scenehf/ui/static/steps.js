// The step cards. A card lives as long as its step, so that focus and pictures stay while it changes.

const ACTION_WORDS = { extract: "Cut out", plate: "Paint the background", scene: "Check that it adds up", plan: "Planning" };
const THUMB = { width: 62, height: 50 }; // px inside the frame of a card's picture, see layers.css
const RETRIED = ["extract", "plate"];
const FINISHED = ["needs_review", "failed", "done", "accepted", "cancelled"];

function stepsScreen({ onSelect, onAct }) {
  const list = find(".shf-steps");
  const count = find(".shf-count");
  const cards = new Map();
  let selected = null;
  let photo = null;

  function newCard(key) {
    const thumb = make("img");
    thumb.alt = "";
    const number = make("span", "shf-number");
    const picture = make("span", "shf-thumb", null, thumb, number);
    const name = make("strong", "shf-name");
    const what = make("span", "shf-what");
    const state = make("span", "shf-badge");
    const head = make("button", "shf-card-head", null, picture, make("span", "shf-card-text", null, name, what), state);
    head.type = "button";
    head.addEventListener("click", () => onSelect(key));
    const findings = make("ul", "shf-findings");
    const accept = make("button", "shf-accept", "Accept");
    const retry = make("button", "shf-retry", "Retry");
    for (const [button, verb] of [[accept, "accept"], [retry, "retry"]]) {
      button.type = "button";
      button.addEventListener("click", () => onAct(verb, { key }));
    }
    const buttons = make("div", "shf-card-buttons", null, accept, retry);
    const row = make("li", "shf-card", null, head, findings, buttons);
    return { row, thumb, number, name, what, state, head, findings, accept, retry, buttons };
  }

  function fill(card, step, number, idle) {
    card.row.dataset.state = step.state;
    card.row.dataset.action = step.action;
    card.row.classList.toggle("is-selected", step.key === selected);
    card.head.setAttribute("aria-pressed", String(step.key === selected));
    setText(card.number, number ? String(number) : "");
    setText(card.name, step.name);
    setText(card.what, describe(step));
    badge(card.state, step.state);
    fillThumb(card.thumb, step);
    fillFindings(card.findings, step);
    card.accept.hidden = !(idle && step.state === "needs_review");
    card.retry.hidden = !(idle && RETRIED.includes(step.action) && FINISHED.includes(step.state));
    card.accept.setAttribute("aria-label", `Accept ${step.name}`);
    card.retry.setAttribute("aria-label", `Retry ${step.name}`);
    card.buttons.hidden = card.accept.hidden && card.retry.hidden;
  }

  /** What the step made; before that, the part of the photo that it will take. */
  function fillThumb(thumb, step) {
    const planned = !step.thumb && step.box;
    setPicture(thumb, step.thumb || (planned && photo.small));
    thumb.hidden = !thumb.dataset.url;
    thumb.classList.toggle("is-planned", Boolean(planned));
    thumb.removeAttribute("style");
    if (!planned) return;
    const [x0, y0, x1, y1] = step.box;
    const scale = Math.max(THUMB.width / ((x1 - x0) * photo.width), THUMB.height / ((y1 - y0) * photo.height));
    thumb.style.width = `${photo.width * scale}px`;
    thumb.style.height = `${photo.height * scale}px`;
    thumb.style.left = `${THUMB.width / 2 - ((x0 + x1) / 2) * photo.width * scale}px`;
    thumb.style.top = `${THUMB.height / 2 - ((y0 + y1) / 2) * photo.height * scale}px`;
  }

  function describe(step) {
    const words = [ACTION_WORDS[step.action]];
    if (step.attempts > 1) words.push(`attempt ${step.attempt} of ${step.attempts}`);
    if (step.seconds) words.push(`${step.seconds.toFixed(1)} s`);
    return words.join(" · ");
  }

  /** Checks that did not pass, each with its figure and what to try; or why the step failed. */
  function fillFindings(node, step) {
    const findings = (step.checks || []).map((check) => ({
      figure: `${check.name} ${Number(check.value.toPrecision(3))}, wanted ${check.limit}`,
      advice: check.advice,
    }));
    if (step.error) findings.push({ figure: step.error.message, advice: step.error.hint });
    const signature = JSON.stringify(findings);
    if (node.dataset.signature === signature) return;
    node.dataset.signature = signature;
    node.replaceChildren(
      ...findings.map((found) => make("li", "", null, make("b", "", found.figure), make("span", "", found.advice))),
    );
  }

  return {
    show(view, idle) {
      photo = view.photo;
      const layers = view.steps.filter((step) => step.action === "extract");
      setText(count, layers.length ? `${layers.length} ${layers.length === 1 ? "layer" : "layers"}, front to back` : "");
      const keys = new Set(view.steps.map((step) => step.key));
      for (const [key, card] of cards) {
        if (keys.has(key)) continue;
        card.row.remove();
        cards.delete(key);
      }
      view.steps.forEach((step, index) => {
        if (!cards.has(step.key)) cards.set(step.key, newCard(step.key));
        const card = cards.get(step.key);
        fill(card, step, layers.indexOf(step) + 1, idle);
        if (list.children[index] !== card.row) list.insertBefore(card.row, list.children[index] || null);
      });
    },
    select(key) {
      selected = key;
      for (const [other, card] of cards) {
        card.row.classList.toggle("is-selected", other === key);
        card.head.setAttribute("aria-pressed", String(other === key));
      }
    },
    clear() {
      cards.clear();
      list.replaceChildren();
      selected = null;
    },
  };
}
