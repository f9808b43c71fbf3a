// One trial, alive: its metrics and its log, until it has ended.
import { ask, element } from "./app.js";
import { linePlot } from "./line.js";

const root = document.getElementById("trial");
const { api, metric: objective } = root.dataset;
const at = (id) => document.getElementById(id);
const ENDED = new Set(["Succeeded", "Failed", "Killed", "EarlyStopped", "MetricsUnavailable"]);
const SECONDS = 1.5;

let draw = null;
let tag = null;
let shown = null; // the attempt

const samples = { metric: [], at: [], step: [], value: [] };
let reading = null;

/** Ask for what was reported since the last answer; return why there is none. */
async function readOn() {
  for (;;) {
    const last = samples.at.at(-1);
    const known = samples.at.length - samples.at.indexOf(last);
    const answer = await ask(`${api}/metrics${last === undefined ? "" : `?since=${last}&skip=${known}`}`);
    for (const [name, column] of Object.entries(samples)) for (const each of answer[name]) column.push(each);
    if (!answer.more) return answer.why;
  }
}

async function showMetrics() {
  reading ??= readOn().catch((error) => error.message).finally(() => { reading = null; });
  const why = await reading;
  const names = [...new Set(samples.metric)];
  const select = at("metric");
  const known = new Set([...select.options].map((option) => option.value));
  for (const name of names) if (!known.has(name)) select.append(element("option", { selected: name === objective }, name));
  at("curve").classList.toggle("hidden", !names.length);
  at("curve-empty").classList.toggle("hidden", names.length > 0);
  at("curve-empty").textContent = why || "It has reported nothing yet.";
  if (!names.length) return;
  const points = [];
  samples.metric.forEach((name, place) => {
    if (name === select.value) points.push([samples.step[place] ?? points.length + 1, samples.value[place]]);
  });
  draw ??= linePlot(at("curve"));
  const hasSteps = samples.step.some((step) => step !== null);
  draw({ lines: [{ name: select.value, points }], x: hasSteps ? "step" : "report", y: select.value });
}

async function showLog() {
  const url = `${api}/log?stream=${at("stream").value}&tail=${at("tail").value}`;
  const response = await fetch(url, { headers: tag ? { "If-None-Match": tag } : {} }).catch(() => null);
  if (!response || response.status === 304 || !response.ok) return;
  tag = response.headers.get("ETag");
  const log = at("log");
  const follows = log.scrollTop + log.clientHeight > log.scrollHeight - 20;
  log.textContent = (await response.text()) || "It wrote nothing.";
  if (follows) log.scrollTop = log.scrollHeight;
}

async function look() {
  await Promise.all([showMetrics(), showLog()]);
  const { state, attempt } = await ask(api).catch(() => ({ state: root.dataset.state, attempt: shown }));
  shown ??= attempt;
  if (state !== root.dataset.state || attempt !== shown) {
    location.reload();
    return;
  }
  const follows = !ENDED.has(state);
  at("following").textContent = follows ? "following" : "";
  if (follows) setTimeout(look, SECONDS * 1000);
}

at("metric").addEventListener("change", showMetrics);
for (const id of ["stream", "tail"]) at(id).addEventListener("change", () => { tag = null; showLog(); });
document.addEventListener("acted", () => setTimeout(() => location.reload(), 600));
look();
