// When trials ran, for how long, and which went on from which.
import { colour, grid, legend, numbers, seconds, series, stateOf } from "./chart_axes.js";
import { extremes, finite, joined, slots } from "./chart_data.js";
import { FAINT, marks, metric, sizeOf, thinned, tipOf } from "./chart_marks.js";
import { valueAxis } from "./chart_picks.js";
import { duration } from "./words.js";

const PIXELS = 1200; // a plot is hardly wider
const MOST_EDGES = 2000;
const HATCHES = {
  EarlyStopped: { dashArrayX: [1, 0], dashArrayY: [2, 5], rotation: Math.PI / 4 },
  Failed: { dashArrayX: [1, 0], dashArrayY: [2, 5], rotation: -Math.PI / 4 },
  MetricsUnavailable: { dashArrayX: [1, 0], dashArrayY: [1, 3] },
  Killed: { dashArrayX: [[4, 4], [0, 4, 4, 0]], dashArrayY: [4, 0] },
  Dropped: { dashArrayX: [[2, 4]], dashArrayY: [2, 4] },
};

/** What tells a state apart without its colour. */
function hatch(state) {
  return HATCHES[state] && { symbol: "rect", symbolSize: 1, color: colour("--surface"), ...HATCHES[state] };
}

function barOf(_params, api) {
  const [left, middle] = api.coord([api.value(1), api.value(0)]);
  const [right] = api.coord([api.value(2), api.value(0)]);
  const high = Math.max(2, Math.min(28, api.size([0, 1])[1] * 0.75));
  const style = { fill: api.visual("color"), opacity: api.value(3), decal: right - left > 5 ? api.visual("decal") : undefined, stroke: colour("--surface"), lineWidth: right - left > 4 ? 1 : 0 };
  return { type: "rect", shape: { x: left, y: middle - high / 2, width: Math.max(1, right - left), height: high }, style };
}

export function timeline(data, context) {
  const { trials } = data;
  const all = slots(data);
  const begin = all.length ? all[0].start : 0;
  const [, end] = extremes(all.map((bar) => bar.end));
  const length = Math.max(1, end - begin);
  const bars = joined(all, length / PIXELS, (place) => `${trials.state[place]} ${context.isChosen(place)}`);
  const known = [...new Set(all.map(({ place }) => trials.state[place]))];
  const rows = all.reduce((most, { row }) => Math.max(most, row), 0) + 1;
  return {
    option: {
      grid: grid({ top: 40, left: 56 }),
      legend: legend({ data: known }),
      tooltip: tipOf(data, (value) => `\ntook ${duration(value[2] - value[1])}${value[4] > 1 ? `\nand ${value[4] - 1} more beside it` : ""}`),
      xAxis: seconds("since the first trial started", length),
      yAxis: { ...numbers("slot"), type: "category", inverse: true, data: Array.from({ length: rows }, (_, k) => String(k + 1)), nameGap: 36, splitLine: { show: false }, axisTick: { show: false } },
      series: known.map((state) => ({
        id: `trials ${state}`, name: state, type: "custom", itemStyle: { color: colour(stateOf(state).colour), decal: hatch(state) },
        encode: { x: [1, 2], y: 0 }, clip: true, cursor: "pointer", progressive: 0, renderItem: barOf,
        data: bars.filter(({ place }) => trials.state[place] === state).map((bar) => [bar.row, bar.start - begin, bar.end - begin, context.isChosen(bar.place) ? 0.9 : FAINT, bar.count, bar.place]),
      })),
    },
    height: Math.min(700, 110 + Math.max(rows * 12, Math.min(rows, 6) * 34)),
    table: () => ({ head: ["trial", "state", "slot", "started after", "took"], rows: all.map(({ place, row, ...bar }) => [trials.index[place], trials.state[place], row + 1, duration(bar.start - begin), duration(bar.end - bar.start)]) }),
  };
}

export function took(data, context) {
  const { trials } = data;
  const places = [...trials.index.keys()].filter((place) => finite(trials.value[place]) && trials.started[place] !== null && trials.finished[place] !== null);
  const rows = places.map((place) => [trials.finished[place] - trials.started[place], trials.value[place], place]);
  const known = [...new Set(places.map((place) => trials.state[place]))];
  const [, longest] = extremes(rows.map(([length]) => length));
  return {
    option: {
      grid: grid({ top: 44 }),
      legend: legend(),
      tooltip: tipOf(data, ([length]) => `\ntook ${duration(length)}`),
      xAxis: seconds("it took", longest),
      yAxis: valueAxis(data, context.picks),
      series: known.flatMap((state) => marks(rows.filter((row) => trials.state[row[2]] === state), context, { name: state, symbol: stateOf(state).symbol, symbolSize: sizeOf(rows.length), itemStyle: { color: colour(stateOf(state).colour) } })),
    },
    table: () => ({ head: ["trial", "took", metric(data)], rows: rows.map(([length, value, place]) => [trials.index[place], duration(length), value]) }),
  };
}

/** How many ancestors a trial has, or its generation where one is told. */
export function depths({ trials }) {
  const byName = new Map(trials.name.map((name, place) => [name, place]));
  const found = new Map();
  for (const start of trials.index.keys()) {
    const path = [];
    let place = start;
    while (place !== undefined && !found.has(place) && !path.includes(place)) {
      path.push(place);
      place = trials.generation[place] === null ? byName.get(trials.parent[place]) : undefined;
    }
    for (const each of path.reverse()) {
      const parent = byName.get(trials.parent[each]);
      found.set(each, trials.generation[each] ?? (found.has(parent) ? found.get(parent) + 1 : 0));
    }
  }
  return found;
}

export function lineage(data, context) {
  const { trials } = data;
  const byName = new Map(trials.name.map((name, place) => [name, place]));
  const deep = depths(data);
  const places = [...trials.index.keys()].filter((place) => finite(trials.value[place]));
  const at = (place) => [deep.get(place), trials.value[place]];
  const edges = places.flatMap((place) => {
    const parent = byName.get(trials.parent[place]);
    if (parent === undefined || !finite(trials.value[parent]) || !context.isChosen(place)) return [];
    return [{ coords: [at(parent), at(place)] }];
  });
  return {
    option: {
      grid: grid(),
      tooltip: tipOf(data),
      xAxis: numbers("generation", { scale: false, minInterval: 1, max: Math.max(1, ...new Set(deep.values())) }),
      yAxis: valueAxis(data, context.picks),
      series: [
        { type: "lines", coordinateSystem: "cartesian2d", silent: true, z: 1, progressive: 0, data: thinned(edges, MOST_EDGES), lineStyle: { color: series(7), width: 1.2, opacity: 0.5 } },
        ...marks(places.map((place) => [...at(place), place]), context, { itemStyle: { color: series(0) } }),
      ],
    },
    table: () => ({ head: ["trial", "generation", "continues", metric(data)], rows: places.map((place) => [trials.index[place], deep.get(place), trials.parent[place], trials.value[place]]) }),
  };
}
