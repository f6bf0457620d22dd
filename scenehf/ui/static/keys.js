// The keyboard: what each key does in the open tab. No key does anything while somebody types, or in a hidden tab.

/**
 * keys: [key, what it does] as the help lists them. taken(): whether a tool has the keys now. on: a map from a key's name
 * ("Enter", "a", "ArrowUp", "Alt+ArrowUp", "Mod+z") to what it does; false: not now.
 */
function keyboard(keys, taken, on) {
  const dialog = find(".shf-help");
  find("dl", dialog).append(...keys.flatMap(([key, what]) => [make("dt", "", key), make("dd", "", what)]));
  find(".shf-keys").addEventListener("click", () => dialog.showModal());

  const types = (node) => node.matches("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable=true]");
  // A key that the focused part of the page has a use for is left to it.
  const owns = (node, key) => node.closest("button, a, summary, label, [role=slider]") && (key === "Enter" || key === " ");

  function press(event) {
    if (!element.isConnected) {
      document.removeEventListener("keydown", press);
      return;
    }
    const { target } = event;
    if (!inView() || taken() || event.defaultPrevented || dialog.open || types(target) || owns(target, event.key)) return;
    const outside = target !== document.body && !element.contains(target);
    if (outside) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const name = `${event.ctrlKey || event.metaKey ? "Mod+" : ""}${event.altKey ? "Alt+" : ""}${key}`;
    if (key === "?") dialog.showModal();
    else if (!on[name] || on[name]() === false) return;
    event.preventDefault();
  }
  document.addEventListener("keydown", press);
}
