// Every picture that was made here, newest first, of all jobs.

const GALLERY_TYPING = 200; // ms without a key before a search

/** onOpen(job, asset): a picture is to be looked at. */
function galleryScreen({ onOpen, say }) {
  const section = find(".shf-gallery");
  const list = find("ul", section);
  const search = find("input[type=search]", section);
  const more = find(".shf-more", section);
  const none = find(".shf-gallery-none", section);
  let before = null;
  let round = 0;
  let timer = 0;

  function tile(item) {
    const image = make("img");
    image.alt = "";
    image.loading = "lazy";
    setPicture(image, item.small);
    const button = make("button", "shf-tile", null, image);
    button.type = "button";
    button.title = item.title;
    button.setAttribute("aria-label", `Open ${item.title}`);
    button.addEventListener("click", () => onOpen(item.job, item.asset));
    const node = make("li", "", null, button);
    node.dataset.job = item.job;
    return node;
  }

  async function load(fresh) {
    round += 1;
    const mine = round;
    try {
      const answer = await ask("made", search.value.trim(), fresh ? null : before, ownJobs.all());
      if (mine !== round) return;
      if (answer.error) return say(answer.error);
      before = answer.before;
      const tiles = answer.items.map(tile);
      if (fresh) list.replaceChildren(...tiles);
      else list.append(...tiles);
      more.hidden = before === null;
      none.hidden = list.childElementCount > 0;
      setText(none, search.value.trim() ? "No picture was made with such words." : "What you make is found here again.");
    } catch {
      // the next look at the tab tries again
    }
  }

  more.addEventListener("click", () => load(false));
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => load(true), GALLERY_TYPING);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });

  return { load: () => load(true) };
}
