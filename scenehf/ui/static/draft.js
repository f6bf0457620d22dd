// A picture on its way from one tab to the Edit / Generate tab, which may not be there yet: it waits in this window.

const EDIT_TAB = "Edit / Generate";
const DRAFT = "scenehf-draft";

/** A step's layer, as the Edit / Generate tab wants it. The address of an asset names its job and itself. */
function draftOf({ key, name, layer }) {
  const [job, ...path] = new URL(layer.full, location.href).pathname.split("/scenehf/asset/")[1].split("/");
  const { width, height, url, full } = layer;
  return { job, asset: decodeURIComponent(path.join("/")), key, name, width, height, url, full };
}

/** draft: {job, asset, key, name, width, height, url, full}. */
function sendToEdit(draft) {
  sessionStorage.setItem(DRAFT, JSON.stringify(draft));
  tabNamed(EDIT_TAB).click();
  window.dispatchEvent(new Event("scenehf:draft"));
}

/** The picture that waits, once. */
function takeDraft() {
  const kept = sessionStorage.getItem(DRAFT);
  sessionStorage.removeItem(DRAFT);
  try {
    return JSON.parse(kept);
  } catch {
    return null;
  }
}
