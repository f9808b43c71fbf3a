// Best so far of several experiments in one plot.
import { ask } from "./app.js";
import { linePlot } from "./line.js";

async function line(head) {
  const { objectives, trials } = await ask(`${head.dataset.api}/columns`);
  const lower = objectives[0].direction === "minimize";
  const ended = trials.index
    .map((_, place) => place)
    .filter((place) => trials.finished[place] !== null)
    .sort((one, other) => trials.finished[one] - trials.finished[other]);
  const points = [];
  let best = null;
  ended.forEach((place, count) => {
    const value = trials.value[place];
    if (trials.good[place] && typeof value === "number" && (best === null || (lower ? value < best : value > best))) best = value;
    if (best !== null) points.push([count + 1, best]);
  });
  return { name: head.dataset.name, points, metric: objectives[0].metric };
}

const root = document.getElementById("compare");
if (root) {
  const lines = await Promise.all([...document.querySelectorAll("#beside th[data-api]")].map(line));
  linePlot(root)({ lines, x: "finished trials", y: lines[0].metric, step: "end" });
}
