// A person's note on an experiment and its labels: shown, and written in a dialog.
import { act, chip } from "./app.js";

const at = (id) => document.getElementById(id);

function written(labels) {
  return Object.entries(labels).map(([name, value]) => `${name}=${value}`);
}

/** What is typed, one `name=value` a line, as changes of what was there: null takes one away. */
export function changesOf(labels, text) {
  const typed = text.split("\n").map((line) => line.trim()).filter(Boolean).map((line) => {
    const [name, ...rest] = line.split("=");
    return [name.trim(), rest.join("=").trim()];
  });
  const wanted = new Map(typed);
  const gone = Object.keys(labels).filter((name) => !wanted.has(name)).map((name) => [name, null]);
  return Object.fromEntries([...gone, ...typed.filter(([name, value]) => labels[name] !== value)]);
}

/** Let the remarks of an experiment be edited; returns what shows them as they are now. */
export function remarks(api) {
  const dialog = at("remarks");
  const [note, labels] = dialog.querySelectorAll("textarea");
  let known = null;

  function edit() {
    const { note: noteBefore, labels: before } = known;
    note.value = noteBefore;
    labels.value = written(before).join("\n");
    dialog.returnValue = "no";
    dialog.showModal();
    dialog.addEventListener("close", () => {
      if (dialog.returnValue !== "yes") return;
      const body = { labels: changesOf(before, labels.value) };
      if (note.value !== noteBefore) body.note = note.value;
      if (body.note !== undefined || Object.keys(body.labels).length) act(at("remark"), api, "PATCH", body);
    }, { once: true });
  }

  at("remark").addEventListener("click", edit);
  return (experiment) => {
    known = experiment;
    at("remark").disabled = false;
    at("note").textContent = experiment.note;
    at("labels").replaceChildren(...Object.entries(experiment.labels).map(chip));
  };
}
