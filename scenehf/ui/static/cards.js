// One step card: what it shows, and what a person can do with it. A card lives as long as its step, so that focus, typing
// and pictures stay while it changes.

const ACTION_WORDS = { extract: "Cut out", plate: "Paint the background", scene: "Check that it adds up", plan: "Planning" };
const HOW_WORDS = { extract: "cut out", rematte: "background removed", refine: "refined", edited: "edited" };
const THUMB = { width: 62, height: 50 }; // px inside the frame of a card's picture, see steps.css
const RETRIED = ["extract", "plate"];
const FINISHED = ["needs_review", "failed", "done", "accepted", "cancelled"];
const EYE = '<path d="M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8Z"/><circle cx="8" cy="8" r="2"/>';
const EYE_SHUT = '<path d="M1.5 7S4 11 8 11s6.5-4 6.5-4M4 10l-1.5 2M8 11v2.4M12 10l1.5 2"/>';
const GRIP = '<path d="M6 3v.01M10 3v.01M6 8v.01M10 8v.01M6 13v.01M10 13v.01"/>';

/** A drawing of ours as an icon; `paths` is a constant of this file, never data. */
function icon(paths) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [name, value] of Object.entries({ width: 16, height: 16, viewBox: "0 0 16 16", "aria-hidden": true, class: "shf-icon" })) {
    svg.setAttribute(name, value);
  }
  svg.innerHTML = paths;
  return svg;
}

function newButton(className, text, press) {
  const button = make("button", className, text);
  button.type = "button";
  button.addEventListener("click", press);
  return button;
}

