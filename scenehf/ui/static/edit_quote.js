// What it will take, said before the click: on the button, and in a line over it.

const QUOTE_AFTER = 250; // ms without a change before the server is asked

/** asked(): what the form says; sizes(), masked(): of the pictures that go in; model(), spent(): as the server told them. */
function quoteScreen({ asked, inputs, model, spent }) {
  const button = find(".shf-go button");
  const problem = find(".shf-problem");
  const figures = find(".shf-figures");
  let timer = 0;
  let round = 0;
  let quoted = null;
  let sending = false;
  let stale = false; // something was changed since

  async function look() {
    round += 1;
    const mine = round;
    try {
      const sizes = inputs.all.map(({ width, height }) => [width, height]);
      const answer = await ask("estimate", asked(), sizes, Boolean(inputs.mask));
      if (mine !== round) return;
      quoted = answer.error ? { usd: 0, seconds: null, compute: null, problem: answer.error } : answer;
    } catch {
      quoted = null;
    }
    stale = false;
    show();
  }

  const lasts = (seconds) => (seconds < 90 ? `about ${Math.max(1, Math.round(seconds))} s` : `about ${clock(seconds)}`);

  /** The button says what it does and what it costs, and is off where it would be refused. */
  function show() {
    const edits = inputs.all.length > 0 || model().group === "Edit";
    const { count } = asked();
    const words = [`${edits ? "Edit" : "Make"}${count > 1 ? ` ${count} pictures` : ""}`];
    if (quoted) {
      words.push(quoted.usd ? `up to ${money(quoted.usd)}` : "free");
      if (quoted.seconds !== null) words.push(lasts(quoted.seconds));
    }
    setText(button, sending ? "Sending…" : words.join(" · "));
    button.disabled = sending || !quoted || Boolean(quoted.problem);
    setText(problem, quoted ? quoted.problem : "");
    setText(figures, facts());
  }

  function facts() {
    const { local, memory, size } = model();
    const [first] = inputs.all;
    const said = [];
    if (quoted && quoted.compute !== null) {
      said.push(`${quoted.compute < 10 ? quoted.compute.toFixed(1) : Math.round(quoted.compute).toLocaleString()} megapixel-steps`);
    }
    if (local && memory) said.push(`${(memory / 1000).toFixed(1)} GB of memory`);
    if (first && size === "preserve") said.push(`${first.width} × ${first.height} px, as it is`);
    return [said.join(" · "), quoted && quoted.usd && spentWords(spent(), quoted.usd)].filter(Boolean).join(". ");
  }

  return {
    /** Something has changed. */
    soon() {
      stale = true;
      clearTimeout(timer);
      timer = setTimeout(look, QUOTE_AFTER);
    },
    show,
    /** Whether it can be sent for what the button says: a change of the last moment may have made it dearer. */
    async agreed() {
      if (!stale) return !button.disabled;
      const seen = quoted ? quoted.usd : 0;
      clearTimeout(timer);
      await look();
      return !button.disabled && quoted.usd <= seen;
    },
    set sending(is) {
      sending = is;
      show();
    },
  };
}
