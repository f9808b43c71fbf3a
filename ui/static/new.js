// The editor: says what is wrong as one types, and begins the experiment.
import { ask, element, toast } from "./app.js";

const { base } = document.documentElement.dataset;
const at = (id) => document.getElementById(id);
const text = at("text");
let timer = null;
let asked = 0;

function showVerdict({ valid, experiments, faults }) {
  const shown = valid
    ? element("p", { class: "fine" }, `✔ ${experiments.join(", ")} is fine.`)
    : element("ul", { class: "faults" }, ...faults.map(({ path, message, remedy, line }) =>
        element("li", {},
          element("strong", {}, [line ? `line ${line}` : "", path].filter(Boolean).join(", ")),
          ` ${message} `,
          remedy ? element("span", { class: "remedy" }, `(${remedy})`) : null)));
  at("verdict").replaceChildren(shown);
  text.setAttribute("aria-invalid", !valid);
}

async function check() {
  asked += 1;
  const mine = asked;
  try {
    const verdict = await ask(`${base}/api/v1/validate`, { method: "POST", body: JSON.stringify({ text: text.value }) });
    if (mine === asked) showVerdict(verdict);
  } catch (error) {
    toast(error.message, true);
  }
}

async function write({ space, trials, parallel, ...given }) {
  const parameters = space.split("\n").map((line) => line.trim()).filter(Boolean);
  const draft = { ...given, parameters, trials: Number(trials) || null, parallel: Number(parallel) || null };
  try {
    ({ text: text.value } = await ask(`${base}/api/v1/draft`, { method: "POST", body: JSON.stringify(draft) }));
    check();
  } catch (error) {
    toast(error.message, true);
  }
}

async function begin() {
  at("begin").disabled = true;
  try {
    const body = { text: text.value, workdir: at("workdir")?.value || null };
    const { namespace, name } = await ask(`${base}/api/v1/experiments`, { method: "POST", body: JSON.stringify(body) });
    location.assign(`${base}/experiments/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`);
  } catch (error) {
    toast(error.message, true);
    at("begin").disabled = false;
  }
}

text.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(check, 300);
});
at("open").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (file) {
    text.value = await file.text();
    check();
  }
});
at("short").addEventListener("submit", (event) => {
  event.preventDefault();
  write(Object.fromEntries(new FormData(event.target)));
});
at("begin").addEventListener("click", begin);
check();
