// How fine the grid is to be: the same fields before a portrait is given, and to make it again.

const USUAL = { grid: 30, mobile: 20, cell: 512, engine: "mesh", fast: false, cutout: false };

/** Put the fields into `place`, before what is there after its first child. onEngine(sees): who gets to see the portrait, if
    not this machine alone. */
function optionsForm(place, onEngine = () => {}) {
  const fields = find("template").content.firstElementChild.cloneNode(true);
  place.firstElementChild.after(fields);
  const inputs = [...fields.querySelectorAll("input, select")];

  function write(options) {
    for (const input of inputs) {
      if (input.type === "checkbox") input.checked = options[input.name];
      else input.value = options[input.name];
    }
  }
  write(USUAL);

  /** An engine without its weights, or its key, cannot be chosen; what to do stands below, where something can be done. Of one that costs, the price. */
  ask("engines").then(({ lacks, paid }) => {
    const engine = find("select", fields);
    for (const option of [...engine.options]) {
      option.disabled = Boolean(lacks[option.value]);
      if (lacks[option.value] === "") option.remove();
    }
    const chosen = () => {
      const { says, sees } = paid[engine.value] || {};
      setText(find(".shf-lacks", fields), says || Object.values(lacks).filter(Boolean).join(" "));
      onEngine(sees);
    };
    engine.addEventListener("change", chosen);
    chosen();
  });

  function value(input) {
    if (input.type === "checkbox") return input.checked;
    return input.type === "number" ? input.valueAsNumber : input.value;
  }
  return { write, read: () => Object.fromEntries(inputs.map((input) => [input.name, value(input)])) };
}