/** on: {select(key), act(verb, given), tool(name, key), look(key, change), compare(a, b)}. */
function newCard(key, on) {
  let step = null;
  let plateUsd = 0;
  let open = { selected: false, idle: false, look: {}, others: [] };

  const thumb = make("img");
  thumb.alt = "";
  const number = make("span", "shf-number");
  const grip = newButton("shf-grip", null, () => {});
  grip.append(icon(GRIP));
  const pick = newButton("shf-pick", null, () => on.select(key));
  pick.append(make("span", "shf-thumb", null, thumb, number));
  const name = make("input", "shf-name");
  name.maxLength = 80;
  name.spellcheck = false;
  const what = make("span", "shf-what");
  const eye = newButton("shf-eye", null, () => on.look(key, { hidden: !open.look.hidden }));
  const state = make("span", "shf-badge");
  const head = make("div", "shf-card-head", null, grip, pick, make("div", "shf-card-text", null, name, what), eye, state);
  head.addEventListener("click", (event) => {
    // The path, since a button may have changed its icon by now and with it what was pressed.
    if (!event.composedPath().some((node) => node.tagName === "BUTTON")) on.select(key);
  });

  const findings = make("ul", "shf-findings");
  const painted = make("p", "shf-painted");
  const prompt = make("textarea", "shf-prompt");
  prompt.rows = 2;
  prompt.maxLength = 500;
  const given = () => ({ key, ...(prompt.value === step.prompt ? {} : { prompt: prompt.value }) });
  const buttons = {
    made: newButton("shf-made", null, () => on.act("payment", { key, made: true })),
    unmade: newButton("shf-unmade", "It was not made", () => on.act("payment", { key, made: false })),
    accept: newButton("shf-accept", "Accept", () => on.act("accept", { key })),
    retry: newButton("shf-retry", "Retry", () => on.act("retry", given())),
    refine: newButton("shf-refine", "Refine", () => on.tool("refine", key)),
    rematte: newButton("shf-rematte", "Remove BG", () => on.act("rematte", { key })),
    under: newButton("shf-under", "Plate + retry", () => toggleUnder()),
    edit: newButton("shf-edit-layer", "Edit", () => sendToEdit(draftOf(step))),
    box: newButton("shf-box-again", "New box", () => on.tool("box", key)),
    points: newButton("shf-points-again", "Clicks", () => on.tool("points", key)),
    remove: newButton("shf-remove", "Delete", () => on.act("remove", { key })),
  };
  const row = make("div", "shf-card-buttons", null, ...Object.values(buttons));
  const under = make("div", "shf-under-form");
  under.hidden = true;
  const sheet = sheetControls(key, on);
  const attempts = attemptStrip(key, on);
  const body = make("div", "shf-card-body", null, prompt, row, under, sheet.node, attempts.node);
  const card = make("li", "shf-card", null, head, findings, painted, body);

  /** Which layers stand before this one is asked here; those whose boxes overlap it are proposed. */
  function toggleUnder() {
    under.hidden = !under.hidden;
    if (under.hidden) return;
    const boxes = open.others.map((other) => {
      const box = make("input");
      box.type = "checkbox";
      box.checked = overlaps(step.box, other.box);
      return [other, box];
    });
    const go = newButton("", priced("Paint out and retry", step.usd + plateUsd), () => {
      const removes = boxes.filter(([, box]) => box.checked).map(([other]) => other.key);
      under.hidden = true;
      on.act("plate_retry", { key, removes });
    });
    const allow = () => { go.disabled = !boxes.some(([, box]) => box.checked); };
    const labels = boxes.map(([other, box]) => make("label", "shf-check", null, box, make("span", "", other.name)));
    for (const [, box] of boxes) box.addEventListener("change", allow);
    under.replaceChildren(make("p", "", "What covers it? It is painted out first."), ...labels, go);
    allow();
  }

  name.addEventListener("change", () => {
    const text = name.value.trim();
    if (text && text !== step.name) on.act("edit", { key, name: text });
    else name.value = step.name;
  });
  prompt.addEventListener("change", () => {
    if (prompt.value !== step.prompt) on.act("edit", { key, prompt: prompt.value });
  });
  for (const field of [name, prompt]) {
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape") field.value = field === name ? step.name : step.prompt;
      if (event.key === "Escape" || (event.key === "Enter" && !event.shiftKey)) {
        event.preventDefault();
        field.blur();
      }
    });
  }

  function fill(next, index, photo, engine, around) {
    step = next;
    plateUsd = engine.plate;
    open = around;
    const { selected, idle } = around;
    const planned = step.action === "extract" || step.action === "plate";
    card.dataset.state = step.state;
    card.dataset.action = step.action;
    card.dataset.key = key;
    card.classList.toggle("is-selected", selected);
    setText(number, index ? String(index) : "");
    if (document.activeElement !== name) name.value = step.name;
    name.readOnly = !(planned && idle);
    setText(what, describe(step));
    badge(state, step.state);
    fillThumb(thumb, step, photo);
    fillFindings(findings, step);
    fillPainted(painted, step);
    fillButtons();
    grip.hidden = !(step.action === "extract" && idle && around.others.length > 0);
    eye.hidden = !around.inScene;
    const shut = Boolean(around.look.hidden);
    if (eye.dataset.shut !== String(shut)) {
      eye.dataset.shut = String(shut);
      eye.replaceChildren(icon(shut ? EYE_SHUT : EYE));
    }
    prompt.hidden = step.action !== "extract" || !(idle || step.prompt);
    prompt.readOnly = !idle;
    const read = engine.inputs.includes("prompt");
    prompt.rows = read ? 2 : 1;
    prompt.placeholder = read ? "What is it? The engine reads this." : "Prompt (this engine does not read it)";
    if (document.activeElement !== prompt) prompt.value = step.prompt;
    attempts.fill(step, idle);
    sheet.fill(step, around);
    if (!idle || !selected) under.hidden = true;
    label(step.name, selected, shut);
    body.hidden = !selected || [...body.children].every((child) => child.hidden);
  }

  function fillButtons() {
    const { idle, others } = open;
    const extract = step.action === "extract";
    const result = Boolean(step.layer);
    buttons.accept.hidden = !(idle && step.state === "needs_review");
    buttons.retry.hidden = !(idle && RETRIED.includes(step.action) && FINISHED.includes(step.state));
    buttons.refine.hidden = !(idle && extract && result && step.mask);
    buttons.rematte.hidden = buttons.refine.hidden;
    buttons.edit.hidden = !(extract && result);
    buttons.made.hidden = buttons.unmade.hidden = !(idle && step.payment);
    if (step.payment) {
      const { lost, usd } = step.payment;
      setText(buttons.made, `${lost ? "It was made" : "Give it up"} · ${money(usd)}`);
      buttons.unmade.hidden ||= !lost;
    }
    setText(buttons.accept, priced("Accept", step.usd_accept));
    setText(buttons.retry, priced("Retry", step.usd));
    setText(buttons.rematte, priced("Remove BG", step.usd));
    buttons.under.hidden = !(idle && extract && FINISHED.includes(step.state) && others.length > 0);
    buttons.box.hidden = buttons.points.hidden = buttons.remove.hidden = !(idle && extract);
    row.hidden = Object.values(buttons).every((button) => button.hidden);
  }

  function label(text, selected, shut) {
    grip.setAttribute("aria-label", `Move ${text}: arrow up or down`);
    pick.setAttribute("aria-label", `Show ${text}`);
    pick.setAttribute("aria-pressed", String(selected));
    name.setAttribute("aria-label", `Name of ${text}`);
    prompt.setAttribute("aria-label", `Prompt of ${text}`);
    eye.setAttribute("aria-label", `${shut ? "Show" : "Hide"} ${text} in the scene`);
    for (const button of Object.values(buttons)) button.setAttribute("aria-label", `${button.textContent} ${text}`);
  }

  return { key, node: card, grip, pick, name, fill };
}

