// Typing another title in place, in a row of the History tab.

/** Enter or leaving the field: onKeep(job, text); Escape: as it was; an empty one: onEmpty(), and the typing goes on. */
function renameRow(row, { onKeep, onEmpty }) {
  if (row.leave) return;
  const { input, title, job } = row;
  row.leave = () => {
    row.leave = input.onblur = input.onkeydown = null;
    input.hidden = true;
    title.hidden = false;
    setText(title, nameOf(row.job));
  };
  input.value = job.title;
  input.hidden = false;
  title.hidden = true;
  input.removeAttribute("aria-invalid");
  input.setAttribute("aria-label", "New name");
  input.focus({ preventScroll: true });
  input.select();
  const back = () => {
    row.leave();
    row.node.focus({ preventScroll: true });
  };
  input.onblur = () => {
    const text = input.value.trim();
    row.leave();
    if (text && document.hasFocus()) onKeep(job, text);
  };
  input.onkeydown = (event) => {
    event.stopPropagation();
    if (event.isComposing) return;
    const text = input.value.trim();
    if (event.key === "Escape") back();
    if (event.key !== "Enter") return;
    if (text) {
      back();
      onKeep(job, text);
    } else {
      onEmpty();
      input.setAttribute("aria-invalid", "true");
    }
  };
}
