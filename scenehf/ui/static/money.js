// Prices in words.

/** Tenths of a cent below ten cents, where there are some: an upper bound is not rounded down. */
const money = (usd) => (usd ? `$${usd < 0.1 && Math.round(usd * 1000) % 10 ? usd.toFixed(3) : usd.toFixed(2)}` : "free");

/** What stands beside a choice: its upper price, or how else it is paid for. usd null: nobody knows. */
function priceWords({ usd, billed }) {
  if (usd === null) return "no known price";
  return usd ? `up to ${money(usd)}` : billed || "free";
}

/** A button that costs says so before it is pressed. */
const priced = (words, usd) => (usd ? `${words} · up to ${money(usd)}` : words);

/** "Today $0.21 of $5.00"; "" where nothing has been spent and nothing will be. */
function spentWords(spent, usd) {
  if (!spent || !(spent.today || usd)) return "";
  const cap = spent.day === undefined ? "" : ` of $${spent.day.toFixed(2)}`;
  const open = spent.uncertain ? `, ${spent.uncertain} payment${spent.uncertain > 1 ? "s" : ""} open` : "";
  return `Today $${spent.today.toFixed(2)}${cap}${open}`;
}
