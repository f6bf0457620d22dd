// The export form and the files that the last export wrote.

function exportScreen({ onExport }) {
  const form = find(".shf-export");
  const list = find(".shf-files");
  const button = find("button", form);
  const formats = [...form.querySelectorAll("input[type=checkbox]")];
  const contents = find(".shf-contents");
  const edges = [...form.querySelectorAll("input[type=radio]")];
  let job = null;
  let idle = true;
  let scene = null; // the view whose scene can be exported

  const wanted = () => formats.filter((box) => box.checked).map((box) => box.name);

  function allow() {
    button.disabled = !idle || wanted().length === 0;
  }

  function preset(order) {
    for (const box of formats) box.checked = order.formats.includes(box.name);
    for (const radio of edges) radio.checked = radio.value === order.edges;
  }

  function row(file) {
    const link = make("a", "", file.name);
    link.href = file.url;
    link.setAttribute("download", "");
    return make("li", "", null, link, make("span", "", size(file.bytes)));
  }

  /** What the files will hold, before they are written. */
  function tell(view) {
    const { layers } = view.scene;
    setText(find("summary", contents), `Inside: ${layers.length} ${layers.length === 1 ? "layer" : "layers"}, the background, the documents`);
    const at = (layer) => `${layer.width} × ${layer.height} at ${layer.x}, ${layer.y}`;
    const rows = [...layers].reverse().map((layer) => [layer.name, at(layer)]);
    rows.push(["Background", `${view.photo.width} × ${view.photo.height}`]);
    if (formats.some((box) => box.checked && box.name === "zip")) rows.push(["plan, job, report", "JSON, in the ZIP"]);
    find("ul", contents).replaceChildren(...rows.map(([what, where]) => make("li", "", null, make("span", "", what), make("small", "", where))));
  }

  form.addEventListener("change", () => {
    allow();
    if (scene) tell(scene);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onExport({ formats: wanted(), edges: edges.find((radio) => radio.checked).value });
  });

  return {
    show(view, isIdle) {
      if (job !== view.id) preset(view.order);
      job = view.id;
      idle = isIdle;
      form.hidden = !view.scene;
      scene = view.scene ? view : null;
      if (scene) tell(scene);
      setText(button, idle ? "Export" : "Working…");
      list.replaceChildren(...view.files.map(row));
      allow();
    },
    clear() {
      job = scene = null;
      form.hidden = true;
    },
  };
}
