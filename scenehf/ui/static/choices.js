// Who reads the photo and who cuts it, with prices, and the field for a key.

function choicesPanel({ say }) {
  const planner = find(".shf-planner");
  const engine = find(".shf-engine");
  const cost = find(".shf-cost");
  const keys = keyForm({ say, onKept: load });
  const where = find(".shf-where");
  const stays = where.textContent;
  let offered = null;

  const picked = (select, rows) => rows.find((row) => row.id === select.value) || rows[0];

  function fill(select, rows, usual) {
    const kept = select.value || usual;
    select.replaceChildren(
      ...rows.map((row) => {
        const option = make("option", "", `${row.title} · ${priceWords(row)}`);
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
    keys.entered(offered.entered);
    const needs = reads.needs || cuts.needs;
    keys.show(needs);
    if (needs) find(".shf-choices").open = true; // what is usual here cannot be used without it
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
  load();

  return {
    options: () => (offered ? [engine.value, planner.value] : []),
    refresh: load,
    /** How the day's spending stands, as a job tells it to the owner, with its limit. */
    spent: (spent, usd) => spentWords(spent && { ...spent, day: offered?.spent?.day }, usd),
  };
}
