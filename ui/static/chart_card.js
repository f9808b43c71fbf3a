// One plot on the page: its heading, its selects, its canvas, and the same as a table.
import { element, toast } from "./app.js";
import { bestBand } from "./chart_data.js";
import { metric, placeOf } from "./chart_marks.js";
import { upon } from "./chart_parameters.js";
import { pick } from "./chart_picks.js";
import * as echarts from "./vendor/echarts.js";
import { number } from "./words.js";

const ROWS = 200;
const BY_BANDS = "by bands";
const SHARES = { "the best tenth": 0.1, "the best quarter": 0.25, "the best half": 0.5 };
const CURVES_LAST = 5000; // milliseconds until another metric's curves are asked for again

export class Card {
  /** `stage` is what all cards share: views of the data, who is chosen, and whom to tell. */
  constructor(chart, stage) {
    this.chart = chart;
    this.stage = stage;
    this.selects = new Map();
    this.brush = new Map();
    this.isSeen = false;
    this.isStale = true;
    this.build();
  }

  build() {
    const { id, title, about, isWide } = this.chart;
    this.canvas = element("div", { class: "canvas", role: "img", "aria-label": `${title}: a picture of what its table shows` });
    this.figure = element("figure", {}, this.canvas);
    this.table = element("div", { class: "scroll hidden", tabindex: 0, role: "region", "aria-label": `${title} as a table` });
    this.toggle = element("button", { type: "button", class: "copy", "aria-pressed": "false" }, "As a table");
    this.toggle.addEventListener("click", () => this.turn());
    this.controls = element("div", { class: "controls" });
    this.root = element("section", { class: `card chart${isWide ? " wide" : ""}`, "data-chart": id, "aria-label": title },
      element("div", { class: "chart-head" }, element("h2", {}, title), this.toggle),
      element("p", { class: "muted small" }, about),
      this.controls,
      this.figure, this.table);
    if (this.chart.brushes) this.offerShares();
    this.canvas.addEventListener("pointerdown", () => { this.isHeld = true; });
    this.release = () => {
      this.isHeld = false;
      if (this.isStale) this.stage.soon(this);
    };
    addEventListener("pointerup", this.release);
    addEventListener("pointercancel", this.release);
  }

  /** What chooses trials without a pointer: a band on the value's axis. */
  offerShares() {
    this.share = element("select", {}, ...[BY_BANDS, ...Object.keys(SHARES)].map((name) => element("option", {}, name)));
    this.share.addEventListener("change", () => {
      this.brush.clear();
      const share = SHARES[this.share.value];
      if (share) this.brush.set("", [bestBand(this.choices().data, share)]);
      this.tell();
      this.stage.soon(this);
    });
    this.controls.append(element("label", {}, "Choose", this.share));
  }

  tell() {
    this.stage.brushed(this.brush, this.selects.get("objective")?.value);
  }

  /** Forget the bands. */
  clear() {
    this.brush.clear();
    if (this.share) this.share.value = BY_BANDS;
  }

  turn() {
    const isTable = this.figure.classList.toggle("hidden");
    this.table.classList.toggle("hidden", !isTable);
    this.toggle.setAttribute("aria-pressed", String(isTable));
    this.stage.soon(this);
  }

  /** Draw, unless nobody looks, or a person is drawing a band in it. */
  draw() {
    this.isStale = !this.isSeen || this.isHeld;
    if (this.isStale) return;
    const { data, picks } = this.choices();
    const isFree = !this.stage.chosen || this.brush.size > 0;
    const isChosen = isFree ? () => true : (place) => this.stage.chosen.has(data.trials.index[place]);
    const drawn = this.chart.draw(data, { picks, isChosen, curves: this.curves(data, picks) });
    if (this.figure.classList.contains("hidden")) this.showTable(drawn.table());
    else this.showPlot(drawn, data);
  }

  /** The data as the chosen objective sees it, and what else is chosen. */
  choices() {
    const whole = this.stage.view();
    const names = whole.objectives.map((each) => each.metric);
    const objectives = this.chart.ofValue && names.length > 1 ? [pick("objective", "Objective", names)] : [];
    this.offer(objectives);
    const data = this.stage.view(this.selects.get("objective")?.value);
    this.offer([...objectives, ...(this.chart.picks?.(data) ?? [])]);
    return { data, picks: Object.fromEntries([...this.selects].map(([name, select]) => [name, select.value])) };
  }

