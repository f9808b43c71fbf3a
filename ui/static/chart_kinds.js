// The plots: each says when it applies, what may be chosen, and what is drawn.
//
// `draw(data, {picks, isChosen})` returns `{option, table}`: what ECharts draws, and the same
// as a table. `isChosen(place)` says whether a trial is among those that a person brushed.
import { colour, grid, legend, numbers, parameterAxis, series, stateOf, tip } from "./chart_axes.js";
import { bestSoFar, finite, front, good, histogram, importance, isLower, ranks, slots } from "./chart_data.js";
import { duration, number } from "./words.js";

const FAINT = 0.08;
const MANY = 2000;
const COLOURS = ["#fde725", "#7ad151", "#22a884", "#2a788e", "#414487", "#440154"]; // viridis, best last

const metric = (data) => data.objectives[0].metric;
const several = (data, count) => good(data).length >= count;
const searched = (data) => data.parameters.filter(({ low, high, choices }) => choices.length > 1 || low !== high);
const names = (data) => searched(data).map(({ name }) => name);
const parameter = (data, name) => data.parameters.find((each) => each.name === name);

function describe(data, place) {
  const { trials } = data;
  const lines = [`trial ${trials.index[place]}: ${trials.state[place]}`, `${metric(data)}: ${number(trials.value[place])}`];
  for (const { name } of data.parameters.slice(0, 12)) lines.push(`${name}: ${number(trials.point[name][place])}`);
  return lines.join("\n");
}

/** A mark of a trial; `place` leads a click to its page. */
function mark(data, place, value, context, look = {}) {
  return { value, place, itemStyle: { opacity: context.isChosen(place) ? 0.85 : FAINT, ...look } };
}

const tipOf = (data) => tip(({ data: shown }) => (shown?.place === undefined ? "" : describe(data, shown.place)));

function scatter(data, points, rest = {}) {
  return { type: "scatter", symbolSize: points.length > MANY ? 4 : 8, data: points, cursor: "pointer", ...rest };
}

function history(data, context) {
  const { trials } = data;
  const goal = data.objectives[0].goal;
  const points = new Map();
  trials.index.forEach((index, place) => {
    if (!finite(trials.value[place])) return;
    const state = trials.state[place];
    if (!points.has(state)) points.set(state, []);
    points.get(state).push(mark(data, place, [index, trials.value[place]], context));
  });
  const lost = trials.index
    .map((index, place) => ({ index, place }))
    .filter(({ place }) => trials.finished[place] !== null && !finite(trials.value[place]));
  const line = goal === null ? undefined : {
    silent: true, symbol: "none", data: [{ yAxis: goal }],
    lineStyle: { color: colour("--good"), type: "dashed" },
    label: { formatter: "goal", color: colour("--good"), position: "insideEndTop" },
  };
  return {
    option: {
      grid: grid({ top: 40 }),
      legend: legend(),
      tooltip: tipOf(data),
      xAxis: numbers("trial", { scale: false, minInterval: 1 }),
      yAxis: numbers(metric(data), { y: true }),
      series: [
        ...[...points].map(([state, marks]) => scatter(data, marks, {
          name: state, symbol: stateOf(state).symbol, itemStyle: { color: colour(stateOf(state).colour) },
        })),
        {
          name: "best so far", type: "line", step: "end", symbol: "none", data: bestSoFar(data),
          lineStyle: { color: colour("--accent"), width: 2 }, itemStyle: { color: colour("--accent") }, markLine: line, z: 5,
        },
        {
          name: "without a value", type: "scatter", symbol: "triangle", symbolSize: 7, yAxisIndex: 0,
          itemStyle: { color: colour("--bad") },
          data: lost.map(({ index, place }) => ({ value: [index, floor(data)], place })),
        },
      ].filter(({ data: shown }) => shown.length),
    },
    table: {
      head: ["trial", "state", metric(data)],
      rows: trials.index.map((index, place) => [index, trials.state[place], trials.value[place]]),
    },
  };
}

/** Where trials without a value stand: at the rim of what was seen. */
function floor(data) {
  const values = data.trials.value.filter(finite);
  if (!values.length) return 0;
  return isLower(data) ? Math.max(...extremes(values)) : Math.min(...extremes(values));
}

