// The bar above the tabs. Light or dark follows the system until a person chooses.
const THEME_KEY = "scenehf-theme";

const chosen = localStorage.getItem(THEME_KEY);
if (chosen) document.body.classList.toggle("dark", chosen === "dark");

element.querySelector("button").addEventListener("click", () => {
  const dark = document.body.classList.toggle("dark");
  localStorage.setItem(THEME_KEY, dark ? "dark" : "light");
});
