// How values went: over trials, and while each of them ran.
import { colour, grid, halo, legend, NO_NUMBER, numbers, stateOf, tip } from "./chart_axes.js";
import { bestSoFar, finite, isLower } from "./chart_data.js";
import { describe, FAINT, marks, metric, placeOf, sizeOf, tipOf } from "./chart_marks.js";
import { valueAxis } from "./chart_picks.js";
import { number } from "./words.js";

const VALUED = new Set(["Succeeded", "EarlyStopped", "Running", "Pending"]);
const LOST = "no finite value";

/** Rows of trials by the name that the legend has for them. */
function grouped(rows, nameOf) {
  const groups = new Map();
  for (const row of rows) {
    const name = nameOf(row.at(-1));
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(row);
  }
  return [...groups];
}

function goalLine(goal) {
  return {
    silent: true, symbol: "none", data: [{ yAxis: goal }],
    lineStyle: { color: colour("--good"), type: "dashed" },
    label: { formatter: `goal ${number(goal)}`, color: colour("--good"), ...halo(), position: "insideEndTop" },
  };
}

/** Trials that ended without a finite value, at the worst rim of the plot. */
function lost(data, context) {
  const { trials } = data;
  const places = [...trials.index.keys()].filter((place) => trials.finished[place] !== null && !finite(trials.value[place]));
  const rows = places.map((place) => [trials.index[place], isLower(data) ? 1 : 0, place]);
  const nameOf = (place) => (VALUED.has(trials.state[place]) ? LOST : trials.state[place]);
  return grouped(rows, nameOf).flatMap(([name, group]) => {
    const look = name === LOST ? NO_NUMBER : stateOf(name);
    return marks(group, context, { name, symbol: look.symbol, symbolSize: sizeOf(rows.length) + 1, yAxisIndex: 1, clip: false, itemStyle: { color: colour(look.colour) } });
  });
}

export function history(data, context) {
  const { trials } = data;
  const { goal } = data.objectives[0];
  const rows = [...trials.index.keys()].filter((place) => finite(trials.value[place])).map((place) => [trials.index[place], trials.value[place], place]);
  const valued = grouped(rows, (place) => trials.state[place]).flatMap(([state, group]) =>
    marks(group, context, { name: state, symbol: stateOf(state).symbol, symbolSize: sizeOf(rows.length), itemStyle: { color: colour(stateOf(state).colour) } }));
  const best = {
    name: "best so far", type: "line", step: "end", symbol: "none", silent: true, z: 5, data: bestSoFar(data),
    lineStyle: { color: colour("--accent"), width: 2 }, itemStyle: { color: colour("--accent") },
    markLine: goal === null ? undefined : goalLine(goal),
  };
  return {
    option: {
      grid: grid({ top: 44 }),
      legend: legend(),
      tooltip: tipOf(data),
      xAxis: numbers("trial", { scale: false, minInterval: 1, max: Math.max(1, trials.index.at(-1)) }),
      yAxis: [valueAxis(data, context.picks), { type: "value", show: false, min: 0, max: 1 }],
      series: [...valued, ...(rows.length ? [best] : []), ...lost(data, context)],
    },
    table: () => ({
      head: ["trial", "state", metric(data)],
      rows: trials.index.map((index, place) => [index, trials.state[place], trials.value[place]]),
    }),
  };
}

/** The curve of the trial that is the best among those shown. */
function leaderOf(data, shown) {
  const sign = isLower(data) ? 1 : -1;
  const able = shown.filter(({ place }) => data.trials.good[place] && finite(data.trials.value[place]));
  return able.reduce((found, each) => (found === null || sign * (data.trials.value[each.place] - data.trials.value[found.place]) < 0 ? each : found), null);
}

export function curves(data, context) {
  const places = new Map(data.trials.index.map((index, place) => [index, place]));
  const shown = context.curves.filter(({ index }) => places.has(index)).map((each) => ({ ...each, place: places.get(each.index) }));
  const leader = leaderOf(data, shown);
  const name = context.picks.metric ?? metric(data);
  const drawn = shown.map(({ index, steps, values, place }) => {
    const leads = place === leader?.place;
    const hue = colour(leads ? "--accent" : stateOf(data.trials.state[place]).colour);
    const opacity = context.isChosen(place) ? (leads ? 1 : Math.max(0.25, 0.7 - shown.length / 200)) : FAINT;
    return {
      id: `trial ${place}`, name: `trial ${index}`, type: "line", cursor: "pointer", triggerLineEvent: true, z: leads ? 5 : 2,
      showSymbol: values.length === 1, symbol: "circle", symbolSize: 5, emphasis: { disabled: true },
      data: values.map((value, at) => [steps[at] ?? at + 1, finite(value) ? value : "-"]),
      lineStyle: { color: hue, width: leads ? 2.5 : 1.2, opacity },
      itemStyle: { color: hue, opacity },
    };
  });
  return {
    option: {
      grid: grid(),
      tooltip: tip((under) => describe(data, placeOf(under))),
      xAxis: numbers("step"),
      yAxis: valueAxis(data, name === metric(data) ? context.picks : {}, { name }),
      series: drawn,
    },
    table: () => ({
      head: ["trial", "reports", "last step", `last ${name}`],
      rows: shown.map(({ index, steps, values }) => [index, values.length, steps.at(-1) ?? values.length, values.at(-1)]),
    }),
  };
}
