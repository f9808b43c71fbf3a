// Axes and colours that all plots share; colours are the page's own, in either theme.
import { duration, number } from "./words.js";

export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export const series = (place) => colour(`--series-${(place % 8) + 1}`);

export const STATES = {
  Succeeded: { colour: "--series-3", symbol: "circle" },
  EarlyStopped: { colour: "--series-5", symbol: "rect" },
  Running: { colour: "--series-1", symbol: "emptyCircle" },
  Failed: { colour: "--series-2", symbol: "triangle" },
  MetricsUnavailable: { colour: "--series-4", symbol: "emptyTriangle" },
  Killed: { colour: "--series-8", symbol: "diamond" },
  Pending: { colour: "--series-8", symbol: "emptyCircle" },
  Dropped: { colour: "--series-8", symbol: "emptyDiamond" },
};

/** What ended without a finite value though nothing failed: a cross. */
export const NO_NUMBER = { colour: "--bad", symbol: "path://M0,1L1,0L5,4L9,0L10,1L6,5L10,9L9,10L5,6L1,10L0,9L4,5Z" };

export const stateOf = (name) => STATES[name] ?? STATES.Killed;

const VIRIDIS = ["#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725"];

/** Colours from the worst to the best: what stands out most from the surface is the best. */
export function ramp() {
  return isDark(colour("--surface")) ? VIRIDIS.slice(1) : VIRIDIS.slice(0, -1).reverse();
}

function isDark(surface) {
  const parts = surface.match(/^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i)?.slice(1) ?? [];
  return parts.length && parts.reduce((sum, part) => sum + Number.parseInt(part, 16), 0) < 384;
}

function style() {
  return {
    nameTextStyle: { color: colour("--muted") },
    axisLabel: { color: colour("--muted"), hideOverlap: true },
    axisLine: { lineStyle: { color: colour("--line") } },
    axisTick: { lineStyle: { color: colour("--line") } },
    splitLine: { lineStyle: { color: colour("--line") } },
  };
}

/** An axis for numbers. `rest` overrides. */
export function numbers(name, rest = {}) {
  const axis = style();
  axis.axisLabel.formatter = number;
  return { type: "value", name, nameLocation: "middle", nameGap: rest.y ? 52 : 28, scale: true, ...axis, ...rest, y: undefined };
}

/** An axis for words. */
export function words(name, data, rest = {}) {
  const { axisLabel, ...axis } = numbers(name, rest);
  return { ...axis, type: "category", data, axisLabel: { ...axisLabel, width: 90, overflow: "truncate", formatter: undefined, ...rest.axisLabel }, splitLine: { show: false } };
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];

/** An axis for seconds from 0 to `length`, with ticks at round times. */
export function seconds(name, length) {
  const step = STEPS.find((each) => length / each <= 8) ?? 86400 * Math.ceil(length / 86400 / 8);
  const rest = length < 1 ? {} : { interval: step, max: length };
  return numbers(name, {
    scale: false, min: 0, ...rest,
    axisLabel: { color: colour("--muted"), hideOverlap: true, showMaxLabel: length < 1, formatter: (value) => (value ? duration(value).replace(".0 s", " s") : "0") },
  });
}

export const isList = ({ kind }) => kind === "categorical" || kind === "discrete";

/** The place of a value in a list; -1 of one that is not in it. */
export function choiceOf({ choices }, value) {
  if (value === null) return -1;
  const place = choices.indexOf(String(value));
  return place < 0 ? choices.findIndex((choice) => choice !== "" && Number(choice) === value) : place;
}

/** A parameter's value as its axis takes it: a number, or a place in a list; null while inactive. */
export function onAxis(parameter, value) {
  if (value === null || value === undefined) return null;
  return isList(parameter) ? choiceOf(parameter, value) : value;
}

/** An axis for a parameter: logarithmic where its scale is, a list where it is one. */
export function parameterAxis(parameter, rest = {}) {
  const { name, log, low, high, choices } = parameter;
  if (isList(parameter)) return words(name, choices, rest);
  return numbers(name, { min: low ?? undefined, max: high ?? undefined, ...rest, type: log ? "log" : "value" });
}

/** Text that stays readable above lines and points. */
export const halo = () => ({ textBorderColor: colour("--surface"), textBorderWidth: 3 });

export const grid = (rest = {}) => ({ left: 72, right: 24, top: 28, bottom: 48, ...rest });

export const tip = (formatter) => ({
  trigger: "item", renderMode: "richText", confine: true, formatter, transitionDuration: 0,
  backgroundColor: colour("--surface"), borderColor: colour("--line"), textStyle: { color: colour("--text"), fontSize: 12 },
});

export function legend(rest = {}) {
  return {
    type: "scroll", top: 0, itemWidth: 16, itemHeight: 11, itemGap: 14, inactiveColor: colour("--line"),
    textStyle: { color: colour("--text") },
    pageTextStyle: { color: colour("--muted") }, pageIconColor: colour("--accent"), pageIconInactiveColor: colour("--line"),
    ...rest,
  };
}