function extremes(values) {
  return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
}

/** Labels that stay readable above lines. */
function halo() {
  return { color: colour("--text"), textBorderColor: colour("--surface"), textBorderWidth: 3 };
}

function parallel(data, context) {
  const places = good(data);
  const shown = searched(data).slice(0, 20);
  const values = places.map((place) => data.trials.value[place]);
  const [low, high] = extremes(values);
  const lower = isLower(data);
  const axes = shown.map((each, dim) => {
    const { name, ...axis } = parameterAxis(each);
    return { ...axis, dim, name, nameLocation: "end", nameGap: 12, nameTextStyle: { color: colour("--text"), width: 90, overflow: "truncate" }, axisLabel: { ...axis.axisLabel, ...halo() }, splitLine: undefined, min: each.low ?? undefined, max: each.high ?? undefined };
  });
  const last = numbers(metric(data));
  axes.push({ ...last, axisLabel: { ...last.axisLabel, ...halo() }, dim: shown.length, nameLocation: "end", nameGap: 12, splitLine: undefined, nameTextStyle: { color: colour("--text"), fontWeight: "bold" } });
  return {
    option: {
      parallel: { left: 56, right: 72, top: 40, bottom: 28 },
      parallelAxis: axes,
      visualMap: { show: false, dimension: shown.length, min: low, max: high, inRange: { color: lower ? [...COLOURS].reverse() : COLOURS } },
      series: [{
        type: "parallel", smooth: false, progressive: 500, lineStyle: { width: 1.2, opacity: 0.5 },
        inactiveOpacity: 0.03, activeOpacity: 0.7,
        data: places.map((place) => ({
          value: [...shown.map(({ name }) => data.trials.point[name][place] ?? "-"), data.trials.value[place]],
          lineStyle: context.isChosen(place) ? undefined : { opacity: 0.03 },
          place,
        })),
      }],
    },
    table: {
      head: ["trial", ...shown.map(({ name }) => name), metric(data)],
      rows: places.map((place) => [data.trials.index[place], ...shown.map(({ name }) => data.trials.point[name][place]), data.trials.value[place]]),
    },
  };
}

function bars(data) {
  const found = importance(data).slice(0, 20).reverse();
  return {
    option: {
      grid: grid({ left: 130, top: 12 }),
      tooltip: tip(({ name, value }) => `${name}: ${Math.round(100 * value)} %`),
      xAxis: numbers("share of the variance of the rank", { min: 0, max: 1 }),
      yAxis: { ...numbers(""), type: "category", data: found.map(({ name }) => name), axisLabel: { color: colour("--text"), width: 116, overflow: "truncate" } },
      series: [{ type: "bar", data: found.map(({ share }) => share), itemStyle: { color: series(0) }, barMaxWidth: 22, label: { show: true, position: "right", color: colour("--muted"), formatter: ({ value }) => `${Math.round(100 * value)} %` } }],
    },
    table: { head: ["parameter", "share"], rows: [...found].reverse().map(({ name, share }) => [name, share]) },
  };
}

function slice(data, context) {
  const chosen = parameter(data, context.picks.parameter);
  const values = data.trials.point[chosen.name];
  const places = good(data).filter((place) => values[place] !== null);
  return {
    option: {
      grid: grid(),
      tooltip: tipOf(data),
      xAxis: parameterAxis(chosen),
      yAxis: numbers(metric(data), { y: true }),
      series: [scatter(data, places.map((place) => mark(data, place, [values[place], data.trials.value[place]], context)), { itemStyle: { color: series(0) } })],
    },
    table: { head: ["trial", chosen.name, metric(data)], rows: places.map((place) => [data.trials.index[place], values[place], data.trials.value[place]]) },
  };
}

