// What plots show, computed from the trials' columns. No drawing here.

export const finite = (value) => typeof value === "number" && Number.isFinite(value);

/** Places of the trials that count: they have ended well, with a finite value. */
export function good({ trials }) {
  return trials.index.map((_, place) => place).filter((place) => trials.good[place] && finite(trials.value[place]));
}

export const isLower = (data) => data.objectives[0].direction === "minimize";

/** The best value after each trial that has ended, as [index, value] in the order of their ends. */
export function bestSoFar(data) {
  const { trials } = data;
  const lower = isLower(data);
  const order = good(data).sort((one, other) => trials.finished[one] - trials.finished[other]);
  const steps = [];
  let best = null;
  let furthest = -1;
  for (const place of order) {
    furthest = Math.max(furthest, trials.index[place]);
    if (best === null || (lower ? trials.value[place] < best : trials.value[place] > best)) {
      best = trials.value[place];
      steps.push([furthest, best]);
    }
  }
  const last = trials.index.at(-1);
  if (best !== null && last > steps.at(-1)[0]) steps.push([last, best]);
  return steps;
}

/** Ranks from 0 (the best) to 1; equal values share the mean of theirs. */
export function ranks(values) {
  const order = values.map((_, place) => place).sort((one, other) => values[one] - values[other]);
  const found = new Array(values.length);
  for (let begin = 0; begin < order.length; ) {
    let end = begin;
    while (end + 1 < order.length && values[order[end + 1]] === values[order[begin]]) end += 1;
    for (let at = begin; at <= end; at += 1) found[order[at]] = (begin + end) / 2;
    begin = end + 1;
  }
  const scale = Math.max(values.length - 1, 1);
  return found.map((rank) => rank / scale);
}

const LEAST_IN_A_BIN = 4;
const MOST_BINS = 8;

/** Bins of trials: by choice, or by quantiles of a number; what is inactive is a bin of its own. */
function bins(values, isList) {
  if (isList) return values.map((value) => (value === null ? "inactive" : String(value)));
  const numbers = values.filter(finite).sort((one, other) => one - other);
  const count = Math.max(2, Math.min(MOST_BINS, Math.floor(numbers.length / LEAST_IN_A_BIN)));
  const edges = Array.from({ length: count - 1 }, (_, k) => numbers[Math.floor(((k + 1) * numbers.length) / count)]);
  return values.map((value) => (finite(value) ? edges.filter((edge) => value >= edge).length : "inactive"));
}

/**
 * How much of the variance of the value's rank each parameter explains by itself: the
 * correlation ratio, corrected for the number of bins (the epsilon squared of Kelley 1935).
 */
export function importance(data) {
  const places = good(data);
  const rank = ranks(places.map((place) => data.trials.value[place]));
  const mean = rank.reduce((sum, each) => sum + each, 0) / rank.length;
  const total = rank.reduce((sum, each) => sum + (each - mean) ** 2, 0);
  return data.parameters
    .map(({ name, kind }) => {
      const values = places.map((place) => data.trials.point[name][place]);
      const groups = Map.groupBy(rank.keys(), ((bin) => (at) => bin[at])(bins(values, kind === "categorical")));
      let within = 0;
      for (const members of groups.values()) {
        const centre = members.reduce((sum, at) => sum + rank[at], 0) / members.length;
        within += members.reduce((sum, at) => sum + (rank[at] - centre) ** 2, 0);
      }
      const freedom = rank.length - groups.size;
      const explained = total && freedom > 0 ? 1 - (within / freedom) / (total / (rank.length - 1)) : 0;
      return { name, share: Math.min(1, Math.max(0, explained)) };
    })
    .sort((one, other) => other.share - one.share);
}

/** Places whose objectives nothing betters. `lower[k]`: smaller is better in the k-th. */
export function front(points, lower) {
  const losses = points.map((point) => point.map((value, k) => (lower[k] ? value : -value)));
  const order = losses.map((_, place) => place).sort((one, other) => losses[one][0] - losses[other][0] || losses[one][1] - losses[other][1]);
  const found = [];
  let least = Infinity;
  for (const place of order) {
    const second = losses[place][1];
    const equal = found.length && losses[found.at(-1)].every((value, k) => value === losses[place][k]);
    if (second < least || equal) {
      found.push(place);
      least = Math.min(least, second);
    }
  }
  return found;
}

/** A row for each trial that was started, such that no two in one row overlap. */
export function slots({ trials, now }) {
  const ends = [];
  const order = trials.index.map((_, place) => place).filter((place) => trials.started[place] !== null);
  order.sort((one, other) => trials.started[one] - trials.started[other]);
  return order.map((place) => {
    const start = trials.started[place];
    const end = trials.finished[place] ?? Math.max(now, start);
    let row = ends.findIndex((free) => free <= start);
    if (row < 0) row = ends.push(0) - 1;
    ends[row] = end;
    return { place, row, start, end };
  });
}

/** Middle heights of equal bins between two bounds; bounds of a logarithmic axis are logarithms. */
export function histogram(values, low, high, count) {
  const heights = new Array(count).fill(0);
  for (const value of values) {
    const at = Math.min(count - 1, Math.max(0, Math.floor(((value - low) / (high - low || 1)) * count)));
    heights[at] += 1;
  }
  return heights.map((height) => height / Math.max(values.length, 1));
}
