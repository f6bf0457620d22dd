// The code of a tab comes when the tab is looked at for the first time. It is given what it needs of what
// Gradio gives to such code.
const seen = new ResizeObserver(() => {
  if (element.offsetParent === null) return;
  seen.disconnect();
  fetch(ADDRESS)
    .then((answer) => (answer.ok ? answer.text() : Promise.reject()))
    .then(
      (code) => new Function("element", "server", "upload", code)(element, server, upload),
      () => { element.textContent = "This tab could not be fetched. Is the app still running? Reload the page."; },
    );
});
seen.observe(element);
