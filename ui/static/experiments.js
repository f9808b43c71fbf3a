// The list, alive: rows that are shown follow what happens, and the page is read anew when others may enter it.
import { chip, listen, showTimes } from "./app.js";
import { number } from "./words.js";

const { base } = document.documentElement.dataset;
const PAUSE = 2000; // the least milliseconds between two readings of the page
const counted = (value) => value.toLocaleString("en-US");

let timer = null;
let readAt = -PAUSE;

const list = () => document.getElementById("list");
const rowOf = (uid) => list()?.querySelector(`tr[data-uid="${CSS.escape(uid)}"]`);

/** Show in a row what an experiment is now. */
function fill(row, item) {
  const at = (selector) => row.querySelector(selector);
  Object.assign(at(".state"), { className: `state ${item.shown_state}`, textContent: item.shown_state });
  at(".interrupted").classList.toggle("hidden", item.driven);
  const { finished } = item.trials;
  const limit = item.max_trials;
  if (at("progress")) Object.assign(at("progress"), { max: limit ?? 1, value: finished });
  at(".counts").textContent = limit ? `${counted(finished)} / ${counted(limit)}` : counted(finished);
  const best = item.best?.value;
  Object.assign(at(".best"), { textContent: number(best), title: best ?? "" });
  at(".chips").replaceChildren(...Object.entries(item.labels).map(chip));
  Object.assign(at(".note"), { textContent: item.note, title: item.note });
}

/** Take the page in as the server has it; what is ticked and what has the focus stays. */
async function read() {
  timer = null;
  readAt = performance.now();
  const response = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!response?.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  if (!list() || !fresh.getElementById("list")) {
    if (fresh.getElementById("list")) location.reload();
    return;
  }
  const ticked = new Set([...list().querySelectorAll(":checked")].map(({ value }) => value));
  const focused = document.activeElement?.closest?.("#list tr")?.dataset.uid;
  const place = focused && [...rowOf(focused).querySelectorAll("a, input")].indexOf(document.activeElement);
  for (const id of ["list", "found", "pages"]) {
    document.getElementById(id).replaceChildren(...fresh.getElementById(id).childNodes);
  }
  list().dataset.now = fresh.getElementById("list").dataset.now;
  for (const box of list().querySelectorAll("input")) box.checked = ticked.has(box.value);
  if (focused) rowOf(focused)?.querySelectorAll("a, input")[place]?.focus();
  showTimes(list());
}

function readSoon() {
  timer ??= setTimeout(read, Math.max(0, readAt + PAUSE - performance.now()));
}

function changed({ experiments, gone, more }) {
  const since = Number(list()?.dataset.now ?? 0);
  const mayEnter = list()?.dataset.mayEnter !== undefined;
  for (const item of experiments) {
    const row = rowOf(item.uid);
    if (row) fill(row, item);
    if (mayEnter || (!row && item.created_at > since)) readSoon();
  }
  if (more || gone.length) readSoon();
}

listen(`${base}/api/v1/experiments/live`, {
  open: readSoon, // what happened before it was open
  change: (event) => changed(JSON.parse(event.data)),
});
