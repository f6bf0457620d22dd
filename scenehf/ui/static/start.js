// Choosing a photo, or one of the examples. The file's bytes travel as they are.

/** onJob(id): a job was made. options(): what else the server is told about it, as a list. */
function startScreen({ onJob, say, options = () => [] }) {
  const section = find(".shf-start");
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

  receiveFiles(whole, input, (files) => take(files[0]));

  for (const button of section.querySelectorAll(".shf-example")) {
    button.addEventListener("click", () => open("Opening the example…", () => ask("example", button.dataset.name, ...options())));
  }

  return { show: (shown) => { section.hidden = !shown; } };
}