/** Two parameters, coloured by value or by its rank. */
function plane(byRank) {
  return (data, context) => {
    const [x, y] = [context.picks.x, context.picks.y].map((name) => parameter(data, name));
    const places = good(data).filter((place) => [x, y].every(({ name }) => data.trials.point[name][place] !== null));
    const values = places.map((place) => data.trials.value[place]);
    const shown = byRank ? ranks(values) : values;
    const [low, high] = extremes(shown.length ? shown : [0]);
    const best = isLower(data) ? [...COLOURS].reverse() : COLOURS;
    return {
      option: {
        grid: grid({ right: 100 }),
        tooltip: tipOf(data),
        xAxis: parameterAxis(x),
        yAxis: parameterAxis(y, { y: true }),
        visualMap: { right: 0, top: "middle", dimension: 2, min: low, max: high > low ? high : low + 1, calculable: false, inRange: { color: best }, textStyle: { color: colour("--muted") }, formatter: number, text: byRank ? [isLower(data) ? "worst" : "best", isLower(data) ? "best" : "worst"] : undefined },
        series: [scatter(data, places.map((place, at) => mark(data, place, [data.trials.point[x.name][place], data.trials.point[y.name][place], shown[at]], context)), { symbolSize: places.length > MANY ? 5 : 11 })],
      },
      table: { head: ["trial", x.name, y.name, byRank ? "rank" : metric(data)], rows: places.map((place, at) => [data.trials.index[place], data.trials.point[x.name][place], data.trials.point[y.name][place], shown[at]]) },
    };
  };
}

const BINS = 16;

function distribution(data, context) {
  const chosen = parameter(data, context.picks.parameter);
  const values = data.trials.point[chosen.name];
  const all = good(data).filter((place) => values[place] !== null);
  const sign = isLower(data) ? 1 : -1;
  const best = [...all].sort((one, other) => sign * (data.trials.value[one] - data.trials.value[other])).slice(0, Math.max(1, Math.ceil(all.length / 5)));
  const groups = { "all trials": all, "the best fifth": best };
  const isList = chosen.choices.length > 0;
  const scale = (value) => (chosen.log ? Math.log10(value) : value);
  const [low, high] = isList ? [0, 0] : [scale(chosen.low), scale(chosen.high)];
  const labels = isList ? chosen.choices : Array.from({ length: BINS }, (_, k) => {
    const middle = low + ((k + 0.5) / BINS) * (high - low);
    return number(chosen.log ? 10 ** middle : middle);
  });
  const heights = (places) => (isList
    ? chosen.choices.map((choice) => places.filter((place) => String(values[place]) === choice).length / Math.max(places.length, 1))
    : histogram(places.map((place) => scale(values[place])), low, high, BINS));
  const drawn = Object.entries(groups).map(([name, places]) => [name, heights(places)]);
  return {
    option: {
      grid: grid({ top: 40 }),
      legend: legend(),
      tooltip: tip(({ seriesName, name, value }) => `${seriesName}\n${name}: ${Math.round(100 * value)} %`),
      xAxis: { ...numbers(chosen.name), type: "category", data: labels, axisLabel: { color: colour("--muted"), hideOverlap: true } },
      yAxis: numbers("share of trials", { y: true, scale: false }),
      series: drawn.map(([name, shares], place) => ({ name, type: "bar", data: shares, itemStyle: { color: series(place === 0 ? 7 : 0) }, barGap: "-20%" })),
    },
    table: { head: [chosen.name, ...drawn.map(([name]) => name)], rows: labels.map((label, at) => [label, ...drawn.map(([, shares]) => shares[at])]) },
  };
}

function timeline(data, context) {
  const rows = slots(data);
  const begin = rows.length ? rows[0].start : 0;
  const known = [...new Set(rows.map(({ place }) => data.trials.state[place]))];
  const height = rows.reduce((most, { row }) => Math.max(most, row), 0) + 1;
  return {
    option: {
      grid: grid({ top: 40, left: 48 }),
      legend: legend({ data: known }),
      tooltip: tip(({ data: shown }) => `${describe(data, shown.place)}\ntook ${duration(shown.value[2] - shown.value[1])}`),
      xAxis: numbers("since the first trial", { scale: false, axisLabel: { color: colour("--muted"), formatter: duration, hideOverlap: true } }),
      yAxis: { ...numbers(""), type: "category", data: Array.from({ length: height }, (_, k) => k + 1), splitLine: undefined },
      series: known.map((state) => ({
        name: state, type: "custom", itemStyle: { color: colour(stateOf(state).colour) }, encode: { x: [1, 2], y: 0 }, clip: true, cursor: "pointer",
        data: rows.filter(({ place }) => data.trials.state[place] === state).map(({ place, row, start, end }) => mark(data, place, [row, start - begin, end - begin], context)),
        renderItem(_params, api) {
          const [left, middle] = api.coord([api.value(1), api.value(0)]);
          const [right] = api.coord([api.value(2), api.value(0)]);
          const high = Math.max(2, api.size([0, 1])[1] * 0.7);
          return { type: "rect", shape: { x: left, y: middle - high / 2, width: Math.max(1, right - left), height: high }, style: api.style() };
        },
      })),
    },
    table: { head: ["trial", "state", "began", "took"], rows: rows.map(({ place, start, end }) => [data.trials.index[place], data.trials.state[place], duration(start - begin), duration(end - start)]) },
  };
}

