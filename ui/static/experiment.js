// One experiment, alive: what it does, its best, its plots and its table.
import { ask, element, listen, toast } from "./app.js";
import { budget } from "./budget.js";
import { mount } from "./charts.js";
import { merge } from "./columns.js";
import { showConditions, showEvents } from "./happenings.js";
import { remarks } from "./remarks.js";
import { tabs } from "./tabs.js";
import { trialTable } from "./trials.js";
import { duration, number } from "./words.js";

const root = document.getElementById("experiment");
const { api, link } = root.dataset;
const REDRAW = 1000;
const FAR = 6; // redraws between two readings of the curves

let data = null;
let plots = null;
let pending = false;
let redraws = 0;
let best = null;
let watching = null; // its signal takes back what is still asked when the page is left

const table = trialTable(link);
const showRemarks = remarks(api);
const knowBudget = budget(api, root.querySelector("[data-edit]"));
const at = (id) => document.getElementById(id);
const read = (url) => ask(url, { signal: watching.signal });

function showState(experiment, driven, says) {
  const ended = experiment.state === "Succeeded" || experiment.state === "Failed";
  const paused = experiment.suspended && !ended;
  const word = paused ? "Paused" : experiment.state;
  Object.assign(at("state"), { className: `state ${word}`, textContent: word });
  const shown = {
    pause: !ended && !paused && driven,
    resume: paused || (!driven && experiment.state !== "Failed"),
    edit: true,
    stop: !ended,
    delete: ended || !driven,
  };
  for (const button of root.querySelectorAll("[data-show]")) {
    button.classList.toggle("hidden", !shown[button.dataset.show]);
  }
  const { total, finished, dropped, ...states } = experiment.trials;
  const progress = at("progress");
  progress.max = experiment.max_trials || Math.max(total, 1);
  progress.value = finished;
  const counted = Object.entries(states).map(([name, count]) => `${count.toLocaleString("en-US")} ${name}`);
  const limit = experiment.max_trials ? ` of ${experiment.max_trials.toLocaleString("en-US")}` : "";
  at("counts").textContent = `${finished.toLocaleString("en-US")}${limit} trials have ended${counted.length ? `: ${counted.join(", ")}` : ""}`;
  at("says").replaceChildren(...says.map((line) => element("li", {}, line)));
  at("active").textContent = duration(experiment.active_seconds);
  at("parallel").textContent = experiment.parallel_trials;
}

function showBest(trial) {
  if (!trial || trial.index === best?.index) return;
  best = trial;
  const shown = number(trial.value);
  at("best").replaceChildren(
    element("div", { class: shown.length > 16 ? "big long" : "big", title: trial.value }, shown),
    element("p", {}, element("a", { href: `${link}/trials/${trial.index}` }, `trial ${trial.index}`)),
    element("dl", { class: "facts" }, ...Object.entries(trial.parameters).flatMap(([name, value]) => [
      element("dt", {}, name),
      element("dd", { title: value }, element("span", { class: "value" }, number(value))),
    ])),
  );
  at("copy-best").classList.remove("hidden");
  showNetwork(trial);
}

/** The network of a trial that has one, drawn by the server. */
async function showNetwork({ index, parameters }) {
  if (!("architecture" in parameters || "search-space" in parameters)) return;
  const response = await fetch(`${link}/trials/${index}/network`, { signal: watching.signal }).catch(() => null);
  if (!response?.ok || index !== best.index) return;
  const drawn = new DOMParser().parseFromString(await response.text(), "text/html");
  at("best-network").replaceChildren(...drawn.body.childNodes);
}

function showDevices() {
  const seconds = data.trials.device_seconds.reduce((sum, each) => sum + (each ?? 0), 0);
  at("devices").textContent = seconds ? `${number(seconds / 3600)} device-hours` : "none used";
}

async function curves(metric) {
  const query = metric ? `?metric=${encodeURIComponent(metric)}` : "";
  const found = await read(`${api}/curves${query}`);
  at("no-curves").classList.toggle("hidden", !found.why);
  at("no-curves").lastElementChild.textContent = found.why;
  return found.curves;
}

function select(indices) {
  at("selection").classList.toggle("hidden", !indices);
  if (indices) at("selection").firstElementChild.textContent = `Chosen trials: ${indices.length}. The table and the plots show only these.`;
  table.select(indices);
  plots?.select(indices);
}

function redraw() {
  pending = false;
  table.update(data);
  showDevices();
  if (plots) plots.update(data);
  else {
    at("charts").replaceChildren();
    at("charts").removeAttribute("aria-busy");
    plots = mount(at("charts"), data, { onSelect: select, curves, href: (index) => `${link}/trials/${index}` });
  }
  if (redraws % FAR === 0 && !at("plots").classList.contains("hidden")) showCurves();
  redraws += 1;
}

/** Curves come by themselves: no other plot waits for them. */
async function showCurves() {
  const found = await curves().catch(() => null);
  if (!found) return;
  data.curves = found;
  plots.update(data);
}

function redrawSoon() {
  if (pending || !data) return;
  pending = true;
  setTimeout(redraw, plots ? REDRAW : 0);
}

async function readAll() {
  const fresh = await read(`${api}/columns`);
  data = { ...fresh, curves: data?.curves ?? [] };
  redrawSoon();
}

/** Keep what a person may change, as it is now. */
function know(experiment) {
  showRemarks(experiment);
  knowBudget(experiment);
}

async function changed(change) {
  showState(change.experiment, change.driven, change.says);
  showBest(change.experiment.best);
  know(change.experiment);
  showConditions(change.conditions);
  showEvents(change.events, link);
  if (!data || change.since > data.position) await readAll();
  else {
    merge(data, change);
    redrawSoon();
  }
}

/** Read what was told before this page listened. */
async function catchUp() {
  know(await read(api));
  showEvents(await read(`${api}/events`), link);
}

function watch() {
  watching = new AbortController();
  const live = (on, text) => Object.assign(at("live"), { className: `muted small live${on ? "" : " off"}`, textContent: text });
  let queue = readAll().catch((error) => toast(error.message, true));
  const end = listen(`${api}/live`, {
    open: () => {
      live(true, "live");
      queue = queue.then(catchUp).catch((error) => toast(error.message, true)); // before what comes after it
    },
    error: ({ target }) => {
      const isRefused = target.readyState === EventSource.CLOSED;
      live(false, isRefused ? "the server refuses to answer; trying again (a reload shows why)" : "the server does not answer; trying again");
    },
    change: (event) => {
      const change = JSON.parse(event.data);
      queue = queue.then(() => changed(change)).catch((error) => toast(error.message, true));
    },
    trouble: (event) => live(false, JSON.parse(event.data).message),
    gone: () => {
      end();
      live(false, "it was deleted");
    },
  });
  watching.signal.addEventListener("abort", end);
}

at("selection").querySelector("button").addEventListener("click", () => select(null));
at("copy-best").addEventListener("click", async () => {
  const { parameters } = await ask(`${api}/trials/best`).catch(() => ({}));
  if (!parameters) return toast("There is no best trial yet.", true);
  await navigator.clipboard.writeText(JSON.stringify(parameters, null, 2));
  return toast("The parameters are on the clipboard.");
});
tabs(root.querySelector('[role="tablist"]'), () => { table.draw(); if (data) redrawSoon(); });
document.addEventListener("leaving", () => watching.abort());
document.addEventListener("staying", watch);
watch();
