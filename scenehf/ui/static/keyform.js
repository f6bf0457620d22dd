// The field for a visitor's own key of a service. It goes to the memory of the app, see scenehf/keys.py.

/** onKept(): a key was taken. Answers with show(needs, focus): {service, title, variable, page} of what is missing, or null. */
function keyForm({ say, onKept }) {
  const form = find(".shf-key");
  const key = find("input", form);
  const page = find("a", form);

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const sent = { service: form.dataset.service, key: key.value };
      const headers = { "content-type": "application/json" };
      const answer = await fetch("scenehf/key", { method: "POST", headers, body: JSON.stringify(sent) });
      key.value = "";
      if (!answer.ok) say("That is no key. Copy it again from the service's page.");
      else say("");
      await onKept();
    } catch {
      say("The key could not be sent. Is the app still running? Try again.");
    }
  });

  return {
    /** focus: a person asked for it. */
    show(needs, focus = false) {
      form.hidden = !needs;
      if (!needs) return;
      if (focus) key.focus();
      form.dataset.service = needs.service;
      setText(find("span", form), `Key for ${needs.title}`);
      setText(page, `Get a key (or set ${needs.variable})`);
      page.href = needs.page;
    },
  };
}
