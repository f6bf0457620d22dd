// How fine the grid is to be: the same fields before a portrait is given, and to make it again.

const USUAL = { grid: 30, mobile: 20, cell: 512, cutout: false };

/** Put the fields into `place`, before what is there after its first child. */
function optionsForm(place) {
  const fields = find("template").content.firstElementChild.cloneNode(true);
  place.firstElementChild.after(fields);
  const inputs = [...fields.querySelectorAll("input")];

  function write(options) {
    for (const input of inputs) {
      if (input.type === "checkbox") input.checked = options[input.name];
      else input.value = options[input.name];
    }
  }
  write(USUAL);

  return {
    write,
    read: () => Object.fromEntries(inputs.map((input) => [input.name, input.type === "checkbox" ? input.checked : input.valueAsNumber])),
  };
}
