// What a job made, picture by picture, and what can be done with the one that is looked at.

/** onLook(picture or null): another one is looked at. on: {input(picture), reuse(picture), place(picture), pay(key, made)}. */
function resultList({ onLook, on }) {
  const section = find(".shf-results");
  const strip = find(".shf-strip", section);
  const takes = find(".shf-takes", section);
  const failure = find(".shf-failure", section);
  const pays = find(".shf-pays", section);
  const recipe = find(".shf-recipe", section);
  const putBack = find(".shf-put-back", section);
  let view = null;
  let selected = null; // "key/number"
  let chosen = false; // whether a person has selected it
  let looked = ""; // the asset that is looked at
  let signature = "";

  /** Every place of the strip: a picture, or a step that has none. */
  const places = () =>
    view.steps.flatMap((step) =>
      step.pictures.length
        ? step.pictures.map((picture, number) => ({ id: `${step.key}/${number}`, step, picture }))
        : [{ id: `${step.key}/0`, step, picture: null }],
    );
  const current = () => (view && places().find((place) => place.id === selected)) || null;

  function tile(place, index) {
    const { step, picture } = place;
    const button = make("button", "shf-tile");
    button.type = "button";
    button.dataset.state = step.state;
    button.dataset.place = place.id;
    const seed = step.seed === null ? "" : `, seed ${step.seed}`;
    button.setAttribute("aria-label", `Picture ${index + 1}: ${STATE_WORDS[step.state].toLowerCase()}${seed}`);
    button.title = button.getAttribute("aria-label");
    if (picture) {
      const image = make("img");
      image.alt = "";
      setPicture(image, picture.small);
      button.append(image);
    } else button.append(make("span", "", STATE_WORDS[step.state]));
    button.addEventListener("click", () => pick(place.id));
    return make("li", "", null, button);
  }

  function pick(id) {
    chosen = true;
    select(id);
  }

  function select(id) {
    selected = id;
    mark();
    const { picture } = current();
    const asset = picture ? picture.asset : "";
    if (asset === looked) return;
    looked = asset;
    onLook(picture);
  }

  function mark() {
    const place = current();
    for (const button of strip.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.place === selected));
    const picture = place && place.picture;
    takes.hidden = !picture;
    const error = place && !picture && place.step.error;
    const payment = place && place.step.state === "unknown" && place.step.payment;
    failure.hidden = !error;
    setText(failure, error ? `${error.message} ${error.hint}`.trim() : "");
    pays.hidden = !(payment && view.phase !== "running");
    if (!picture) return;
    for (const link of takes.querySelectorAll("a")) link.href = picture.files[link.dataset.kind];
    const [input] = view.inputs;
    const fits = input && picture.width === input.width && picture.height === input.height;
    putBack.hidden = !(view.origin && view.origin.layer && fits);
    setText(find("pre", recipe), JSON.stringify(picture.recipe, null, 2));
  }

  find(".shf-again-input", section).addEventListener("click", () => on.input(current().picture));
  find(".shf-reuse", section).addEventListener("click", () => on.reuse(current().picture));
  putBack.addEventListener("click", () => on.place(current().picture));
  for (const button of pays.querySelectorAll("button")) {
    button.addEventListener("click", () => on.pay(current().step.key, button.dataset.made === "true"));
  }

  return {
    show(next) {
      view = next;
      const all = places();
      section.hidden = false;
      const now = JSON.stringify(all.map(({ id, step, picture }) => [id, step.state, picture && picture.small]));
      if (now !== signature) {
        signature = now;
        strip.replaceChildren(...all.map(tile));
        strip.hidden = all.length < 2 && Boolean(all[0].picture);
      }
      // The newest picture is looked at until a person has chosen one.
      const usual = all.findLast((place) => place.picture) || all.find((place) => place.step.error) || all[0];
      select(chosen && current() ? selected : usual.id);
    },
    /** The picture of this asset, of a job that is being opened. */
    want(asset) {
      const found = view && places().find((place) => place.picture && place.picture.asset === asset);
      if (found) pick(found.id);
      return Boolean(found);
    },
    turn(by) {
      if (!view) return false;
      const all = places();
      const next = all[all.findIndex((place) => place.id === selected) + by];
      if (!next) return false;
      pick(next.id);
    },
    clear() {
      view = selected = null;
      chosen = false;
      signature = looked = "";
      section.hidden = true;
      strip.replaceChildren();
      recipe.open = false;
    },
  };
}
