// The tray under the picture: what a tool asks for while it is in the hand.

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  undo: "M6 3 2.5 6.5 6 10M3 6.5h6.5a4 4 0 0 1 0 8H7",
  redo: "M10 3l3.5 3.5L10 10M13 6.5H6.5a4 4 0 0 0 0 8H9",
};

let unheard = () => {}; // ends what the open tray hears outside itself

/** Fill the tray. keys(event): hears the keys pressed in it, and those pressed while nothing has the focus. */
function openTray(tray, label, keys, ...children) {
  unheard();
  const press = (event) => {
    if (!tray.isConnected) unheard();
    else if (event.target === document.body && inView()) keys(event);
  };
  document.addEventListener("keydown", press, true);
  unheard = () => document.removeEventListener("keydown", press, true);
  tray.setAttribute("role", "group");
  tray.setAttribute("aria-label", label);
  tray.onkeydown = (event) => void keys(event); // an answer of false would cancel the key
  tray.replaceChildren(...children);
  tray.hidden = false;
}

function closeTray(tray) {
  unheard();
  tray.onkeydown = null;
  tray.replaceChildren();
  tray.hidden = true;
}

function trayButton(text, className, act) {
  const button = make("button", className, text);
  button.type = "button";
  button.addEventListener("click", act);
  return button;
}

function iconButton(label, icon, act) {
  const button = trayButton("", "shf-icon", act);
  button.setAttribute("aria-label", label);
  button.title = label;
  const picture = document.createElementNS(SVG, "svg");
  const line = document.createElementNS(SVG, "path");
  picture.setAttribute("viewBox", "0 0 16 16");
  picture.setAttribute("aria-hidden", "true");
  line.setAttribute("d", ICONS[icon]);
  picture.append(line);
  button.append(picture);
  return button;
}

/** A few words of which one holds. options: [value, text] pairs. */
function choice(label, options, onPick) {
  const buttons = options.map(([value, text]) => {
    const button = trayButton(text, "", () => {
      set(value);
      onPick(value);
    });
    button.dataset.value = value;
    return button;
  });
  const node = make("div", "shf-choice", null, ...buttons);
  node.setAttribute("role", "group");
  node.setAttribute("aria-label", label);
  function set(value) {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.value === value));
  }
  set(options[0][0]);
  return { node, set };
}

/** A named range with its value in words. says(position) -> what the position means. */
function slider(label, { min, max, value, says, onInput }) {
  const input = make("input");
  Object.assign(input, { type: "range", min, max, step: 1, value });
  input.setAttribute("aria-label", label);
  const output = make("span", "shf-value");
  const node = make("label", "shf-slider", null, make("span", "", label), output, input);
  const share = (position) => (100 * (position - min)) / (max - min);
  function say() {
    setText(output, says(Number(input.value)));
    input.setAttribute("aria-valuetext", output.textContent);
    // The line is filled between nothing and the knob, to either side.
    const ends = [share(Math.max(0, min)), share(Number(input.value))].sort((a, b) => a - b);
    input.style.setProperty("--shf-from", `${ends[0]}%`);
    input.style.setProperty("--shf-to", `${ends[1]}%`);
  }
  input.addEventListener("input", () => {
    say();
    onInput(Number(input.value));
  });
  say();
  return {
    node,
    get value() {
      return Number(input.value);
    },
    set value(next) {
      input.value = next;
      say();
    },
  };
}

/** What a tool does. byKeys: what it does for those who have a keyboard. */
const toolHint = (text, byKeys) => make("span", "shf-hint", text, make("span", "", ` ${byKeys}`));

/** The picture comes to the pointer and to the keys. */
function takeStage() {
  const stage = find(".shf-stage");
  stage.scrollIntoView({ block: "nearest" });
  stage.focus({ preventScroll: true });
}

/** What a new layer is called. */
function nameField() {
  const input = make("input");
  Object.assign(input, { type: "text", maxLength: 80, placeholder: "Object", spellcheck: false, autocomplete: "off" });
  return { node: make("label", "shf-name-field", null, make("span", "", "Name"), input), input };
}

/** Whether the key acts on the focused control itself, so that a tool leaves it alone. */
function actsItself(event) {
  const kind = event.target.tagName;
  return kind === "BUTTON" ? [" ", "Enter"].includes(event.key) : kind === "INPUT" && event.target.type === "text";
}

/** Undo, redo or null, as this key is meant. */
function historyKey(event) {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return null;
  const key = event.key.toLowerCase();
  if (key === "z") return event.shiftKey ? "redo" : "undo";
  return key === "y" ? "redo" : null;
}

/** A key that a tool has used reaches nothing else. */
function used(event) {
  event.preventDefault();
  event.stopPropagation();
  return true;
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** [dx, dy] in px of an arrow key, ten times as far with Shift; null for other keys. */
function arrowStep(event) {
  const way = !event.ctrlKey && !event.metaKey && ARROWS[event.key];
  return way ? way.map((part) => part * (event.shiftKey ? 10 : 1)) : null;
}

const within = (value, least, most) => Math.min(most, Math.max(least, value));