  /** Selects for what may be chosen; what was chosen stays, where it still may be. */
  offer(offered) {
    for (const { name, label, options, start } of offered) {
      let select = this.selects.get(name);
      if (!select) {
        select = element("select", {});
        select.addEventListener("change", () => {
          if (name === "objective" && this.brush.delete("")) this.tell();
          this.stage.soon(this);
        });
        this.selects.set(name, select);
        this.controls.append(element("label", {}, label, select));
      }
      const isNew = options.length !== select.options.length || options.some((each) => ![...select.options].some(({ value }) => value === each));
      if (!isNew) continue;
      const chosen = options.includes(select.value) ? select.value : start;
      select.replaceChildren(...options.map((each) => element("option", { value: each, selected: each === chosen }, each)));
    }
  }

  /** Curves of the chosen metric; those of another than the objective are asked for. */
  curves(data, { metric: name }) {
    if (!this.chart.isOfCurves || name === metric(data) || !this.stage.curves) return data.curves ?? [];
    const isLate = name !== this.asked?.name || performance.now() - this.asked.at > CURVES_LAST;
    if (isLate) this.askFor(name);
    return this.asked.curves;
  }

  async askFor(name) {
    const asked = { name, at: performance.now(), curves: this.asked?.name === name ? this.asked.curves : [] };
    this.asked = asked;
    try {
      asked.curves = await this.stage.curves(name);
    } catch (error) {
      toast(error.message, true);
    }
    if (this.asked === asked) this.stage.soon(this);
  }

  showPlot({ option, height, breadth }, data) {
    this.canvas.style.height = height ? `${height}px` : "";
    this.canvas.style.minWidth = breadth ? `${breadth}px` : "";
    this.plot ??= this.begin();
    if (option.legend && this.shownInLegend) option.legend.selected = this.shownInLegend;
    this.plot.resize();
    this.plot.setOption({ animation: false, ...option }, true);
    if (this.chart.brushes) this.restore(data);
    const isScrolled = this.figure.scrollWidth > this.figure.clientWidth;
    if (isScrolled) this.figure.tabIndex = 0;
    else this.figure.removeAttribute("tabindex");
  }

  begin() {
    const plot = echarts.init(this.canvas);
    this.sizes = new ResizeObserver(() => plot.resize());
    this.sizes.observe(this.canvas);
    plot.on("click", (event) => {
      const place = placeOf(event);
      if (place !== undefined) this.stage.open(place);
    });
    plot.on("legendselectchanged", ({ selected }) => { this.shownInLegend = selected; });
    if (this.chart.brushes) plot.on("axisareaselected", (event) => this.brushed(event));
    return plot;
  }

  brushed({ parallelAxisId, intervals }) {
    const name = this.names[Number(parallelAxisId)];
    const pairs = intervals.map((pair) => [Math.min(...pair), Math.max(...pair)]);
    if (pairs.length) this.brush.set(name, pairs);
    else this.brush.delete(name);
    this.share.value = BY_BANDS;
    this.tell();
  }

  /** Bands go with their axes when these are drawn again, perhaps in another order. */
  restore(data) {
    this.names = upon(data);
    for (const [name, intervals] of this.brush) {
      this.plot.dispatchAction({ type: "axisAreaSelect", parallelAxisId: String(this.names.indexOf(name)), intervals }, { silent: true });
    }
  }

  showTable({ head, rows }) {
    const ofTrials = head[0] === "trial";
    const { chosen } = this.stage;
    const shown = ofTrials && chosen ? rows.filter(([index]) => chosen.has(index)) : rows;
    const cell = (value, column) => (ofTrials && column === 0
      ? element("th", { scope: "row" }, element("a", { href: this.stage.href(value) }, String(value)))
      : element("td", {}, number(value)));
    const more = shown.length > ROWS ? [element("p", { class: "muted small" }, `The first ${ROWS} of ${number(shown.length)}; the tab Trials has all.`)] : [];
    this.table.replaceChildren(
      element("table", {},
        element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name)))),
        element("tbody", {}, ...shown.slice(0, ROWS).map((row) => element("tr", {}, ...row.map(cell))))),
      ...more);
  }

  dispose() {
    removeEventListener("pointerup", this.release);
    removeEventListener("pointercancel", this.release);
    this.sizes?.disconnect();
    this.plot?.dispose();
    this.root.remove();
  }
}
