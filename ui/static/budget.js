// The budget of an experiment: shown as it is now, and changed in a dialog.
import { act } from "./app.js";

const at = (id) => document.getElementById(id);

/** The fields of the dialog, by their path in the Experiment. */
function valuesOf(experiment) {
  return {
    maxTrialCount: experiment.max_trials,
    parallelTrialCount: experiment.parallel_trials,
    "objective.goal": experiment.objective.goal,
  };
}

/** What is typed as changes of what was there; only a goal can be left out again, by null. */
export function changesOf(before, typed) {
  const changed = Object.entries(typed).filter(([path, text]) => text !== String(before[path] ?? ""));
  return Object.fromEntries(changed
    .filter(([path, text]) => text !== "" || path === "objective.goal")
    .map(([path, text]) => [path, text === "" ? null : Number(text)]));
}

/** Let a budget be edited; returns what is told the experiment as it is now. */
export function budget(api, button) {
  const dialog = at("budget");
  const inputs = [...dialog.querySelectorAll("input")];
  let known = null;

  function edit() {
    const before = valuesOf(known);
    for (const input of inputs) input.value = before[input.name] ?? "";
    dialog.returnValue = "no";
    dialog.showModal();
    dialog.addEventListener("close", () => {
      if (dialog.returnValue !== "yes") return;
      const changes = changesOf(before, Object.fromEntries(inputs.map((input) => [input.name, input.value])));
      if (Object.keys(changes).length) act(button, api, "PATCH", { changes });
    }, { once: true });
  }

  button.addEventListener("click", edit);
  return (experiment) => {
    known = experiment;
    button.disabled = false;
  };
}