function curves(data, context) {
  const places = new Map(data.trials.index.map((index, place) => [index, place]));
  const shown = (data.curves ?? []).filter(({ index }) => places.has(index));
  const best = isLower(data) ? Math.min : Math.max;
  const leader = shown.reduce((found, each) => {
    const value = data.trials.value[places.get(each.index)];
    return finite(value) && (found === null || best(value, found.value) === value) ? { index: each.index, value } : found;
  }, null);
  return {
    option: {
      grid: grid(),
      tooltip: tip(({ seriesName, value }) => `${seriesName}\n${number(value[0])}: ${number(value[1])}`),
      xAxis: numbers("step"),
      yAxis: numbers(metric(data), { y: true }),
      series: shown.map(({ index, steps, values }) => {
        const place = places.get(index);
        const leads = index === leader?.index;
        const state = stateOf(data.trials.state[place]);
        return {
          name: `trial ${index}`, type: "line", symbol: "none", cursor: "pointer", triggerLineEvent: true, z: leads ? 5 : 2,
          data: values.map((value, at) => ({ value: [steps[at] ?? at + 1, value], place })),
          lineStyle: { color: leads ? colour("--accent") : colour(state.colour), width: leads ? 2.5 : 1, opacity: context.isChosen(place) ? (leads ? 1 : 0.45) : FAINT },
          itemStyle: { color: colour(state.colour) },
        };
      }),
    },
    table: { head: ["trial", "reports", "last step", `last ${metric(data)}`], rows: shown.map(({ index, steps, values }) => [index, values.length, steps.at(-1), values.at(-1)]) },
  };
}

function pareto(data, context) {
  const [x, y] = [context.picks.x, context.picks.y].map((name) => data.objectives.find((each) => each.metric === name));
  const value = ({ metric: name }, place) => (name === metric(data) ? data.trials.value[place] : data.trials.metric[name]?.[place]);
  const places = good(data).filter((place) => finite(value(x, place)) && finite(value(y, place)));
  const points = places.map((place) => [value(x, place), value(y, place)]);
  const best = new Set(front(points, [x.direction === "minimize", y.direction === "minimize"]));
  const on = points.map((point, at) => ({ point, at })).filter(({ at }) => best.has(at));
  return {
    option: {
      grid: grid({ top: 40 }),
      legend: legend(),
      tooltip: tipOf(data),
      xAxis: numbers(x.metric),
      yAxis: numbers(y.metric, { y: true }),
      series: [
        scatter(data, points.flatMap((point, at) => (best.has(at) ? [] : [mark(data, places[at], point, context)])), { name: "bettered", itemStyle: { color: series(7) } }),
        { name: "front", type: "line", step: "end", symbol: "diamond", symbolSize: 11, itemStyle: { color: colour("--accent") }, lineStyle: { color: colour("--accent"), type: "dashed" }, data: on.map(({ point, at }) => mark(data, places[at], point, context)).sort((one, other) => one.value[0] - other.value[0]) },
      ],
    },
    table: { head: ["trial", x.metric, y.metric, "on the front"], rows: points.map((point, at) => [data.trials.index[places[at]], ...point, best.has(at) ? "yes" : "no"]) },
  };
}

