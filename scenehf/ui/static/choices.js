// Who reads the photo and who cuts it, with prices, and the field for a key.

const money = (usd) => (usd ? `$${usd < 0.1 ? usd.toFixed(usd < 0.01 ? 3 : 2) : usd.toFixed(2)}` : "free");

/** A button that costs says so before it is pressed. */
const priced = (words, usd) => (usd ? `${words} · up to ${money(usd)}` : words);

/** "Today $0.21 of $5.00"; "" where nothing has been spent and nothing will be. */
function spentWords(spent, usd) {
  if (!spent || !(spent.today || usd)) return "";
  const cap = spent.day === undefined ? "" : ` of $${spent.day.toFixed(2)}`;
  const open = spent.uncertain ? `, ${spent.uncertain} payment${spent.uncertain > 1 ? "s" : ""} open` : "";
  return `Today $${spent.today.toFixed(2)}${cap}${open}`;
}

function choicesPanel({ say }) {
  const planner = find(".shf-planner");
  const engine = find(".shf-engine");
  const cost = find(".shf-cost");
  const form = find(".shf-key");
  const key = find("input", form);
  const page = find("a", form);
  const where = find(".shf-where");
  const stays = where.textContent;
  let offered = null;

  const picked = (select, rows) => rows.find((row) => row.id === select.value) || rows[0];

  function fill(select, rows, usual) {
    const kept = select.value || usual;
    select.replaceChildren(
      ...rows.map((row) => {
        const option = make("option", "", `${row.title} · ${row.usd ? `up to ${money(row.usd)}` : "free"}`);
        option.value = row.id;
        return option;
      }),
    );
    select.value = kept;
  }

  function show() {
    const reads = picked(planner, offered.planners);
    const cuts = picked(engine, offered.engines);
    const parts = [];
    if (reads.usd) parts.push(`Reading the photo costs up to ${money(reads.usd)}, as soon as you choose it`);
    if (cuts.usd) parts.push(`Each layer costs up to ${money(cuts.usd)}, the background ${cuts.plate ? `up to ${money(cuts.plate)}` : "nothing"}, when you press Run`);
    const today = spentWords(offered.spent, reads.usd + cuts.usd);
    setText(cost, [...parts, today].filter(Boolean).map((words) => `${words}.`).join(" "));
    const sees = [...new Set([reads.goes, cuts.goes].filter(Boolean))];
    setText(where, sees.length ? `It is sent to ${sees.join(" and ")}.` : stays);
    const needs = reads.needs || cuts.needs;
    form.hidden = !needs;
    if (!needs) return;
    find(".shf-choices").open = true; // what is usual here cannot be used without it
    form.dataset.service = needs.service;
    setText(find("span", form), `Key for ${needs.title}`);
    setText(page, `Get a key (or set ${needs.variable})`);
    page.href = needs.page;
  }

  async function load() {
    try {
      offered = await ask("choices");
      fill(planner, offered.planners, offered.usual.planner);
      fill(engine, offered.engines, offered.usual.engine);
      show();
    } catch {
      find(".shf-choices").hidden = true; // what is usual is used
    }
  }

  for (const select of [planner, engine]) select.addEventListener("change", show);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const sent = { service: form.dataset.service, key: key.value };
      const headers = { "content-type": "application/json" };
      const answer = await fetch("scenehf/key", { method: "POST", headers, body: JSON.stringify(sent) });
      key.value = "";
      if (answer.status === 403) say((await answer.json()).error);
      else if (!answer.ok) say("That is no key. Copy it again from the service's page.");
      else say("");
      await load();
    } catch {
      say("The key could not be sent. Is the app still running? Try again.");
    }
  });
  load();

  return {
    options: () => (offered ? [engine.value, planner.value] : []),
    refresh: load,
    /** How the day's spending stands, as a job tells it, with its limit. */
    spent: (spent, usd) => spentWords({ ...spent, day: offered ? offered.spent.day : undefined }, usd),
  };
}
