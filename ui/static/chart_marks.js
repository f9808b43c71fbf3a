// Marks of trials: each knows its trial, says what it is, and fades while others are chosen.
import { tip } from "./chart_axes.js";
import { number } from "./words.js";

export const FAINT = 0.08;
const MANY = 2000;
const MOST_PARAMETERS = 12;

export const metric = (data) => data.objectives[0].metric;

export function describe(data, place) {
  const { trials } = data;
  const lines = [`trial ${trials.index[place]}: ${trials.state[place]}`, `${metric(data)}: ${number(trials.value[place])}`];
  for (const { name } of data.parameters.slice(0, MOST_PARAMETERS)) {
    if (trials.point[name][place] !== null) lines.push(`${name}: ${number(trials.point[name][place])}`);
  }
  if (data.parameters.length > MOST_PARAMETERS) lines.push("…");
  return lines.join("\n");
}

/** The size of points, of which there are so many. */
export const sizeOf = (count) => (count > MANY ? 4 : count > MANY / 5 ? 6 : 8);

/**
 * Series of points, the chosen and the faint. A row is [x, y, …, place]: it ends with the place
 * of its trial.
 */
export function marks(rows, { isChosen }, { itemStyle, ...rest } = {}) {
  const sort = { true: [], false: [] };
  for (const row of rows) sort[isChosen(row.at(-1))].push(row);
  const part = (data, opacity, z) => ({
    id: `trials ${rest.name ?? ""} ${rest.yAxisIndex ?? 0} ${z}`, type: "scatter", symbolSize: sizeOf(rows.length),
    large: true, largeThreshold: MANY, cursor: "pointer", ...rest, data, z, itemStyle: { ...itemStyle, opacity },
  });
  const faint = sort.false.length ? [part(sort.false, FAINT, 2)] : [];
  return [part(sort.true, rest.opacity ?? 0.85, 3), ...faint];
}

/** The place of the trial that an event of a plot is about. */
export function placeOf({ seriesId, value }) {
  if (seriesId?.startsWith("trials ")) return value?.at(-1);
  const [, place] = seriesId?.match(/^trial (\d+)$/) ?? [];
  return place === undefined ? undefined : Number(place);
}

export const tipOf = (data, more = () => "") => tip((shown) => {
  const place = placeOf(shown);
  return place === undefined ? "" : describe(data, place) + more(shown.value);
});

/** At most so many of a list, evenly spread. */
export function thinned(list, most) {
  if (list.length <= most) return list;
  return Array.from({ length: most }, (_, k) => list[Math.floor((k * list.length) / most)]);
}
