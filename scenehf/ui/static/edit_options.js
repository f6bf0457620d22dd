// The options of a model as fields, drawn from its schema; only what the model has, and only what matters now.

const OPTION_WORDS = {
  match_input_image: "as the first picture",
  optimize_for_quality: "quality",
  optimize_for_speed: "speed",
  disabled: "one picture",
  auto: "as many as belong together",
};
const SEED_MOST = 2 ** 31 - 1;

const optionWord = (value) => OPTION_WORDS[value] || value.replaceAll("_", " ");

/** onChange(): a value was changed by a person. */
function optionFields(place, { onChange }) {
  let controls = [];
  let fields = new Map(); // name -> {node, read(), write(value)}

  function labelled(control, input, ...more) {
    const node = make("label", "shf-option", null, make("span", "", control.title), input, ...more);
    node.title = control.help;
    return node;
  }

  function choiceField(control) {
    const select = make("select");
    for (const value of control.choices) {
      const option = make("option", "", optionWord(value));
      option.value = value;
      select.append(option);
    }
    return { node: labelled(control, select), read: () => select.value, write: (value) => { select.value = value; } };
  }

  function flagField(control) {
    const input = make("input");
    input.type = "checkbox";
    const node = make("label", "shf-check shf-option-flag", null, input, make("span", "", control.title));
    node.title = control.help;
    return { node, read: () => input.checked, write: (value) => { input.checked = value; } };
  }

  function textField(control) {
    const input = make("textarea");
    Object.assign(input, { rows: 2, maxLength: control.most });
    const node = labelled(control, input);
    node.classList.add("shf-option-text");
    return { node, read: () => input.value, write: (value) => { input.value = value; } };
  }

  function numberField(control) {
    const step = control.kind === "whole" ? 1 : 0.1;
    const input = make("input");
    Object.assign(input, { type: "number", min: control.least, max: control.most, step });
    input.setAttribute("aria-label", control.title);
    const range = make("input", "shf-range");
    Object.assign(range, { type: "range", min: control.least, max: control.most, step, tabIndex: -1 });
    range.setAttribute("aria-hidden", "true"); // the number beside it says the same
    range.addEventListener("input", () => { input.value = range.value; });
    input.addEventListener("input", () => { range.value = input.value; });
    const node = labelled(control, input);
    node.insertBefore(range, input);
    const write = (value) => { range.value = input.value = value; };
    return { node, read: () => (input.value === "" ? control.default : input.valueAsNumber), write };
  }

  /** At random for every picture, or one that stays. */
  function seedField(control) {
    const input = make("input");
    Object.assign(input, { type: "number", min: 0, max: SEED_MOST, step: 1, placeholder: "random" });
    input.setAttribute("aria-label", "Seed");
    const kinds = choice("Which seed", [["random", "Random"], ["fixed", "Fixed"]], (kind) => {
      if (kind === "fixed" && input.value === "") input.value = Math.floor(Math.random() * (SEED_MOST + 1));
      if (kind === "random") input.value = "";
      onChange();
    });
    input.addEventListener("input", () => kinds.set(input.value === "" ? "random" : "fixed"));
    const node = make("div", "shf-option shf-option-seed", null, make("span", "", control.title), kinds.node, input);
    node.title = control.help;
    return {
      node,
      read: () => (input.value === "" ? null : input.valueAsNumber),
      write(value) {
        input.value = value ?? "";
        kinds.set(value === null || value === undefined ? "random" : "fixed");
      },
    };
  }

  function field(control) {
    if (control.name === "seed") return seedField(control);
    return { choice: choiceField, flag: flagField, text: textField, whole: numberField, number: numberField }[control.kind](control);
  }

  const read = () => Object.fromEntries(controls.map(({ name }) => [name, fields.get(name).read()]));

  /** Show what matters with what is chosen. */
  function arrange() {
    const values = read();
    const holds = (wanted) => Object.entries(wanted || {}).every(([name, value]) => values[name] === value);
    for (const { name, only, unless } of controls) {
      fields.get(name).node.hidden = Boolean((only && !holds(only)) || (unless && holds(unless)));
    }
  }

  place.addEventListener("input", () => {
    arrange();
    onChange();
  });

  return {
    /** The fields of another model; values that both have stay. */
    draw(next) {
      const kept = controls.length ? read() : {};
      const alike = (control) => controls.some((old) => old.name === control.name && old.kind === control.kind && `${old.choices}` === `${control.choices}`);
      const stay = next.filter((control) => control.name in kept && alike(control)).map(({ name }) => name);
      controls = next;
      fields = new Map(next.map((control) => [control.name, field(control)]));
      for (const control of next) fields.get(control.name).write(stay.includes(control.name) ? kept[control.name] : control.default);
      place.replaceChildren(...next.map(({ name }) => fields.get(name).node));
      arrange();
    },
    read,
    write(values) {
      for (const control of controls) fields.get(control.name).write(control.name in values ? values[control.name] : control.default);
      arrange();
    },
    has: (name) => fields.has(name),
  };
}
