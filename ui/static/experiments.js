// Keeps the list as it is on the server, while nobody is using it.
import { showTimes } from "./app.js";

const SECONDS = 3;

async function refresh() {
  const list = document.getElementById("list");
  const busy = !list || document.hidden || list.contains(document.activeElement) || list.querySelector(":checked");
  if (busy) return;
  const response = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!response?.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("list");
  if (fresh && !list.querySelector(":checked")) {
    list.replaceChildren(...fresh.children);
    showTimes(list);
  }
}

setInterval(refresh, SECONDS * 1000);