function lineage(data, context) {
  const { trials } = data;
  const byName = new Map(trials.name.map((name, place) => [name, place]));
  const depth = new Map();
  const deep = (place) => {
    if (depth.has(place)) return depth.get(place);
    const parent = byName.get(trials.parent[place]);
    const found = trials.generation[place] ?? (parent === undefined ? 0 : deep(parent) + 1);
    depth.set(place, found);
    return found;
  };
  const height = (place) => (finite(trials.value[place]) ? trials.value[place] : null);
  const places = trials.index.map((_, place) => place).filter((place) => height(place) !== null);
  const edges = places.flatMap((place) => {
    const parent = byName.get(trials.parent[place]);
    return parent === undefined || height(parent) === null ? [] : [[[deep(parent), height(parent)], [deep(place), height(place)]]];
  });
  return {
    option: {
      grid: grid(),
      tooltip: tipOf(data),
      xAxis: numbers("generation", { scale: false, minInterval: 1 }),
      yAxis: numbers(metric(data), { y: true }),
      series: [
        { type: "lines", coordinateSystem: "cartesian2d", silent: true, data: edges.map((coords) => ({ coords })), lineStyle: { color: series(7), opacity: 0.6, width: 1 } },
        scatter(data, places.map((place) => mark(data, place, [deep(place), height(place)], context)), { itemStyle: { color: series(0) } }),
      ],
    },
    table: { head: ["trial", "generation", "continues", metric(data)], rows: places.map((place) => [trials.index[place], deep(place), trials.parent[place], trials.value[place]]) },
  };
}

const pick = (name, label, options, place = 0) => ({ name, label, options, start: options[Math.min(place, options.length - 1)] });
const byImportance = (data) => importance(data).map(({ name }) => name).filter((name) => names(data).includes(name));
const isList = (data) => (name) => parameter(data, name).choices.length > 0;

/** Two to begin with: the most important numbers, for a plane of choices shows little. */
function two(data) {
  const found = byImportance(data);
  const [lists, scales] = [found.filter(isList(data)), found.filter((name) => !isList(data)(name))];
  const options = [...scales, ...lists];
  return [pick("x", "Across", options), pick("y", "Up", options, 1)];
}

export const CHARTS = [
  { id: "history", title: "History", about: "The value of each trial in the order of their numbers, and the best so far.", isWide: true, applies: (data) => data.trials.value.some(finite), draw: history },
  { id: "parallel", title: "Parallel coordinates", about: "A line for each trial. Drag along an axis to choose some of them: the other plots and the table follow. Click beside the band to end it.", isWide: true, applies: (data) => several(data, 2) && searched(data).length > 0, draw: parallel, brushes: true },
  { id: "importance", title: "Importance", about: "How much of the variance of the value's rank each parameter explains by itself; what several do only together is not in it.", applies: (data) => several(data, 10) && searched(data).length > 1, draw: bars },
  { id: "slice", title: "Slice", about: "One parameter against the value.", applies: (data) => several(data, 2) && searched(data).length > 0, picks: (data) => [pick("parameter", "Parameter", byImportance(data))], draw: slice },
  { id: "contour", title: "Two parameters", about: "Where good values lie in two parameters; dark is better.", applies: (data) => several(data, 3) && searched(data).length > 1, picks: two, draw: plane(false) },
  { id: "rank", title: "Rank", about: "The same by rank, which a few extreme values do not distort.", applies: (data) => several(data, 3) && searched(data).length > 1, picks: two, draw: plane(true) },
  { id: "distribution", title: "Distribution", about: "Which values of a parameter the best fifth has, beside all trials.", applies: (data) => several(data, 10) && searched(data).length > 0, picks: (data) => [pick("parameter", "Parameter", byImportance(data))], draw: distribution },
  { id: "curves", title: "Curves", about: "How the objective went while trials ran: the newest and the best ones; the best is emphasized.", applies: (data) => (data.curves ?? []).some(({ values }) => values.length > 1), draw: curves },
  { id: "pareto", title: "Pareto front", about: "Trials that no other betters in both objectives.", applies: (data) => data.objectives.length > 1 && several(data, 1), picks: (data) => [pick("x", "Across", data.objectives.map((each) => each.metric)), pick("y", "Up", data.objectives.map((each) => each.metric), 1)], draw: pareto },
  { id: "lineage", title: "Lineage", about: "Which trial goes on from which, generation by generation.", applies: (data) => data.trials.parent.some((parent) => parent), draw: lineage },
  { id: "timeline", title: "Timeline", about: "When trials ran, a row for each place.", isWide: true, applies: (data) => data.trials.started.some((moment) => moment !== null), draw: timeline },
];
