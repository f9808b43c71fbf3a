// How much each parameter matters to the value.
import { isList } from "./chart_axes.js";
import { finite, good, once, ranks } from "./chart_data.js";

const LEAST_IN_A_BIN = 4;
const MOST_BINS = 8;
const INACTIVE = -1;

/** Bins of trials: by choice, or by quantiles of a number; what is inactive is a bin of its own. */
function bins(values, parameter) {
  if (isList(parameter)) {
    const seen = new Map();
    return values.map((value) => {
      if (value === null) return INACTIVE;
      if (!seen.has(value)) seen.set(value, seen.size);
      return seen.get(value);
    });
  }
  const numbers = values.filter(finite).sort((one, other) => one - other);
  const count = Math.max(2, Math.min(MOST_BINS, Math.floor(numbers.length / LEAST_IN_A_BIN)));
  const edges = Array.from({ length: count - 1 }, (_, k) => numbers[Math.floor(((k + 1) * numbers.length) / count)]);
  return values.map((value) => (finite(value) ? edges.filter((edge) => value >= edge).length : INACTIVE));
}

/** The correlation ratio, corrected for the number of bins (the epsilon squared of Kelley 1935). */
function explained(rank, bin) {
  const sums = new Map();
  for (const at of rank.keys()) {
    const group = sums.get(bin[at]) ?? { count: 0, sum: 0, squares: 0 };
    group.count += 1;
    group.sum += rank[at];
    group.squares += rank[at] ** 2;
    sums.set(bin[at], group);
  }
  const groups = [...sums.values()];
  const spread = ({ count, sum, squares }) => squares - sum ** 2 / count;
  const whole = groups.reduce((all, each) => ({ count: all.count + each.count, sum: all.sum + each.sum, squares: all.squares + each.squares }));
  const freedom = rank.length - groups.length;
  const total = spread(whole);
  if (freedom <= 0 || total <= 1e-12) return 0;
  const inside = groups.reduce((sum, each) => sum + spread(each), 0);
  return Math.min(1, Math.max(0, 1 - inside / freedom / (total / (rank.length - 1))));
}

/** The share of the variance of the value's rank that each parameter explains by itself, the greatest first. */
export const importance = once((data) => {
  const places = good(data);
  if (!places.length) return data.parameters.map(({ name }) => ({ name, share: 0 }));
  const rank = ranks(places.map((place) => data.trials.value[place]));
  return data.parameters
    .map((parameter) => {
      const values = data.trials.point[parameter.name];
      return { name: parameter.name, share: explained(rank, bins(places.map((place) => values[place]), parameter)) };
    })
    .sort((one, other) => other.share - one.share);
});
