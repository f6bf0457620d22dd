// Pictures on their way into the form, and recipes on their way back into its fields.

const asInput = (one) => ({ name: one.name, width: one.width, height: one.height, url: one.url, small: one.small, full: one.full, source: { job: one.job, asset: one.asset } });

/** setOrigin(of): {job, key} of the layer that the first picture is. restored(): every field has been written. */
function editFiles({ models, options, prompt, inputs, howMany, say, setOrigin, restored, added }) {
  const notice = find(".shf-notice");

  function tell(sentence, picture = null) {
    notice.hidden = !sentence;
    setText(find("span", notice), sentence);
    const instead = find(".shf-as-input", notice);
    instead.hidden = !picture;
    instead.onclick = () => {
      tell("");
      inputs.replace([]);
      add(picture);
    };
  }

  /** One more picture; where the model takes none, one that does takes its place. */
  function add(picture) {
    if (models.model.images[1] === 0) {
      const editor = models.usable((model) => model.images[1] > 0);
      if (!editor) return say("No model that can be used now takes pictures.");
      models.pick(editor.id);
    }
    if (picture.notices && picture.notices.length) tell(picture.notices.join(" "));
    inputs.add(picture);
    added();
  }

  /** where: the part of the page they were dropped on. On the list of pictures they are pictures and nothing else. */
  async function take(files, where) {
    const asPicture = inputs.section.contains(where);
    say("");
    for (const file of files) {
      const name = file.name || "Pasted picture";
      try {
        const { path } = await upload(file);
        const answer = await ask("look", { path }, name);
        if (answer.error) {
          say(answer.error);
          continue;
        }
        const picture = answer.picture && { name, ...answer.picture, source: { path } };
        if (answer.recipe && !asPicture && files.length === 1) await restore(answer.recipe, picture);
        else if (picture) add(picture);
      } catch {
        say("The picture could not be sent. Is the app still running? Try again.");
      }
    }
    find(".shf-drop input").value = "";
  }

  async function example(button) {
    const { name } = button.dataset;
    const answer = await ask("look", { example: name }, name).catch(() => ({ error: SILENT }));
    if (answer.error) return say(answer.error);
    add({ name: find("span", button).textContent, ...answer.picture, source: { example: name } });
  }

  /** What went in, if its job is still here; whether it is. */
  async function bringBack({ job, images, mask }) {
    inputs.replace([]);
    if (!images.length) return true;
    const told = job && (await ask("poll", job, 0).catch(() => null));
    const before = told && told.view && told.view.inputs;
    if (!before || before.length !== images.length) return false;
    inputs.replace(before.map(asInput));
    if (mask && told.view.mask) inputs.setMask({ source: { job, asset: told.view.mask.asset }, strokes: [] });
    setOrigin(told.view.asked.origin);
    return true;
  }

  /** Every field as it stood when the picture was made. picture: its file, if it came as one. */
  async function restore(recipe, picture = null) {
    if (!models.pick(recipe.model)) return say(`This picture was made by ${recipe.model}, which this version does not have.`);
    options.write(recipe.options);
    prompt.write(recipe.prompt);
    howMany.value = 1;
    const all = await bringBack(recipe);
    const [words, them] = recipe.images.length > 1 ? ["pictures are", "them"] : ["picture is", "it"];
    tell(`The settings of this picture are restored.${all ? "" : ` Its ${words} not here any more: choose ${them} again.`}`, picture);
    restored();
  }

  find(".shf-quiet", notice).addEventListener("click", () => tell(""));

  return { tell, add, take, example, restore };
}
