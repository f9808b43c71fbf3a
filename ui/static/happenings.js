// What an experiment's conditions are, and what happened, the newest first; both follow it.
import { element, showTimes } from "./app.js";

const MOST = 200;

const bodyOf = (id) => document.getElementById(id).tBodies[0];
const moment = (seconds) => element("time", { datetime: new Date(seconds * 1000).toISOString() });

function conditionRow({ type, holds, since, reason, message }) {
  return element("tr", {},
    element("td", {}, type, holds ? null : element("span", { class: "muted" }, " (no longer)")),
    element("td", {}, since === null ? null : moment(since)),
    element("td", {}, reason),
    element("td", { class: "wide" }, message));
}

export function showConditions(conditions) {
  bodyOf("conditions").replaceChildren(...conditions.map(conditionRow));
  showTimes(bodyOf("conditions"));
}

function eventRow({ at, trial, kind, reason, message }, link) {
  return element("tr", { "data-at": at },
    element("td", {}, moment(at)),
    element("td", {}, trial === null ? null : element("a", { href: `${link}/trials/${trial}` }, String(trial))),
    element("td", {}, `${kind === "Warning" ? "⚠ " : ""}${reason}`),
    element("td", { class: "wide" }, message));
}

/** Put in what is not there yet. Two readers may tell the same event. */
export function showEvents(events, link) {
  const body = bodyOf("happened");
  const idOf = (row) => [Number(row.dataset.at), ...[...row.cells].slice(1).map(({ textContent }) => textContent)].join("|");
  const known = new Set([...body.rows].map(idOf));
  for (const event of events) {
    const row = eventRow(event, link);
    if (known.has(idOf(row))) continue;
    body.querySelector(".empty")?.closest("tr").remove();
    const before = [...body.rows].find((each) => Number(each.dataset.at) <= event.at);
    body.insertBefore(row, before ?? null);
  }
  while (body.rows.length > MOST) body.rows[MOST].remove();
  showTimes(body);
}
