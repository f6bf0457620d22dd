// Which model: a list in groups, with what each costs or takes, and what is missing before it can be used.

const MODEL_GROUPS = ["Edit", "Edit and generate", "Generate"];

/** onPick(model): another one is chosen, or the same one anew after a key was taken. onKept(): ask for the models again. */
function modelPicker({ onPick, onKept, say }) {
  const whole = find(".shf-models");
  const list = find(".shf-model-list");
  const keys = keyForm({ say, onKept });
  let models = [];
  let chosen = null;

  function facts(model) {
    const words = [model.local ? "this computer" : model.goes || (model.needs && model.needs.title) || "remote"];
    words.push(model.local ? (model.memory ? `${(model.memory / 1000).toFixed(1)} GB` : "") : `up to ${money(model.usd)} each`);
    words.push(model.licence);
    return words.filter(Boolean).join(" · ");
  }

  function row(model) {
    const input = make("input");
    Object.assign(input, { type: "radio", name: "shf-model", value: model.id, disabled: Boolean(model.lacks) });
    input.checked = model === chosen;
    input.addEventListener("change", () => {
      pick(model.id);
      whole.open = false;
      find("summary", whole).focus();
    });
    const text = make("span", "shf-model-text", null, make("strong", "", model.title), make("small", "", facts(model)));
    const lacks = model.needs ? needsWords(model.needs) : model.lacks;
    if (lacks) text.append(make("small", "shf-lacks", lacks));
    const label = make("label", lacks ? "shf-model is-lacking" : "shf-model", null, input, text);
    if (model.needs) label.addEventListener("click", () => keys.show(model.needs, true));
    label.dataset.model = model.id;
    return label;
  }

  function draw() {
    const groups = MODEL_GROUPS.map((group) => [group, models.filter((model) => model.group === group)]);
    list.replaceChildren(
      ...groups
        .filter(([, members]) => members.length)
        .map(([group, members]) => make("div", "shf-model-group", null, make("h4", "", group), ...members.map(row))),
    );
    const missing = models.find((model) => model.needs);
    keys.show(missing ? missing.needs : null);
    setText(find(".shf-model-title", whole), chosen.title);
    setText(find(".shf-model-facts", whole), facts(chosen));
  }

  function pick(id) {
    const found = models.find((model) => model.id === id);
    if (!found) return false;
    chosen = found;
    draw();
    onPick(chosen);
    return true;
  }

  return {
    fill(offered) {
      models = offered.models;
      keys.entered(offered.entered);
      pick(chosen ? chosen.id : offered.usual);
    },
    pick,
    get model() {
      return chosen;
    },
    /** The first model that can be used now and for which `is` holds; null if there is none. */
    usable: (is) => models.find((model) => !model.lacks && is(model)) || null,
  };
}
