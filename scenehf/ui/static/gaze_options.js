// How fine the grid is to be: the same fields before a portrait is given, and to make it again.

const USUAL = { grid: 30, mobile: 20, cell: 512, engine: "mesh", fast: false, cutout: false };

/** Put the fields into `place`, before what is there after its first child. */
function optionsForm(place) {
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

  /** An engine without its weights cannot be chosen; what to type stands beside it. */
  ask("engines").then(({ lacks }) => {
    for (const option of fields.querySelectorAll("option")) option.disabled = Boolean(lacks[option.value]);
    setText(find(".shf-lacks", fields), Object.values(lacks).join(" "));
  });

  function value(input) {
    if (input.type === "checkbox") return input.checked;
    return input.type === "number" ? input.valueAsNumber : input.value;
  }
  return { write, read: () => Object.fromEntries(inputs.map((input) => [input.name, value(input)])) };
}
