// What a person may choose for a plot, each a select: `{name, label, options, start}`.
import { colour, isList, numbers } from "./chart_axes.js";
import { finite, good, isLower, rim } from "./chart_data.js";
import { importance } from "./chart_importance.js";
import { metric } from "./chart_marks.js";

export const pick = (name, label, options, place = 0) => ({ name, label, options, start: options[Math.min(place, options.length - 1)] });

/** Parameters that have more than one value. */
export const searched = (data) => data.parameters.filter(({ low, high, choices }) => choices.length > 1 || low !== high);

/** Names of parameters, the most important first. */
export function byImportance(data) {
  const names = new Set(searched(data).map(({ name }) => name));
  return importance(data).map(({ name }) => name).filter((name) => names.has(name));
}

export const oneParameter = (data) => [pick("parameter", "Parameter", byImportance(data))];

/** Two to begin with: the most important numbers, for a plane of choices shows little. */
export function twoParameters(data) {
  const lists = new Set(data.parameters.filter(isList).map(({ name }) => name));
  const found = byImportance(data);
  const options = [...found.filter((name) => !lists.has(name)), ...found.filter((name) => lists.has(name))];
  return [pick("x", "Across", options), pick("y", "Up", options, 1)];
}

const LINEAR = "linear";
const LOG = "logarithmic";
const CUT = "the best 90 %";

export function scales(data) {
  const values = good(data).map((place) => data.trials.value[place]);
  const options = [LINEAR, ...(values.length && values.every((value) => value > 0) ? [LOG] : []), ...(values.length > 9 ? [CUT] : [])];
  return options.length > 1 ? [pick("scale", "Scale", options)] : [];
}

/** The axis of the value, on the scale that was chosen. */
export function valueAxis(data, { scale }, rest = {}) {
  const cut = scale === CUT ? rim(data) : null;
  const bound = cut === null ? {} : { [isLower(data) ? "max" : "min"]: cut };
  const isLog = scale === LOG && data.trials.value.every((value) => !finite(value) || value > 0);
  return numbers(metric(data), { y: true, type: isLog ? "log" : "value", ...bound, axisLabel: { color: colour("--muted"), hideOverlap: true, showMaxLabel: cut === null ? undefined : false, ...numbers("").axisLabel }, ...rest });
}
