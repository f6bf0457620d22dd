// The bar above the tabs. Light or dark follows the system until a person chooses.
const THEME_KEY = "scenehf-theme";

const chosen = localStorage.getItem(THEME_KEY);
if (chosen) document.body.classList.toggle("dark", chosen === "dark");

// Gradio may have measured its tabs before our style sheets came, and have put one into a menu for which there is room.
window.dispatchEvent(new Event("resize"));

// In an app that asks people who they are: in, or out again.
const account = element.querySelector(".shf-account");
if (account) {
  fetch("scenehf/me")
    .then((answer) => answer.json())
    .then(({ name }) => {
      if (name) {
        account.textContent = `Sign out ${name}`;
        account.href = "logout";
        account.target = "_self";
      }
      account.hidden = !name && !account.dataset.oauth;
    })
    .catch(() => {}); // then it stays away
}

element.querySelector("button").addEventListener("click", () => {
  const dark = document.body.classList.toggle("dark");
  localStorage.setItem(THEME_KEY, dark ? "dark" : "light");
});
