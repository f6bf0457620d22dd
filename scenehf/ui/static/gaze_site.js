// What is looked at: the photo, then the cells as they come, then the very page that is exported. And beside it what
// a person takes home.

const SAID = "Move the pointer over it; on a phone, drag a finger or allow it to follow the tilt.";
const WORDS = { "loop.mp4": "Film, a loop", "contact.jpg": "Contact sheet" };

function siteScreen() {
  const growing = find(".shf-turn img");
  const frame = find(".shf-turn iframe");
  const caption = find(".shf-caption");
  const home = find(".shf-home");
  const embed = find(".shf-embed");
  const figures = find(".shf-figures");
  const copy = find(".shf-copy");
  let latest = null; // the newest picture of the cells made so far

  function look(page, photo) {
    frame.hidden = !page;
    growing.hidden = Boolean(page);
    if (frame.dataset.url !== (page || "")) {
      frame.dataset.url = page || "";
      if (page) frame.src = page;
      else frame.removeAttribute("src");
    }
    setPicture(growing, page ? null : latest || photo);
    growing.alt = latest ? "The cells made so far" : "The photo";
    setText(caption, page ? SAID : "");
  }

  function row(file) {
    const link = make("a", "", WORDS[file.name] || file.name);
    link.href = file.url;
    link.setAttribute("download", "");
    return make("li", "", null, link, make("span", "", size(file.bytes)));
  }

  function downloads({ files, parts }) {
    const [zip, ...others] = files;
    const save = find(".shf-save");
    save.href = zip.url;
    setText(save, `Download the page · ${size(zip.bytes)}`);
    const [list, single] = home.querySelectorAll(".shf-files");
    list.replaceChildren(...others.map(row));
    setText(find("summary", home), `Single files: ${parts.length}`);
    single.replaceChildren(...parts.map(row));
  }

  /** What is known of the grid: what was asked for, then what the finished page says of itself. */
  function tell({ options, site }) {
    const about = site ? site.about : { gridSize: options.grid, mobileGridSize: options.mobile, hasAlpha: options.cutout };
    const [wide, phone] = site
      ? [`${about.imageWidth} × ${about.imageHeight} px`, `${about.mobileImageWidth} × ${about.mobileImageHeight} px`]
      : [`${options.cell} px`, ""];
    const pairs = [
      ["Grid", `${about.gridSize} × ${about.gridSize} cells of ${wide}`],
      ["On phones", `${about.mobileGridSize} × ${about.mobileGridSize} cells${phone && ` of ${phone}`}`],
      ["Background", about.hasAlpha ? "cut away" : "kept"],
    ];
    if (site) {
      const { ranges, calibration } = about;
      const [yaw, pitch, gaze] = [calibration.yaw, calibration.pitch, calibration.gaze].map((factor) => factor.toFixed(2));
      pairs.push(["Turns", `${ranges.yaw}° to each side, ${ranges.pitch}° up and down`]);
      pairs.push(["Calibration", `${yaw} sideways, ${pitch} up and down, ${gaze} eyes`]);
    }
    find("dl", figures).replaceChildren(...pairs.flatMap(([word, figure]) => [make("dt", "", word), make("dd", "", figure)]));
  }

  copy.addEventListener("click", async () => {
    const lines = find("pre", embed);
    const done = navigator.clipboard && (await navigator.clipboard.writeText(lines.textContent).then(() => true, () => false));
    if (!done) getSelection().selectAllChildren(lines);
    setText(copy, done ? "Copied" : "Selected: copy it with Ctrl C");
    setTimeout(() => setText(copy, "Copy"), 2000);
  });

  return {
    show(view) {
      const { site, photo } = view;
      look(site && site.page, photo.url);
      home.hidden = embed.hidden = !site;
      if (site) downloads(site);
      tell(view);
    },
    preview(url) {
      latest = url;
      if (!frame.hidden) return;
      setPicture(growing, url);
      growing.alt = "The cells made so far";
    },
    /** What was made so far is of other options, or of another job. */
    forget() {
      latest = null;
    },
    clear() {
      latest = null;
      look(null, null);
    },
  };
}
