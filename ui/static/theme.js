// Runs before the page is painted, so that nobody sees the other theme for a moment.
const system = matchMedia("(prefers-color-scheme: dark)");

function showTheme() {
  const chosen = localStorage.getItem("tunewright-theme");
  document.documentElement.dataset.theme = chosen ?? (system.matches ? "dark" : "light");
}

showTheme();
system.addEventListener("change", showTheme);
