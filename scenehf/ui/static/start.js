// Choosing a photo: drop, paste, pick, or one of the examples. The file's bytes travel as they are.

/** onJob(id): a job was made. options(): what else the server is told about it, as a list. */
function startScreen({ onJob, say, options = () => [] }) {
  const section = find(".shf-start");
  const drop = find(".shf-drop");
  const input = find("input[type=file]");
  const title = find(".shf-drop-title");
  const whole = find(".shf-tab");
  const asks = title.textContent;
  let busy = false;

  async function open(what, send) {
    if (busy) return;
    busy = true;
    section.classList.add("is-busy");
    setText(title, what);
    say("");
    try {
      const answer = await send();
      if (answer.error) say(answer.error);
      else onJob(answer.job);
    } catch {
      say("The photo could not be sent. Is the app still running? Try again.");
    } finally {
      busy = false;
      section.classList.remove("is-busy");
      setText(title, asks);
      input.value = "";
    }
  }

  function take(file) {
    if (!file) return;
    open("Opening the photo…", async () => {
      const { path } = await upload(file);
      return ask("create", path, file.name || "Pasted photo", ...options());
    });
  }

  const carriesFiles = (event) => Boolean(event.dataTransfer && event.dataTransfer.types.includes("Files"));

  input.addEventListener("change", () => take(input.files[0]));
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
    take(event.dataTransfer.files[0]);
  });

  function paste(event) {
    if (!element.isConnected) {
      document.removeEventListener("paste", paste);
      return;
    }
    const file = event.clipboardData && event.clipboardData.files[0];
    if (!file || !inView()) return;
    event.preventDefault();
    take(file);
  }
  document.addEventListener("paste", paste);

  for (const button of section.querySelectorAll(".shf-example")) {
    button.addEventListener("click", () => open("Opening the example…", () => ask("example", button.dataset.name, ...options())));
  }

  drop.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target === input) input.click();
  });

  return { show: (shown) => { section.hidden = !shown; } };
}
