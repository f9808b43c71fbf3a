// Two of something against each other: parameters with the value as colour, or objectives.
import { colour, grid, isList, legend, numbers, onAxis, parameterAxis, ramp, series } from "./chart_axes.js";
import { extremes, finite, front, good, isLower, ranks, rim, valuesOf } from "./chart_data.js";
import { field, runs } from "./chart_field.js";
import { marks, metric, thinned, tipOf } from "./chart_marks.js";
import { number } from "./words.js";

const CELLS = 64;
const BANDS = 10;
const FEW = 12;
const MOST_AVERAGED = 500;
const MOST_POINTS = 2000;

/** How a parameter's axis maps to [0, 1], and back; null for a list, or without bounds. */
function unit(parameter) {
  if (isList(parameter) || parameter.low === null || parameter.high === null || parameter.low === parameter.high) return null;
  const [into, back] = parameter.log ? [Math.log, Math.exp] : [(value) => value, (value) => value];
  const [low, high] = [into(parameter.low), into(parameter.high)];
  return { to: (value) => (into(value) - low) / (high - low), from: (share) => back(low + share * (high - low)) };
}

/** A series of filled bands of the expected value, below the points; none of few points or of lists. */
function bandsOf(rows, x, y, bounds) {
  const [across, up] = [unit(x), unit(y)];
  if (!across || !up || rows.length < FEW) return [];
  const cells = field(thinned(rows, MOST_AVERAGED).map(([left, height, value]) => [across.to(left), up.to(height), value]), CELLS);
  const data = runs(cells, bounds, BANDS).map(([left, bottom, right, top, level]) => [across.from(left), up.from(bottom), level, across.from(right), up.from(top)]);
  return [{
    type: "custom", silent: true, clip: true, z: 1, data, encode: { x: [0, 3], y: [1, 4] }, tooltip: { show: false },
    renderItem(_params, api) {
      const [left, bottom] = api.coord([api.value(0), api.value(1)]).map(Math.round);
      const [right, top] = api.coord([api.value(3), api.value(4)]).map(Math.round);
      return { type: "rect", shape: { x: left, y: top, width: right - left, height: bottom - top }, style: { fill: api.visual("color"), opacity: 0.7 } };
    },
  }];
}

/** A scale of colours from the worst to the best. */
function scaleOf(data, [low, high], text) {
  const colours = ramp();
  return {
    right: 0, top: "middle", itemHeight: 120, dimension: 2, min: low, max: high > low ? high : low + 1, calculable: false, hoverLink: false,
    inRange: { color: isLower(data) ? [...colours].reverse() : colours }, text, textStyle: { color: colour("--muted") },
  };
}

/** Two parameters; `byRank` colours by the value's rank, otherwise the field of the values lies below. */
function plane(data, context, byRank) {
  const [x, y] = [context.picks.x, context.picks.y].map((name) => data.parameters.find((each) => each.name === name));
  const at = (parameter, place) => onAxis(parameter, data.trials.point[parameter.name][place]);
  const places = good(data).filter((place) => at(x, place) !== null && at(y, place) !== null);
  const values = places.map((place) => data.trials.value[place]);
  const worst = rim(data) ?? 0;
  const clip = isLower(data) ? (value) => Math.min(value, worst) : (value) => Math.max(value, worst);
  const shown = byRank ? ranks(values) : values.map(clip);
  const bounds = byRank ? [0, 1] : extremes(shown.length ? shown : [0]);
  const rows = places.map((place, k) => [at(x, place), at(y, place), shown[k], place]);
  const [least, most] = isLower(data) ? ["best", "worst"] : ["worst", "best"];
  const text = byRank ? [most, least] : [number(Number(bounds[1].toPrecision(3))), number(Number(bounds[0].toPrecision(3)))];
  const look = { large: false, symbolSize: rows.length > 1000 ? 4 : rows.length > 200 ? 7 : 10, itemStyle: { borderColor: colour("--surface"), borderWidth: 1 }, opacity: 1 };
  return {
    option: {
      grid: grid({ right: 76 }),
      tooltip: tipOf(data),
      xAxis: parameterAxis(x),
      yAxis: parameterAxis(y, { y: true }),
      visualMap: scaleOf(data, bounds, text),
      series: [...(byRank ? [] : bandsOf(rows, x, y, bounds)), ...marks(thinned(rows, MOST_POINTS), context, look)],
    },
    table: () => ({
      head: ["trial", x.name, y.name, byRank ? "rank, from 0 to 1" : metric(data)],
      rows: places.map((place, k) => [data.trials.index[place], data.trials.point[x.name][place], data.trials.point[y.name][place], byRank ? shown[k] : values[k]]),
    }),
  };
}

export const contour = (data, context) => plane(data, context, false);

export const rank = (data, context) => plane(data, context, true);

/** Two objectives: what nothing betters, and the border of what it betters. */
export function pareto(data, context) {
  const [x, y] = [context.picks.x, context.picks.y].map((name) => data.objectives.find((each) => each.metric === name));
  const [across, up] = [x, y].map((objective) => valuesOf(data, objective.metric));
  const places = [...data.trials.index.keys()].filter((place) => data.trials.good[place] && finite(across[place]) && finite(up[place]));
  const points = places.map((place) => [across[place], up[place]]);
  const lowers = [x, y].map(({ direction }) => direction === "minimize");
  const best = new Set(front(points, lowers));
  const row = (k) => [...points[k], places[k]];
  const on = [...best].map(row).sort((one, other) => one[0] - other[0]);
  const off = [...points.keys()].filter((k) => !best.has(k)).map(row);
  const better = ({ metric: name, direction }) => `${name} (${direction === "minimize" ? "less" : "more"} is better)`;
  return {
    option: {
      grid: grid({ top: 44 }),
      legend: legend(),
      tooltip: tipOf(data),
      xAxis: numbers(better(x)),
      yAxis: numbers(better(y), { y: true }),
      series: [
        ...marks(off, context, { name: "beaten by another", itemStyle: { color: series(7) } }),
        {
          name: "front", type: "line", silent: true, symbol: "none", step: lowers[0] ? "end" : "start", data: on.map(([left, height]) => [left, height]), z: 4,
          itemStyle: { color: colour("--accent") }, lineStyle: { color: colour("--accent"), type: "dashed", width: 1.5 },
        },
        ...marks(on, context, { name: "front", symbol: "diamond", symbolSize: 12, itemStyle: { color: colour("--accent") } }).map((each) => ({ ...each, z: 5 })),
      ],
    },
    table: () => ({ head: ["trial", x.metric, y.metric, "on the front"], rows: points.map((point, k) => [data.trials.index[places[k]], ...point, best.has(k) ? "yes" : "no"]) }),
  };
}
