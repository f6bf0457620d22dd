// Inside a card: every attempt of the step, to compare and to go back to; and how its layer lies in the scene.

function attemptStrip(key, on) {
  const list = make("div", "shf-attempts");
  list.setAttribute("role", "group");
  const use = newButton("", "", () => on.act("choose", { key, attempt: looked }));
  const node = make("div", "shf-attempt-row", null, list, use);
  let shown = "";
  let looked = null; // the attempt that is compared with the chosen one

  function draw(step, idle) {
    list.replaceChildren(
      ...step.attempts.map((attempt) => {
        const image = make("img");
        image.alt = "";
        setPicture(image, attempt.thumb);
        image.hidden = !attempt.thumb;
        const button = newButton("shf-attempt", null, () => look(step, attempt.attempt, idle));
        button.append(make("span", "shf-thumb", null, image), make("span", "", String(attempt.attempt)));
        const words = [`Attempt ${attempt.attempt}`, HOW_WORDS[attempt.how], STATE_WORDS[attempt.state].toLowerCase()];
        if (attempt.confidence) words.push(`confidence ${attempt.confidence.toFixed(2)}`);
        if (attempt.attempt === step.attempt) words.push("in use");
        button.title = words.join(", ");
        button.setAttribute("aria-label", button.title);
        button.setAttribute("aria-pressed", String(attempt.attempt === (looked || step.attempt)));
        button.classList.toggle("is-used", attempt.attempt === step.attempt);
        button.disabled = !attempt.thumb;
        return button;
      }),
    );
    use.hidden = !(idle && looked && looked !== step.attempt);
    setText(use, priced(`Use attempt ${looked}`, step.usd_after));
  }

  function look(step, attempt, idle) {
    looked = attempt === step.attempt ? null : attempt;
    on.compare(key, looked ? step.attempt : null, looked);
    draw(step, idle);
  }

  return {
    node,
    fill(step, idle) {
      node.hidden = step.attempts.length < 2;
      list.setAttribute("aria-label", `Attempts of ${step.name}`);
      const signature = JSON.stringify([step.attempt, step.attempts, idle]);
      if (signature === shown) return;
      shown = signature;
      looked = null;
      draw(step, idle);
    },
  };
}

/** Opacity, solo and download of a layer of the finished scene. */
function sheetControls(key, on) {
  const opacity = make("input", "shf-range");
  opacity.type = "range";
  opacity.min = 0;
  opacity.max = 100;
  const figure = make("output", "");
  const solo = newButton("", "Solo", () => on.solo(key));
  const save = make("a", "shf-link", "Download");
  save.setAttribute("download", "");
  const node = make("div", "shf-sheet-row", null, make("label", "", null, make("span", "", "Opacity"), opacity), figure, solo, save);
  opacity.addEventListener("input", () => on.look(key, { opacity: opacity.value / 100 }));

  return {
    node,
    fill(step, { inScene, look, alone }) {
      const file = step.layer || (step.action === "plate" && inScene) || null;
      node.hidden = !inScene || !file;
      const percent = Math.round(100 * (look.opacity ?? 1));
      if (document.activeElement !== opacity) opacity.value = percent;
      setText(figure, `${percent} %`);
      solo.setAttribute("aria-pressed", String(alone));
      save.href = step.download || "";
      save.hidden = !step.download;
      opacity.setAttribute("aria-label", `Opacity of ${step.name}`);
      solo.setAttribute("aria-label", `Show ${step.name} alone`);
      save.setAttribute("aria-label", `Download ${step.name}`);
    },
  };
}
