// Runs before the page is painted, so that nobody sees the other theme for a moment.
const chosen = localStorage.getItem("tunewright-theme");
if (chosen) document.documentElement.dataset.theme = chosen;
