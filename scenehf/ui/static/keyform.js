// The field for a visitor's own key of a service. It goes to the memory of the app, see scenehf/keys.py.

/** What a model without its key needs; only who runs the app can set a variable. */
const needsWords = ({ variable }) => `Needs a key: enter it below${variable ? `, or set ${variable}` : ""}.`;

/** onKept(): a key was taken or forgotten. */
function keyForm({ say, onKept }) {
  const form = find(".shf-key");
  const key = find("input", form);
  const page = find("a", form);
  const list = find(".shf-entered");

  /** Give the app a key for this session; an empty one is forgotten. */
  async function keep(service, text, wrong) {
    try {
      const headers = { "content-type": "application/json" };
      const answer = await fetch("scenehf/key", { method: "POST", headers, body: JSON.stringify({ service, key: text }) });
      if (answer.status === 403) say((await answer.json()).error);
      else say(answer.ok ? "" : wrong);
      await onKept();
    } catch {
      say(`${wrong} Is the app still running? Try again.`);
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    keep(form.dataset.service, key.value, "That key could not be taken. Copy it again from the service's page.");
    key.value = "";
  });

  return {
    /** needs: {service, title, page, variable for the owner} of what is missing, or null. focus: a person asked for it. */
    show(needs, focus = false) {
      form.hidden = !needs;
      if (!needs) return;
      if (focus) key.focus();
      form.dataset.service = needs.service;
      setText(find("span", form), `Key for ${needs.title}`);
      setText(page, needs.variable ? `Get a key (or set ${needs.variable})` : "Get a key");
      page.href = needs.page;
    },
    /** Keys that this browser's session entered; the app forgets them here, or when nobody used them for an hour. */
    entered(services) {
      list.hidden = !services.length;
      list.replaceChildren(
        ...services.map(({ service, title }) => {
          const forget = make("button", "", "Forget");
          forget.type = "button";
          forget.setAttribute("aria-label", `Forget the key for ${title}`);
          forget.addEventListener("click", () => keep(service, "", "The key could not be forgotten."));
          return make("span", "", null, make("span", "", `Your key for ${title} is in use`), forget);
        }),
      );
    },
  };
}
