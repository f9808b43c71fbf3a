"""Single values over the API server: how they are asked for and written, for both its sides."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...api.errors import Fault, Invalid
from ...api.observation import PlainSample, Sample, read_value
from ...api.space import format_value
from ...db.records import TrialRecord
from ...db.store import Store

GROUP = "observations.tunewright.dev"
VERSION = "v1"
API_VERSION = f"{GROUP}/{VERSION}"
PAGE = 10_000

_GREATEST = 2**30


def trial_path(namespace: str, trial: str) -> str:
    return f"/apis/{API_VERSION}/namespaces/{namespace}/trials/{trial}/metrics"


def output_path(namespace: str, trial: str) -> str:
    return f"/apis/{API_VERSION}/namespaces/{namespace}/trials/{trial}/output"


def write_sample(sample: PlainSample) -> dict[str, Any]:
    """Write a value as text: JSON has neither NaN nor infinity."""
    metric, value, time, step = sample
    return {"metric": metric, "value": format_value(value), "time": time, "step": step}


def read_sample(written: Mapping[str, Any]) -> Sample:
    return Sample(written["metric"], read_value(written["value"]), written["time"], written["step"])


def _whole(text: str) -> int:
    """Read a number from 0 on that every database takes, though another be added to it."""
    number = int(text)
    if not 0 <= number <= _GREATEST:
        raise ValueError(f"{text} is not from 0 to {_GREATEST}")
    return number


def _moment(text: str) -> float:
    """Read a time: not every database takes what is no number, or an infinite one."""
    moment = float(text)
    if not math.isfinite(moment):
        raise ValueError(f"{text} is not a time")
    return moment


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: of which trial and attempt, and how many values of which time it has."""

    index: int
    attempt: int
    time: float
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.attempt}/{self.time!r}/{self.count}"

    @classmethod
    def read(cls, text: str) -> "Cursor":
        index, attempt, time, count = text.split("/")
        begun = float("-inf") if time == "-inf" else _moment(time)
        return cls(_whole(index), _whole(attempt), begun, _whole(count))


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked for; `after` is where the page before ended."""

    metric: str | None = None
    since: float | None = None
    until: float | None = None
    attempt: int | None = None
    limit: int = PAGE
    after: Cursor | None = None

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Question":
        """Read the query of a request.

        Raises:
            Invalid: with everything in it that cannot be read.
        """
        found: dict[str, Any] = {}
        faults = []
        for name, (field, kind) in _PARAMETERS.items():
            if query.get(name):
                try:
                    found[field] = kind(query[name])
                except ValueError:
                    faults.append(Fault(name, f"{query[name]} is not a value of it"))
        if faults:
            raise Invalid(faults)
        question = cls(**found)
        if not 0 < question.limit <= PAGE:
            raise Invalid([Fault("limit", f"it is not from 1 to {PAGE}")])
        return question


_PARAMETERS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "metric": ("metric", str),
    "since": ("since", _moment),
    "until": ("until", _moment),
    "attempt": ("attempt", _whole),
    "limit": ("limit", _whole),
    "continue": ("after", Cursor.read),
}


def page(
    store: Store, uid: str, trials: Iterable[TrialRecord], question: Question
) -> tuple[list[dict[str, Any]], Cursor | None]:
    """Return the values of trials in order, as many as fit a page, and where it ends if it does."""
    items: list[dict[str, Any]] = []
    after = question.after
    for trial in trials:
        place = (
            after if after is not None and after.index == trial.index else _begin(trial, question)
        )
        for sample in _values(store, uid, place, question):
            if len(items) == question.limit:
                return items, place
            count = place.count + 1 if sample.time == place.time else 1
            place = Cursor(trial.index, place.attempt, sample.time, count)
            items.append({"trial": trial.name, "index": trial.index, **write_sample(sample)})
    return items, None


def _begin(trial: TrialRecord, question: Question) -> Cursor:
    last = trial.attempt.attempt if trial.attempt else 1
    return Cursor(trial.index, question.attempt or last, float("-inf"), 0)


def _values(store: Store, uid: str, place: Cursor, question: Question) -> Iterator[Sample]:
    """Yield an attempt's values behind a place, and one more than fit a page."""
    since = [each for each in (question.since, place.time) if each is not None]
    found = store.samples(
        uid,
        place.index,
        metric=question.metric,
        since=max(since) if max(since) > float("-inf") else None,
        until=question.until,
        attempt=place.attempt,
        limit=question.limit + place.count + 1,
    )
    for position, sample in enumerate(found):
        if position >= place.count:
            yield Sample(*sample)
