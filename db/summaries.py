"""The rows of summaries: what the log of each metric of an attempt sums up to."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, select

from ..api.observation import Observation, PlainSample, Summary, as_text, summarize_on
from .names import Names
from .rows import summary_of
from .schema import encode, summaries
from .statements import Prepared, insert_of, update_of

_OF_ATTEMPT = Prepared(
    select(summaries).where(
        summaries.c.trial_id == bindparam("trial"), summaries.c.attempt == bindparam("number")
    )
)
_TOGETHER = 16
"""Of how many metrics the summaries are read in one statement."""


@cache
def _reader(count: int) -> Prepared:
    """Return the statement that reads the summaries of so many metrics of an attempt."""
    places: list[Any] = [bindparam(f"metric_{place}") for place in range(count)]
    return Prepared(
        select(summaries).where(
            summaries.c.trial_id == bindparam("trial"),
            summaries.c.attempt == bindparam("number"),
            summaries.c.metric_id.in_(places),
        )
    )


_KEY = ("trial_id", "attempt", "metric_id")
_NEW = insert_of(summaries)
_RENEW = update_of(
    summaries,
    _KEY,
    (
        *("min", "max", "latest", "count", "sum", "latest_time"),
        *("min_step", "max_step", "latest_step", "numbers", "latest_text"),
    ),
)


class Summaries:
    """Reads and writes the summaries of attempts, by the names of their metrics."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def of_attempt(self, connection: Connection, trial: int, attempt: int) -> Observation:
        return dict(self.by_number(connection, trial, attempt).values())

    def by_number(
        self, connection: Connection, trial: int, attempt: int
    ) -> Mapping[int, tuple[str, Summary]]:
        """Return the names and summaries of what an attempt reported, by the metrics' numbers."""
        rows = _OF_ATTEMPT(connection, trial=trial, number=attempt).rows
        texts = self._names.texts_of(connection, [row.metric_id for row in rows])
        return {row.metric_id: (texts[row.metric_id], summary_of(row)) for row in rows}

    def of_trials(
        self, connection: Connection, trials: Sequence[int]
    ) -> Mapping[tuple[int, int], Observation]:
        """Return the observations of all attempts of some trials, by trial and attempt."""
        query = select(summaries).where(summaries.c.trial_id.in_(trials))
        return self.by_attempt(connection, connection.execute(query).all())

    def by_attempt(
        self, connection: Connection, rows: Sequence[Any]
    ) -> Mapping[tuple[int, int], Observation]:
        """Sort rows of summaries by their trial and attempt."""
        texts = self._names.texts_of(connection, {row.metric_id for row in rows})
        found: dict[tuple[int, int], dict[str, Summary]] = {}
        for row in rows:
            of_attempt = found.setdefault((row.trial_id, row.attempt), {})
            of_attempt[texts[row.metric_id]] = summary_of(row)
        return found

    def extend(
        self, connection: Connection, trial: int, attempt: int, samples: Sequence[PlainSample]
    ) -> Observation:
        """Sum up samples on top of what is kept; return what was kept before of their metrics.

        What an attempt has reported under other names is not read: there may be thousands.
        """
        metrics = {metric for metric, _, _, _ in samples}
        ids = {metric: self._names.id_of(connection, metric) for metric in metrics}
        known = self._of_metrics(connection, trial, attempt, ids)
        new, changed = [], []
        for metric, summary in summarize_on(known, samples).items():
            key = (trial, attempt, ids[metric])
            if metric in known:
                columns = (f"key_{name}" for name in _KEY)
                changed.append(dict(zip(columns, key, strict=True)) | _columns(summary))
            else:
                new.append(dict(zip(_KEY, key, strict=True)) | _columns(summary))
        _NEW.many(connection, new)
        _RENEW.many(connection, changed)
        return known

    def _of_metrics(
        self, connection: Connection, trial: int, attempt: int, ids: Mapping[str, int]
    ) -> Observation:
        texts = {number: text for text, number in ids.items()}
        numbers = [*texts]
        found: dict[str, Summary] = {}
        for start in range(0, len(numbers), _TOGETHER):
            some = numbers[start : start + _TOGETHER]
            places = {f"metric_{place}": number for place, number in enumerate(some)}
            read = _reader(len(some))
            for row in read(connection, trial=trial, number=attempt, **places):
                found[texts[row.metric_id]] = summary_of(row)
        return found


def _columns(summary: Summary) -> dict[str, Any]:
    return {
        "min": encode(summary.min),
        "max": encode(summary.max),
        "latest": encode(summary.latest),
        "count": summary.count,
        "sum": encode(summary.sum),
        "latest_time": summary.latest_time,
        "min_step": summary.min_step,
        "max_step": summary.max_step,
        "latest_step": summary.latest_step,
        "numbers": summary.numbers,
        "latest_text": as_text(summary.latest),
    }
