// A plot of lines that follows the theme.
import { colour, series } from "./chart_axes.js";
import * as echarts from "./vendor/echarts.js";
import { number } from "./words.js";

const HEIGHT = 320;

/** Draw `{lines: [{name, points: [[x, y], …]}], x, y, log}` into an element, again with each call. */
export function linePlot(root) {
  root.style.height = `${HEIGHT}px`;
  const chart = echarts.init(root, null, { renderer: "canvas" });
  let last = null;
  const draw = (plot) => {
    last = plot;
    const axis = {
      nameTextStyle: { color: colour("--muted") },
      axisLabel: { color: colour("--muted"), formatter: number },
      axisLine: { lineStyle: { color: colour("--line") } },
      splitLine: { lineStyle: { color: colour("--line") } },
    };
    chart.setOption({
      animation: false,
      color: [0, 1, 2, 3, 4, 5, 6, 7].map(series),
      grid: { left: 64, right: 24, top: plot.lines.length > 1 ? 40 : 24, bottom: 44 },
      legend: plot.lines.length > 1 ? { type: "scroll", textStyle: { color: colour("--text") } } : undefined,
      tooltip: { trigger: "axis", renderMode: "richText", valueFormatter: number },
      xAxis: { type: "value", name: plot.x, nameLocation: "middle", nameGap: 28, scale: true, ...axis },
      yAxis: { type: "value", name: plot.y, scale: true, ...axis },
      series: plot.lines.map(({ name, points }) => ({
        name, type: "line", data: points, showSymbol: points.length < 60, symbolSize: 5, sampling: "lttb", step: plot.step,
      })),
    }, true);
  };
  new ResizeObserver(() => chart.resize()).observe(root);
  const again = () => last && draw(last);
  new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  return draw;
}
