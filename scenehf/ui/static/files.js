// The export form and the files that the last export wrote.

function exportScreen({ onExport }) {
  const form = find(".shf-export");
  const list = find(".shf-files");
  const button = find("button", form);
  const formats = [...form.querySelectorAll("input[type=checkbox]")];
  const edges = [...form.querySelectorAll("input[type=radio]")];
  let job = null;
  let idle = true;

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

  form.addEventListener("change", allow);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onExport({ formats: wanted(), edges: edges.find((radio) => radio.checked).value });
  });

  return {
    show(view, isIdle) {
      if (job !== view.id) preset(view.order);
      job = view.id;
      idle = isIdle;
      form.hidden = !view.depth;
      setText(button, idle ? "Export" : "Working…");
      list.replaceChildren(...view.files.map(row));
      allow();
    },
    clear() {
      job = null;
      form.hidden = true;
    },
  };
}
