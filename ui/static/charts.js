// Plots on the page: a card for each that applies, drawn when it comes into sight.
import { element } from "./app.js";
import { CHARTS } from "./chart_kinds.js";
import * as echarts from "./vendor/echarts.js";
import { number } from "./words.js";

const ROWS = 200;

/** One plot: its card, its selects, its table, its canvas. */
class Card {
  constructor(chart, shared) {
    this.chart = chart;
    this.shared = shared;
    this.selects = new Map();
    this.isSeen = false;
    this.isStale = true;
    this.canvas = element("div", { class: "canvas", role: "img", "aria-label": chart.title });
    this.table = element("div", { class: "scroll hidden", tabindex: 0, role: "region", "aria-label": `${chart.title} as a table` });
    this.controls = element("div", { class: "controls" });
    const toggle = element("button", { type: "button", class: "copy", "aria-pressed": "false" }, "As a table");
    toggle.addEventListener("click", () => {
      const shown = this.table.classList.toggle("hidden");
      this.canvas.classList.toggle("hidden", !shown);
      toggle.setAttribute("aria-pressed", String(!shown));
      this.draw();
    });
    this.controls.append(toggle);
    this.root = element("section", { class: `card chart${chart.isWide ? " wide" : ""}`, "data-chart": chart.id, "aria-label": chart.title },
      element("div", { class: "chart-head" }, element("h2", {}, chart.title), this.controls),
      element("p", { class: "muted small" }, chart.about),
      this.canvas, this.table);
  }

  offer(data) {
    for (const { name, label, options, start } of this.chart.picks?.(data) ?? []) {
      if (this.selects.has(name)) continue;
      const select = element("select", {}, ...options.map((each) => element("option", { selected: each === start }, each)));
      select.addEventListener("change", () => this.draw());
      this.selects.set(name, select);
      this.controls.prepend(element("label", {}, label, select));
    }
  }

  draw() {
    if (!this.isSeen) {
      this.isStale = true;
      return;
    }
    this.isStale = false;
    const { data, chosen } = this.shared;
    this.offer(data);
    const picks = Object.fromEntries([...this.selects].map(([name, select]) => [name, select.value]));
    const isChosen = (place) => !chosen || chosen.has(data.trials.index[place]);
    const { option, table } = this.chart.draw(data, { picks, isChosen });
    if (!this.table.classList.contains("hidden")) {
      this.showTable(table);
      return;
    }
    this.plot ??= this.begin();
    const areas = this.chart.brushes ? this.areas() : null;
    this.plot.setOption({ animation: false, ...option }, true);
    if (areas) this.restore(areas);
  }

  begin() {
    const plot = echarts.init(this.canvas);
    new ResizeObserver(() => plot.resize()).observe(this.canvas);
    plot.on("click", ({ data: mark }) => {
      if (mark?.place !== undefined) location.assign(this.shared.href(this.shared.data.trials.index[mark.place]));
    });
    if (this.chart.brushes) plot.on("axisareaselected", () => this.brushed(plot));
    return plot;
  }

  brushed(plot) {
    const [lines] = plot.getModel().getSeries();
    const isBrushed = plot.getOption().parallelAxis.some((axis) => axis.areaSelectStyle && this.intervals(plot, axis.dim).length);
    const marks = plot.getOption().series[0].data;
    const { index } = this.shared.data.trials;
    const places = lines.getRawIndicesByActiveState("active").map((at) => marks[at].place);
    this.shared.onSelect(isBrushed ? places.map((place) => index[place]) : null);
  }

  intervals(plot, dim) {
    return plot.getModel().getComponent("parallelAxis", dim)?.activeIntervals ?? [];
  }

  areas() {
    if (!this.plot) return null;
    const count = this.plot.getOption()?.parallelAxis?.length ?? 0;
    return Array.from({ length: count }, (_, dim) => this.intervals(this.plot, dim).map((each) => [...each]));
  }

  restore(areas) {
    areas.forEach((intervals, dim) => {
      const axis = this.plot.getModel().getComponent("parallelAxis", dim);
      if (intervals.length && axis) this.plot.dispatchAction({ type: "axisAreaSelect", parallelAxisId: axis.id, intervals });
    });
  }

  showTable({ head, rows }) {
    const more = rows.length > ROWS ? [element("p", { class: "muted small" }, `The last ${ROWS} of ${rows.length}; the tab Trials has all.`)] : [];
    this.table.replaceChildren(
      element("table", {},
        element("thead", {}, element("tr", {}, ...head.map((name) => element("th", {}, name)))),
        element("tbody", {}, ...rows.slice(-ROWS).map((row) => element("tr", {}, ...row.map((value) => element("td", {}, number(value))))))),
      ...more);
  }
}

/**
 * Put the plots into an element. `onSelect` hears the indices of brushed trials, or null;
 * `href` leads to a trial's page.
 */
export function mount(root, data, { onSelect, href }) {
  const shared = { data, chosen: null, onSelect, href };
  const cards = new Map();
  const sight = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const card = cards.get(target.dataset.chart);
      card.isSeen = isIntersecting;
      if (isIntersecting && card.isStale) card.draw();
    }
  }, { rootMargin: "200px" });
  const empty = element("p", { class: "card empty" }, "There is nothing to draw yet: the first trial has not begun.");
  root.classList.add("charts");

  function update(fresh) {
    shared.data = fresh;
    for (const chart of CHARTS) {
      if (!cards.has(chart.id) && chart.applies(fresh)) {
        const card = new Card(chart, shared);
        cards.set(chart.id, card);
        const next = CHARTS.slice(CHARTS.indexOf(chart) + 1).find(({ id }) => cards.has(id));
        root.insertBefore(card.root, next ? cards.get(next.id).root : null);
        sight.observe(card.root);
      }
    }
    empty.remove();
    if (!cards.size) root.append(empty);
    redraw();
  }

  function redraw(except) {
    for (const card of cards.values()) if (card !== except) card.draw();
  }

  const again = () => redraw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  update(data);
  return {
    update,
    select(indices) {
      shared.chosen = indices && new Set(indices);
      redraw(cards.get("parallel"));
    },
  };
}
