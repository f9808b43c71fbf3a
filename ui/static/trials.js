// The table of trials: sorted, searched and paged here, so that ten thousand of them wait for nobody.
import { element } from "./app.js";
import { duration, number } from "./words.js";

const PAGE = 50;

function columnsOf(data) {
  const { trials } = data;
  const took = trials.index.map((_, place) => {
    const end = trials.finished[place] ?? data.now;
    return trials.started[place] === null ? null : end - trials.started[place];
  });
  return [
    { name: "trial", values: trials.index, isNumber: true },
    { name: "state", values: trials.state },
    { name: data.objectives[0].metric, values: trials.value, isNumber: true, shown: number },
    ...data.parameters.map(({ name, kind }) => ({
      name,
      values: trials.point[name],
      isNumber: kind !== "categorical",
      shown: number,
    })),
    ...data.metrics
      .filter((name) => name !== data.objectives[0].metric)
      .map((name) => ({ name, values: trials.metric[name], isNumber: true, shown: number })),
    { name: "took", values: took, isNumber: true, shown: duration },
    { name: "continues", values: trials.parent },
  ].filter((column) => column.name !== "continues" || column.values.some((parent) => parent));
}

/** Places in the order of a column, those without a value behind all others; of equals the newest first. */
export function ordered(places, { values, isNumber }, down) {
  const sign = down ? -1 : 1;
  const lacks = (value) => value === null || value === undefined || (isNumber && Number.isNaN(Number(value)));
  // Numbers may be text: the entries of a list, and those that are not finite.
  const compared = (one, other) => (isNumber ? Number(one) - Number(other) : String(one).localeCompare(String(other)));
  return [...places].sort((one, other) => {
    const [a, b] = [values[one], values[other]];
    return (lacks(a) || lacks(b) ? lacks(a) - lacks(b) : sign * compared(a, b)) || other - one;
  });
}

export function trialTable(link) {
  const table = document.getElementById("trial-table");
  const state = document.getElementById("trial-state");
  const search = document.getElementById("trial-search");
  let data = null;
  let only = null;
  let sort = { column: "trial", down: true };
  let page = 0;

  function places(columns) {
    const wanted = search.value.trim().toLowerCase();
    const { trials } = data;
    const kept = only ? new Set(only) : null;
    const found = [];
    for (let place = 0; place < trials.index.length; place += 1) {
      if (kept && !kept.has(trials.index[place])) continue;
      if (state.value && trials.state[place] !== state.value) continue;
      if (wanted && !columns.some(({ values }) => String(values[place]).toLowerCase().includes(wanted)) &&
          !trials.name[place].includes(wanted)) continue;
      found.push(place);
    }
    const by = columns.find(({ name }) => name === sort.column) ?? columns[0];
    return ordered(found, by, sort.down);
  }

  function head(columns) {
    return element("tr", {}, ...columns.map(({ name, isNumber }) => {
      const on = sort.column === name;
      const button = element("button", { type: "button" }, `${name}${on ? (sort.down ? " ↓" : " ↑") : ""}`);
      button.addEventListener("click", () => {
        sort = { column: name, down: on ? !sort.down : false };
        draw();
      });
      return element("th", {
        class: isNumber ? "number" : null,
        "aria-sort": on ? (sort.down ? "descending" : "ascending") : null,
      }, button);
    }));
  }

  function row(columns, place) {
    return element("tr", {}, ...columns.map(({ name, values, isNumber, shown }) => {
      const value = values[place];
      if (name === "trial") return element("td", { class: "number" }, element("a", { href: `${link}/trials/${value}` }, String(value)));
      if (name === "state") return element("td", {}, element("span", { class: `state ${value}` }, value));
      const title = isNumber ? value : null;
      return element("td", { class: isNumber ? "number" : null, title }, shown ? shown(value) : value ?? "–");
    }));
  }

  function draw() {
    if (!data || table.closest(".hidden")) return;
    const columns = columnsOf(data);
    const found = places(columns);
    const last = Math.max(0, Math.ceil(found.length / PAGE) - 1);
    page = Math.min(page, last);
    table.tHead.replaceChildren(head(columns));
    table.tBodies[0].replaceChildren(
      ...found.slice(page * PAGE, (page + 1) * PAGE).map((place) => row(columns, place)),
    );
    document.getElementById("trial-count").textContent = `${found.length.toLocaleString("en-US")} of ${data.trials.index.length.toLocaleString("en-US")} trials`;
    document.getElementById("trials-page").textContent = `Page ${page + 1} of ${last + 1}`;
    document.getElementById("trials-back").disabled = page === 0;
    document.getElementById("trials-on").disabled = page === last;
  }

  function offerStates() {
    const known = new Set([...state.options].map((option) => option.value));
    for (const name of new Set(data.trials.state)) {
      if (!known.has(name)) state.append(element("option", {}, name));
    }
  }

  for (const [id, step] of [["trials-back", -1], ["trials-on", 1]]) {
    document.getElementById(id).addEventListener("click", () => { page += step; draw(); });
  }
  for (const input of [state, search]) input.addEventListener("input", () => { page = 0; draw(); });
  return {
    update(fresh) { data = fresh; offerStates(); draw(); },
    select(indices) { only = indices; page = 0; draw(); },
    draw,
  };
}
