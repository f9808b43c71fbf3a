// Parameters against the value: all at once, one by one, and how much each matters.
import { colour, grid, halo, isList, legend, numbers, onAxis, parameterAxis, ramp, series, tip, words } from "./chart_axes.js";
import { extremes, finite, good, histogram, isLower, ordered } from "./chart_data.js";
import { importance } from "./chart_importance.js";
import { marks, metric, thinned, tipOf } from "./chart_marks.js";
import { byImportance, searched, valueAxis } from "./chart_picks.js";
import { number } from "./words.js";

const MOST_LINES = 2000;
const percent = (share) => `${Math.round(100 * share)} %`;
const named = (data, name) => data.parameters.find((each) => each.name === name);

/** The end of a long name, which tells it from its neighbours. */
const tail = (name) => (name.length > 13 ? `…${name.slice(-12)}` : name);

/** An axis of parallel coordinates; its labels stay readable above lines. */
function upright(axis, dim, name) {
  return {
    ...axis, id: String(dim), dim, name: tail(name), nameLocation: "end", nameGap: 12,
    nameTextStyle: { color: colour("--text"), fontWeight: dim ? undefined : "bold" },
    axisLabel: { ...axis.axisLabel, color: colour("--text"), ...halo() }, splitLine: undefined,
    areaSelectStyle: { width: 18, color: colour("--accent"), borderColor: colour("--accent"), opacity: 0.3 },
  };
}

/** The axes of parallel coordinates in their order: "" is the value, then the most important first. */
export const upon = (data) => ["", ...byImportance(data)];

export function parallel(data, context) {
  const axes = upon(data);
  const shown = axes.slice(1).map((name) => named(data, name));
  const all = good(data);
  const best = ordered(data, all);
  // Lines drawn last lie on top: the best.
  const places = [...new Set([...best.slice(0, MOST_LINES / 4), ...thinned(best, MOST_LINES)])].slice(0, MOST_LINES + MOST_LINES / 4).reverse();
  const [low, high] = extremes(all.map((place) => data.trials.value[place]));
  const colours = ramp();
  const lineOf = (place) => [data.trials.value[place], ...shown.map((each) => onAxis(each, data.trials.point[each.name][place]) ?? "-")];
  return {
    option: {
      parallel: { left: 48, right: 72, top: 40, bottom: 28 },
      parallelAxis: [
        upright(valueAxis(data, context.picks, { y: undefined }), 0, metric(data)),
        ...shown.map((each, at) => upright(parameterAxis(each), at + 1, each.name)),
      ].map((axis) => ({ ...axis, realtime: all.length < 1000 })),
      visualMap: { show: false, dimension: 0, min: low, max: high > low ? high : low + 1, inRange: { color: isLower(data) ? [...colours].reverse() : colours } },
      series: [{
        type: "parallel", smooth: false, progressive: 500, inactiveOpacity: 0.04, activeOpacity: 0.75,
        lineStyle: { width: 1.2, opacity: places.length > 300 ? 0.35 : 0.6 },
        data: places.map((place) => (context.isChosen(place) ? lineOf(place) : { value: lineOf(place), lineStyle: { opacity: 0.04 } })),
      }],
    },
    breadth: 84 * axes.length,
    table: () => ({
      head: ["trial", metric(data), ...axes.slice(1)],
      rows: best.map((place) => [data.trials.index[place], data.trials.value[place], ...shown.map(({ name }) => data.trials.point[name][place])]),
    }),
  };
}

const MOST_BARS = 30;

export function bars(data) {
  const found = importance(data);
  const shown = found.slice(0, MOST_BARS).reverse();
  return {
    option: {
      grid: grid({ left: 130, right: 48, top: 8 }),
      tooltip: tip(({ name, value }) => `${name}: ${percent(value)}`),
      xAxis: numbers("share of the variance of the rank", { min: 0, scale: false, max: ({ max }) => Math.min(1, Math.max(0.1, Math.ceil(max * 10) / 10)), axisLabel: { color: colour("--muted"), hideOverlap: true, formatter: percent } }),
      yAxis: words("", shown.map(({ name }) => name), { axisLabel: { color: colour("--text"), width: 116, overflow: "truncate", interval: 0 } }),
      series: [{ type: "bar", data: shown.map(({ share }) => share), itemStyle: { color: series(0) }, barMaxWidth: 22, label: { show: true, position: "right", color: colour("--muted"), formatter: ({ value }) => percent(value) } }],
    },
    height: 90 + 22 * shown.length,
    table: () => ({ head: ["parameter", "share"], rows: found.map(({ name, share }) => [name, percent(share)]) }),
  };
}