function describe(step) {
  const words = [ACTION_WORDS[step.action]];
  if (step.attempts.length > 1) words.push(`attempt ${step.attempt} of ${step.attempts.length}`);
  if (step.seconds) words.push(`${step.seconds.toFixed(1)} s`);
  return words.join(" · ");
}

/** What the step made; before that, the part of the photo that it will take. */
function fillThumb(thumb, step, photo) {
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

/** Checks that did not pass: the figure, what it means, what to try. Or why the step failed. */
function fillFindings(node, step) {
  const findings = (step.checks || []).map((check) => ({
    figure: `${check.name} ${Number(check.value.toPrecision(3))}, wanted ${check.limit}`,
    meaning: check.meaning,
    advice: check.advice,
  }));
  const told = step.error && step.error.kind === "Uncertain" && step.state === "failed";
  const advice = told ? "You have said what became of it. Retry it when you like." : step.error && step.error.hint;
  if (step.error) findings.push({ figure: step.error.message, meaning: told ? "" : chargeWords(step.error), advice });
  const signature = JSON.stringify(findings);
  if (node.dataset.signature === signature) return;
  node.dataset.signature = signature;
  node.replaceChildren(
    ...findings.map((found) => {
      const lines = [make("b", "", found.figure), found.meaning && make("i", "", found.meaning), make("span", "", found.advice)];
      return make("li", "", null, ...lines.filter(Boolean));
    }),
  );
}

/** Of a call to a service: whether it was charged, and by which number its support finds it. */
function chargeWords({ charged, request_id: number }) {
  const words = { no: "Nothing was charged.", yes: "It was charged.", unknown: "It may have been charged, and counts as spent." };
  return [words[charged], number && `Its number there is ${number}.`].filter(Boolean).join(" ");
}

/** Which part of a layer was painted behind others: the rest of it is the photo. */
function fillPainted(node, { painted }) {
  node.hidden = !painted;
  if (!painted) return;
  const share = painted.share < 0.01 ? "Under 1 %" : `${Math.round(100 * painted.share)} %`;
  const words = `${share} of it lies behind other layers and was painted by ${painted.by}; the rest is the photo.`;
  if (node.dataset.words === words + painted.download) return;
  node.dataset.words = words + painted.download;
  const mask = make("a", "shf-link", "Mask of that part");
  mask.href = painted.download;
  mask.setAttribute("download", "");
  node.replaceChildren(`${words} `, mask);
}

/** Whether two boxes share more than a sliver of the first. */
function overlaps(box, other) {
  if (!box || !other) return true;
  const width = Math.min(box[2], other[2]) - Math.max(box[0], other[0]);
  const height = Math.min(box[3], other[3]) - Math.max(box[1], other[1]);
  return width > 0 && height > 0 && width * height > 0.02 * (box[2] - box[0]) * (box[3] - box[1]);
}
