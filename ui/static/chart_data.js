// What plots show, computed from the trials' columns. No drawing here.
import { onAxis } from "./chart_axes.js";

export const finite = (value) => typeof value === "number" && Number.isFinite(value);

/** A function of the data that is computed once for each view of it, which nobody changes. */
export function once(compute) {
  const known = new WeakMap();
  return (data) => {
    if (!known.has(data)) known.set(data, compute(data));
    return known.get(data);
  };
}

/** Places of the trials that count: they have ended well, with a finite value. */
export const good = once(({ trials }) => [...trials.index.keys()].filter((place) => trials.good[place] && finite(trials.value[place])));

export const isLower = (data) => data.objectives[0].direction === "minimize";

/** The same trials, seen by another of their objectives. */
export function seenBy(data, metric) {
  const objective = data.objectives.find((each) => each.metric === metric);
  if (!objective || objective === data.objectives[0]) return data;
  const others = data.objectives.filter((each) => each !== objective);
  const value = data.trials.metric[metric] ?? data.trials.index.map(() => null);
  return { ...data, objectives: [objective, ...others], trials: { ...data.trials, value } };
}

/** An objective's value of each trial. */
export function valuesOf(data, metric) {
  return seenBy(data, metric).trials.value;
}

export function extremes(values) {
  return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
}

/** Places from the best to the worst. */
export function ordered(data, places) {
  const sign = isLower(data) ? 1 : -1;
  return [...places].sort((one, other) => sign * (data.trials.value[one] - data.trials.value[other]));
}

/** The least and the greatest value of the best `share` of the trials that count. */
export function bestBand(data, share) {
  const best = ordered(data, good(data));
  return extremes(best.slice(0, Math.max(1, Math.round(best.length * share))).map((place) => data.trials.value[place]));
}

/** The worst value of the best nine tenths: beyond it, plots may cut off. */
export const rim = once((data) => {
  const best = ordered(data, good(data));
  return best.length ? data.trials.value[best[Math.ceil(best.length * 0.9) - 1]] : null;
});

/** The best value after each trial that has ended, as [index, value] in the order of their ends. */
export function bestSoFar(data) {
  const { trials } = data;
  const lower = isLower(data);
  const order = [...good(data)].sort((one, other) => trials.finished[one] - trials.finished[other]);
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

/** Ranks from 0 (the least) to 1; equal values share the mean of theirs. */
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
  const order = [...trials.index.keys()].filter((place) => trials.started[place] !== null);
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

/**
 * Bars of `slots`, with neighbours of one kind joined that neither are longer than `gap` nor
 * stand further apart: nobody could tell them from one another.
 */
export function joined(bars, gap, kindOf) {
  const last = new Map();
  const found = [];
  for (const bar of bars) {
    const before = last.get(bar.row);
    const isThin = bar.end - bar.start <= gap;
    if (before?.isThin && isThin && bar.start - before.end <= gap && kindOf(before.place) === kindOf(bar.place)) {
      before.end = Math.max(before.end, bar.end);
      before.count += 1;
    } else {
      const fresh = { ...bar, isThin, count: 1 };
      last.set(bar.row, fresh);
      found.push(fresh);
    }
  }
  return found;
}

/** Heights of equal bins between two bounds; bounds of a logarithmic axis are logarithms. */
export function histogram(values, low, high, count) {
  const heights = new Array(count).fill(0);
  for (const value of values) {
    const at = Math.min(count - 1, Math.max(0, Math.floor(((value - low) / (high - low || 1)) * count)));
    heights[at] += 1;
  }
  return heights.map((height) => height / Math.max(values.length, 1));
}

/**
 * Places of the trials within every brushed interval: `intervals` maps the name of a parameter,
 * or "" for the value, to pairs of bounds on its axis. What is inactive is in none.
 */
export function within(data, intervals) {
  const checks = Object.entries(intervals).filter(([, pairs]) => pairs.length).map(([name, pairs]) => {
    const parameter = data.parameters.find((each) => each.name === name);
    const read = parameter ? (place) => onAxis(parameter, data.trials.point[name][place]) : (place) => data.trials.value[place];
    return (place) => {
      const value = read(place);
      return value !== null && pairs.some(([low, high]) => low <= value && value <= high);
    };
  });
  return good(data).filter((place) => checks.every((check) => check(place)));
}
