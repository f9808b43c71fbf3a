// Axes and colours that all plots share; colours are the page's own, in either theme.
import { number } from "./words.js";

export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export const series = (place) => colour(`--series-${(place % 8) + 1}`);

export const STATES = {
  Succeeded: { colour: "--series-3", symbol: "circle" },
  EarlyStopped: { colour: "--series-5", symbol: "rect" },
  Running: { colour: "--series-1", symbol: "emptyCircle" },
  Failed: { colour: "--series-2", symbol: "triangle" },
  MetricsUnavailable: { colour: "--series-4", symbol: "triangle" },
  Killed: { colour: "--series-8", symbol: "diamond" },
  Pending: { colour: "--series-8", symbol: "emptyCircle" },
  Dropped: { colour: "--series-8", symbol: "emptyDiamond" },
};

export const stateOf = (name) => STATES[name] ?? STATES.Killed;

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

/** An axis for a parameter: logarithmic where its scale is, a list where it is one. */
export function parameterAxis({ name, kind, log, choices }, rest = {}) {
  if (kind === "categorical" || kind === "discrete") {
    return { ...numbers(name, rest), type: "category", data: choices, axisLabel: { ...style().axisLabel, formatter: undefined } };
  }
  return numbers(name, { ...rest, type: log ? "log" : "value" });
}

export const grid = (rest = {}) => ({ left: 72, right: 24, top: 28, bottom: 48, ...rest });

export const tip = (formatter) => ({ trigger: "item", renderMode: "richText", confine: true, formatter });

export function legend(rest = {}) {
  return { type: "scroll", top: 0, textStyle: { color: colour("--text") }, inactiveColor: colour("--muted"), ...rest };
}
