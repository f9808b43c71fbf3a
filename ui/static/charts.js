// Plots on the page: a card for each that applies, drawn when it comes into sight.
import { element } from "./app.js";
import { Card } from "./chart_card.js";
import { seenBy, within } from "./chart_data.js";
import { CHARTS } from "./chart_kinds.js";

export { CHARTS };

const REDRAW = 1000; // the least milliseconds between two looks at grown data

/**
 * Put the plots into an element. `onSelect` hears the indices of brushed trials, or null;
 * `href` leads to a trial's page; `curves(metric)` resolves to the curves of a metric.
 */
export function mount(root, data, { onSelect = () => {}, href, curves }) {
  const cards = new Map();
  const waiting = new Set();
  let views = new Map();
  let brush = null;
  let isBrushing = false;
  let frame = null;
  let timer = null;
  let looked = -REDRAW;

  const stage = {
    chosen: null,
    href,
    curves,
    soon,
    open: (place) => location.assign(href(stage.view().trials.index[place])),
    /** The data as it was at the last look; nothing computed from a view is computed twice. */
    view(metric) {
      if (!views.has(metric)) views.set(metric, metric === undefined ? { ...data } : seenBy(stage.view(), metric));
      return views.get(metric);
    },
    brushed(bands, metric) {
      brush = bands.size ? { bands, metric } : null;
      tell();
    },
  };

  function tell() {
    const seen = stage.view(brush?.metric);
    isBrushing = true;
    const indices = brush && within(seen, Object.fromEntries(brush.bands)).map((place) => seen.trials.index[place]);
    select(indices);
    onSelect(indices);
    isBrushing = false;
  }

  // One card a frame: the page answers between any two, and a hidden page draws none.
  function soon(card) {
    waiting.add(card);
    frame ??= requestAnimationFrame(drawNext);
  }

  function drawNext() {
    const [card] = waiting;
    waiting.delete(card);
    frame = waiting.size ? requestAnimationFrame(drawNext) : null;
    card?.draw();
  }

  const sight = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const card = cards.get(target.dataset.chart);
      card.isSeen = isIntersecting;
      if (isIntersecting && card.isStale) soon(card);
    }
  }, { rootMargin: "200px" });

  const empty = element("p", { class: "card empty" }, "There is nothing to draw yet: the first trial has not started.");

  function look() {
    timer = null;
    looked = performance.now();
    views = new Map();
    for (const chart of CHARTS) {
      if (!cards.has(chart.id) && chart.applies(stage.view())) add(chart);
    }
    empty.remove();
    if (!cards.size) root.append(empty);
    if (brush) tell();
    redraw();
  }

  function add(chart) {
    const card = new Card(chart, stage);
    cards.set(chart.id, card);
    const next = CHARTS.slice(CHARTS.indexOf(chart) + 1).find(({ id }) => cards.has(id));
    root.insertBefore(card.root, next ? cards.get(next.id).root : null);
    sight.observe(card.root);
  }

  function redraw() {
    for (const card of cards.values()) soon(card);
  }

  function update(fresh) {
    data = fresh;
    timer ??= setTimeout(look, Math.max(0, looked + REDRAW - performance.now()));
  }

  function select(indices) {
    stage.chosen = indices && new Set(indices);
    if (!isBrushing) {
      brush = null;
      for (const card of cards.values()) card.clear();
    }
    for (const card of cards.values()) if (!(isBrushing && card.chart.brushes)) soon(card);
  }

  const theme = new MutationObserver(redraw);
  theme.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  root.classList.add("charts");
  look();
  return {
    update,
    select,
    dispose() {
      theme.disconnect();
      sight.disconnect();
      clearTimeout(timer);
      cancelAnimationFrame(frame);
      for (const card of cards.values()) card.dispose();
      empty.remove();
    },
  };
}
