// The words: a field, templates to begin with, and the last prompts, which stay in this browser.

const PROMPTS_KEPT = 20;

const keptPrompts = {
  key: "scenehf-prompts",
  all() {
    try {
      const found = JSON.parse(localStorage.getItem(this.key));
      return Array.isArray(found) ? found.filter((one) => typeof one === "string").slice(0, PROMPTS_KEPT) : [];
    } catch {
      return [];
    }
  },
  write(prompts) {
    try {
      localStorage.setItem(this.key, JSON.stringify(prompts.slice(0, PROMPTS_KEPT)));
    } catch {
      // a browser without room for it forgets them
    }
  },
  add(prompt) {
    if (prompt.trim()) this.write([prompt, ...this.all().filter((other) => other !== prompt)]);
  },
  remove(prompt) {
    this.write(this.all().filter((other) => other !== prompt));
  },
};

function promptField({ onChange }) {
  const section = find(".shf-words");
  const field = find("textarea", section);
  const count = find(".shf-count", section);
  const templates = find(".shf-templates", section);
  const earlier = find(".shf-earlier", section);
  let limits = [1, 10000];
  let offered = [];

  find("label", section).addEventListener("click", () => field.focus());
  field.setAttribute("aria-label", "Prompt");

  function say() {
    const length = [...field.value].length;
    setText(count, length > limits[1] * 0.8 ? `${length.toLocaleString()} of ${limits[1].toLocaleString()}` : "");
    section.classList.toggle("is-over-long", length > limits[1]);
  }

  function write(text) {
    field.value = text;
    say();
    onChange();
  }

  function row(prompt) {
    const use = make("button", "shf-earlier-use", prompt);
    use.type = "button";
    use.addEventListener("click", () => {
      write(prompt);
      earlier.open = false;
      field.focus();
    });
    const remove = make("button", "shf-quiet", "✕");
    remove.type = "button";
    remove.setAttribute("aria-label", `Forget: ${prompt.slice(0, 60)}`);
    remove.addEventListener("click", () => {
      keptPrompts.remove(prompt);
      draw();
    });
    return make("li", "", null, use, remove);
  }

  function draw() {
    const prompts = keptPrompts.all();
    find("ul", earlier).replaceChildren(...prompts.map(row));
    earlier.hidden = !prompts.length;
  }

  field.addEventListener("input", () => {
    say();
    onChange();
  });
  templates.addEventListener("change", () => {
    const template = offered[templates.value];
    templates.value = "";
    if (!template) return;
    write(template.text);
    field.focus();
    const [from, to] = [template.text.indexOf("["), template.text.indexOf("]") + 1];
    if (from >= 0) field.setSelectionRange(from, to); // what is to be replaced first
  });
  earlier.addEventListener("toggle", () => earlier.open && draw());
  draw();

  return {
    field,
    read: () => field.value,
    write,
    keep() {
      keptPrompts.add(field.value);
      draw();
    },
    /** tasks: "edit", "generate" or both; only their templates are offered. range: characters, least and most. */
    suit(tasks, range, all) {
      limits = range;
      offered = all.filter((template) => tasks.includes(template.task));
      const first = make("option", "", "Templates");
      first.value = "";
      templates.replaceChildren(
        first,
        ...offered.map((template, index) => {
          const option = make("option", "", template.title);
          option.value = index;
          return option;
        }),
      );
      section.hidden = range[1] === 0; // it reads no words
      say();
    },
  };
}
