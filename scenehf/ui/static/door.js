// Files on their way in: dropped anywhere on a tab, pasted, or picked.

/** onFiles(files, where): where is the part of the page they were dropped on; `whole` for pasted and picked ones. */
function receiveFiles(whole, input, onFiles) {
  const carriesFiles = (event) => Boolean(event.dataTransfer && event.dataTransfer.types.includes("Files"));

  input.addEventListener("change", () => {
    if (input.files.length) onFiles([...input.files], whole);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") input.click();
  });
  whole.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    whole.classList.add("is-over");
  });
  whole.addEventListener("dragleave", (event) => {
    if (!whole.contains(event.relatedTarget)) whole.classList.remove("is-over");
  });
  whole.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    whole.classList.remove("is-over");
    if (event.dataTransfer.files.length) onFiles([...event.dataTransfer.files], event.target);
  });

  function paste(event) {
    if (!element.isConnected) {
      document.removeEventListener("paste", paste);
      return;
    }
    const files = event.clipboardData ? [...event.clipboardData.files] : [];
    if (!files.length || !inView()) return;
    event.preventDefault();
    onFiles(files, whole);
  }
  document.addEventListener("paste", paste);
}
