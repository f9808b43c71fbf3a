// The plots, in the order of the page: when each applies, what may be chosen, what draws it.
//
// `draw(data, {picks, isChosen, curves})` returns `{option, table}`: what ECharts draws, and a
// function to the same as a table; and where it asks for it, its `height` and its least `breadth`
// in pixels. `isChosen(place)` says whether a trial is among those that a person brushed.
// `ofValue`: where there are several objectives, one is chosen and stands for the value.
import { finite, good } from "./chart_data.js";
import { curves, history } from "./chart_history.js";
import { bars, distribution, parallel, slice } from "./chart_parameters.js";
import { oneParameter, pick, scales, searched, twoParameters } from "./chart_picks.js";
import { contour, pareto, rank } from "./chart_planes.js";
import { lineage, timeline, took } from "./chart_runs.js";

const several = (data, count) => good(data).length >= count;
const objectives = (data) => data.objectives.map((each) => each.metric);
const ended = ({ trials }) => trials.finished.some((moment) => moment !== null);

export const CHARTS = [
  { id: "history", title: "History", about: "The value of each trial by its number, and the best so far. Trials that ended without a value are at the edge.", isWide: true, ofValue: true, applies: ended, picks: scales, draw: history },
  { id: "parallel", title: "Parallel coordinates", about: "A line for each trial, the most important parameters first. Drag along an axis to select trials; the other plots and the table follow. Click the axis outside the band to clear it.", isWide: true, ofValue: true, applies: (data) => several(data, 2) && searched(data).length > 0, picks: scales, draw: parallel, brushes: true },
  { id: "importance", title: "Importance", about: "The share of the variance of the value's rank that each parameter explains by itself (correlation ratio over quantiles or choices); joint effects of several parameters are not included.", ofValue: true, applies: (data) => several(data, 10) && searched(data).length > 1, draw: bars },
  { id: "slice", title: "Slice", about: "One parameter against the value.", ofValue: true, applies: (data) => several(data, 2) && searched(data).length > 0, picks: (data) => [...scales(data), ...oneParameter(data)], draw: slice },
  { id: "contour", title: "Contour", about: "Two parameters, and the average of the values nearby. The worst tenth shares one colour.", ofValue: true, applies: (data) => several(data, 3) && searched(data).length > 1, picks: twoParameters, draw: contour },
  { id: "rank", title: "Rank", about: "Two parameters, each trial coloured by its rank, which a few extreme values do not distort.", ofValue: true, applies: (data) => several(data, 3) && searched(data).length > 1, picks: twoParameters, draw: rank },
  { id: "distribution", title: "Distribution", about: "The values of a parameter in the best fifth of the trials, compared with all trials.", ofValue: true, applies: (data) => several(data, 10) && searched(data).length > 0, picks: oneParameter, draw: distribution },
  { id: "curves", title: "Curves", about: "A metric over the course of the newest and the best trials. The best trial is emphasized.", isOfCurves: true, applies: (data) => (data.curves ?? []).some(({ values }) => values.length > 1), picks: (data) => [...scales(data), pick("metric", "Metric", [...new Set([...objectives(data), ...data.metrics])])], draw: curves },
  { id: "pareto", title: "Pareto front", about: "Trials that no other trial beats in both objectives.", applies: (data) => data.objectives.length > 1 && several(data, 1), picks: (data) => [pick("x", "Across", objectives(data)), pick("y", "Up", objectives(data), 1)], draw: pareto },
  { id: "lineage", title: "Lineage", about: "Which trial continues from which, generation by generation.", applies: (data) => data.trials.parent.some((parent) => parent) && data.trials.value.some(finite), picks: scales, draw: lineage },
  { id: "duration", title: "Duration", about: "How long trials took, and their values.", ofValue: true, applies: (data) => several(data, 2), picks: scales, draw: took },
  { id: "timeline", title: "Timeline", about: "When trials ran; concurrent trials are in separate slots.", isWide: true, applies: (data) => data.trials.started.some((moment) => moment !== null), draw: timeline },
];
