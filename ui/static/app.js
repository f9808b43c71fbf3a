// What all pages share: theme, times, confirmations, and actions that say what happened.
import { ago } from "./words.js";

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A label as all pages show it; it leads to the experiments that have it. */
export function chip([name, value]) {
  const { base } = document.documentElement.dataset;
  return element("a", { class: "chip", href: `${base}/?label=${encodeURIComponent(`${name}=${value}`)}` }, `${name}=${value}`);
}

export function toast(text, bad = false) {
  const shown = element("div", { class: bad ? "toast bad" : "toast" }, text);
  document.getElementById("toasts").append(shown);
  setTimeout(() => shown.remove(), bad ? 15000 : 5000);
}

/** Ask the server; resolves to the answer, rejects with what a person should read. What its signal takes back does neither. */
export async function ask(url, options = {}) {
  let response;
  try {
    response = await fetch(url, { ...options, headers: { "Content-Type": "application/json", ...options.headers } });
  } catch {
    if (options.signal?.aborted) return new Promise(() => {});
    throw new Error("The server does not answer. Is `tunewright ui` still running?");
  }
  if (response.ok) return response.json();
  const problem = await response.json().catch(() => ({}));
  throw new Error(problem.detail || `${response.status} ${response.statusText}`);
}

const PATIENCE = 3000;

/** Listen to events; returns what ends it. By itself a browser asks again while nobody answers, but not once it was refused, as by a proxy while the server restarts. */
export function listen(url, events) {
  let source = null;
  let later = null;
  const begin = () => {
    source = new EventSource(url);
    for (const [name, told] of Object.entries(events)) source.addEventListener(name, told);
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) later = setTimeout(begin, PATIENCE);
    });
  };
  const end = () => {
    clearTimeout(later);
    source.close();
  };
  begin();
  return end;
}

export function confirmed(text) {
  const dialog = document.getElementById("confirm");
  document.getElementById("confirm-text").textContent = text;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

export async function act(button, url, method, body) {
  button.disabled = true;
  try {
    const answer = await ask(url, { method, body: body && JSON.stringify(body) });
    toast(answer.message);
    return true;
  } catch (error) {
    toast(error.message, true);
    return false;
  } finally {
    button.disabled = false;
  }
}

async function pressed(button) {
  const { post, delete: gone, confirm, then } = button.dataset;
  if (confirm && !(await confirmed(confirm))) return;
  const tell = (what) => document.dispatchEvent(new CustomEvent(what));
  if (then) tell("leaving");
  const done = await act(button, post ?? gone, post ? "POST" : "DELETE");
  if (done && then) location.assign(then);
  else if (done) tell("acted");
  else if (then) tell("staying");
}

export function showTimes(root = document) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = Date.parse(time.dateTime);
    if (Number.isNaN(moment)) continue;
    time.title = new Date(moment).toLocaleString();
    time.textContent = ago(moment / 1000);
  }
}

function switchTheme() {
  const { dataset } = document.documentElement;
  dataset.theme = dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("tunewright-theme", dataset.theme);
}

document.getElementById("theme")?.addEventListener("click", switchTheme);
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-post], button[data-delete]");
  if (button) pressed(button);
});
showTimes();
setInterval(showTimes, 10000);