/** Rows of points of a list, spread across its places such that they do not hide one another. */
function spread(at, place, parameter) {
  return isList(parameter) ? at + 0.3 * (((place * 0.618034) % 1) * 2 - 1) : at;
}

export function slice(data, context) {
  const chosen = named(data, context.picks.parameter);
  const values = data.trials.point[chosen.name];
  const places = good(data).filter((place) => onAxis(chosen, values[place]) !== null);
  const axis = parameterAxis(chosen);
  // A list's points stand beside its places, which its own axis cannot express: a second one can.
  const across = isList(chosen) ? [axis, { type: "value", show: false, min: -0.5, max: chosen.choices.length - 0.5 }] : [axis];
  const rows = places.map((place) => [spread(onAxis(chosen, values[place]), place, chosen), data.trials.value[place], place]);
  return {
    option: {
      grid: grid(),
      tooltip: tipOf(data),
      xAxis: across,
      yAxis: valueAxis(data, context.picks),
      series: marks(rows, context, { xAxisIndex: across.length - 1, itemStyle: { color: series(0) } }),
    },
    table: () => ({ head: ["trial", chosen.name, metric(data)], rows: places.map((place) => [data.trials.index[place], values[place], data.trials.value[place]]) }),
  };
}

const BINS = 16;

/** Names of a parameter's bins, and the function from a value to its bin's place. */
function binned(parameter) {
  const { kind, log, low, high, choices } = parameter;
  if (isList(parameter)) return { labels: choices, count: choices.length, low: -0.5, high: choices.length - 0.5, scale: (value) => onAxis(parameter, value) };
  if (kind === "int" && high - low < 2 * BINS) {
    const count = high - low + 1;
    return { labels: Array.from({ length: count }, (_, k) => number(low + k)), count, low: low - 0.5, high: high + 0.5, scale: (value) => value };
  }
  const scale = log ? Math.log10 : (value) => value;
  const [begin, end] = [scale(low), scale(high)];
  const labels = Array.from({ length: BINS }, (_, k) => {
    const edges = [k, k + 1].map((at) => begin + (at / BINS) * (end - begin)).map((edge) => (log ? 10 ** edge : edge));
    return edges.map((edge) => number(Number(edge.toPrecision(2)))).join(" – ");
  });
  return { labels, count: BINS, low: begin, high: end, scale };
}

export function distribution(data, context) {
  const chosen = named(data, context.picks.parameter);
  const values = data.trials.point[chosen.name];
  const all = ordered(data, good(data).filter((place) => values[place] !== null));
  const best = all.slice(0, Math.max(1, Math.ceil(all.length / 5)));
  const { labels, count, low, high, scale } = binned(chosen);
  const groups = { "all trials": all, "the best fifth": best };
  const picked = good(data).every(context.isChosen) ? {} : { chosen: all.filter(context.isChosen) };
  const drawn = Object.entries({ ...groups, ...picked }).map(([name, places]) => [name, histogram(places.map((place) => scale(values[place])).filter(finite), low, high, count)]);
  const short = (label) => (isList(chosen) ? label : label.split(" – ")[0]);
  const hues = [series(7), series(0), colour("--accent")];
  return {
    option: {
      grid: grid({ top: 44 }),
      legend: legend(),
      tooltip: tip(({ seriesName, name, value }) => `${seriesName}\n${name}: ${percent(value)}`),
      xAxis: words(chosen.name, labels, { axisLabel: { color: colour("--muted"), hideOverlap: true, formatter: short } }),
      yAxis: numbers("share of trials", { y: true, scale: false, axisLabel: { color: colour("--muted"), formatter: percent } }),
      series: drawn.map(([name, shares], place) => ({
        name, type: "bar", data: shares, barGap: "0%", barCategoryGap: "15%",
        itemStyle: { color: hues[place], decal: place === 2 ? { symbol: "line", rotation: 0.8, dashArrayX: [1, 0], dashArrayY: [2, 4], color: colour("--surface") } : undefined },
      })),
    },
    table: () => ({ head: [chosen.name, ...drawn.map(([name]) => name)], rows: labels.map((label, at) => [label, ...drawn.map(([, shares]) => percent(shares[at])) ]) }),
  };
}
