// The pictures that go in, in their order, and the mask over the first one.

let inputsMade = 0;

/**
 * onChange(): they are others now. onPaint(input, mask): the mask of the first one is to be painted.
 * A picture is {id, name, width, height, url, full?, source}; source is what the server knows it by: {path}, {example} or
 * {job, asset}. A mask is {source?, file?, strokes}.
 */
function inputList({ onChange, onPaint }) {
  const section = find(".shf-inputs");
  const list = find("ol", section);
  const count = find(".shf-count", section);
  const add = find(".shf-add-input", section);
  let range = [0, 0];
  let takesMask = "none";
  let inputs = [];
  let mask = null;

  function button(text, label, act, disabled = false) {
    const made = make("button", "shf-quiet", text);
    Object.assign(made, { type: "button", disabled, title: label });
    made.setAttribute("aria-label", label);
    made.addEventListener("click", act);
    return made;
  }

  function move(index, by) {
    const [taken] = inputs.splice(index, 1);
    inputs.splice(index + by, 0, taken);
    changed();
  }

  function row(input, index) {
    const thumb = make("img");
    thumb.alt = "";
    setPicture(thumb, input.small || input.url);
    const place = inputs.length > 1 ? `${index + 1}. ` : "";
    const text = make("span", "shf-input-text", null, make("strong", "", `${place}${input.name}`), make("small", "", `${input.width} × ${input.height} px`));
    const acts = make("span", "shf-input-acts");
    if (inputs.length > 1) {
      acts.append(button("↑", `Move ${input.name} forward`, () => move(index, -1), index === 0));
      acts.append(button("↓", `Move ${input.name} back`, () => move(index, 1), index === inputs.length - 1));
    }
    acts.append(button("✕", `Remove ${input.name}`, () => remove(input)));
    const item = make("li", "shf-input", null, thumb, text, acts);
    item.classList.toggle("is-unused", index >= range[1]);
    if (index >= range[1]) item.title = "The model takes fewer pictures than these.";
    if (index === 0 && takesMask !== "none") item.append(maskRow(input));
    return item;
  }

  function maskRow(input) {
    const words = mask ? "Mask: only what is painted changes" : takesMask === "required" ? "Paint over what is to go" : "Without a mask all of it may change";
    const paint = make("button", "", mask ? "Change the mask" : "Paint a mask");
    paint.type = "button";
    paint.className = "shf-paint";
    paint.addEventListener("click", () => onPaint(input, mask));
    const node = make("div", "shf-mask-row", null, make("small", "", words), paint);
    if (mask) node.append(button("✕", "Remove the mask", () => setMask(null)));
    return node;
  }

  function remove(input) {
    inputs = inputs.filter((other) => other !== input);
    changed();
  }

  function setMask(next) {
    mask = next;
    draw();
    onChange();
  }

  function changed() {
    if (mask && (!inputs.length || inputs[0].id !== mask.of)) mask = null; // it was of another picture
    draw();
    onChange();
  }

  function draw() {
    section.hidden = range[1] === 0;
    const most = range[1] > 1 ? `up to ${range[1]}` : "";
    setText(count, inputs.length > 1 || !most ? (inputs.length > range[1] ? `${inputs.length}, the model takes ${range[1]}` : "") : most);
    add.hidden = inputs.length >= range[1];
    setText(find("span", add), inputs.length ? "Add a picture" : "Choose a picture");
    list.replaceChildren(...inputs.map(row));
  }

  return {
    section,
    /** What a model takes: how many pictures, and whether a mask. */
    suit(images, masks) {
      range = images;
      takesMask = masks;
      draw();
    },
    add(given) {
      inputsMade += 1;
      const input = { id: inputsMade, ...given };
      inputs = range[1] === 1 ? [input] : [...inputs, input];
      changed();
    },
    replace(given) {
      inputs = [];
      mask = null;
      for (const one of given) {
        inputsMade += 1;
        inputs.push({ id: inputsMade, ...one });
      }
      changed();
    },
    setMask(next) {
      setMask(next && inputs.length ? { ...next, of: inputs[0].id } : null);
    },
    /** Those that the model takes. */
    get all() {
      return inputs.slice(0, range[1]);
    },
    get mask() {
      return takesMask === "none" || range[1] === 0 ? null : mask;
    },
  };
}
