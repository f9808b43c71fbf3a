"""Metrics as they are reported, and what a trial's log sums up to."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import NamedTuple, Self, TypeAlias

from .characters import is_unicode


class Sample(NamedTuple):
    """One value of one metric.

    `time` is seconds since the epoch, UTC; `step` counts what the trainer
    counts (steps, epochs), None when it did not say. NaN and infinity are
    legal.
    """

    metric: str
    value: float
    time: float
    step: int | None = None


PlainSample: TypeAlias = tuple[str, float, float, int | None]
"""A sample to whoever only reads it. Logs are millions of them: as plain tuples they cost an
eighth to make, and the garbage collector nothing."""


LONGEST_TEXT = 4096
"""Characters of a text in place of a number."""


class TextValue(float):
    """A text in place of a number: NaN to whoever computes, `text` to whoever shows.

    So do Katib's searches for an architecture report what they found. No database keeps NUL: it
    is replaced.
    """

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        value = super().__new__(cls, math.nan)
        value.text = text[:LONGEST_TEXT].replace("\0", "\N{REPLACEMENT CHARACTER}")
        return value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TextValue) and self.text == other.text

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"TextValue({self.text!r})"

    def __str__(self) -> str:
        return self.text

    def __format__(self, spec: str) -> str:
        return self.text

    def __reduce__(self) -> tuple[type["TextValue"], tuple[str]]:
        return TextValue, (self.text,)


def as_text(value: float | None) -> str | None:
    """Return the text that stands in place of a number."""
    return value.text if isinstance(value, TextValue) else None


def read_value(written: str) -> float:
    """Read a value that was written as text: a number, or the text that stands in its place."""
    try:
        return float(written)
    except ValueError:
        return TextValue(written)


LONGEST_NAME = 255
"""Characters of a metric's name: what every database keeps and finds again."""


def is_metric_name(text: str) -> bool:
    """Whether a text can be the name of a metric: short enough, Unicode, and without NUL.

    To MySQL a name is the same with blanks behind it: there are none.
    """
    fits = 0 < len(text) <= LONGEST_NAME and "\0" not in text and not text.endswith(" ")
    return fits and is_unicode(text)


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples of one source of one attempt, in order.

    The samples are numbered `first_sequence`, +1, …, so that a batch sent
    twice changes nothing. A source is one reporter (`stdout`, `push`, …).
    """

    experiment_uid: str
    index: int
    attempt: int
    source: str
    first_sequence: int
    samples: tuple[PlainSample, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """All that is asked of a metric's log, kept while it is written.

    `min` and `max` are over the numbers that are not NaN (NaN when there were
    none); `latest` is by time, the later row winning a tie, and may be a
    `TextValue`. `latest_step` is the step of `latest`, `min_step` and `max_step` those of the
    extremes. `count` counts all values, `numbers` those that are not NaN, and `sum` adds these up.
    """

    min: float
    max: float
    latest: float
    count: int
    sum: float
    latest_time: float
    min_step: int | None = None
    max_step: int | None = None
    latest_step: int | None = None
    numbers: int = 0

    def add(self, sample: PlainSample) -> "Summary":
        """Return the summary of the log with `sample` at its end."""
        _, value, time, step = sample
        later = time >= self.latest_time
        smaller = value < self.min or (math.isnan(self.min) and not math.isnan(value))
        greater = value > self.max or (math.isnan(self.max) and not math.isnan(value))
        return replace(
            self,
            min=value if smaller else self.min,
            max=value if greater else self.max,
            latest=value if later else self.latest,
            count=self.count + 1,
            sum=self.sum if math.isnan(value) else self.sum + value,
            latest_time=max(time, self.latest_time),
            min_step=step if smaller else self.min_step,
            max_step=step if greater else self.max_step,
            latest_step=step if later else self.latest_step,
            numbers=self.numbers + (not math.isnan(value)),
        )

    def extend(self, samples: Sequence[PlainSample]) -> "Summary":
        """Return the summary of the log with `samples` at its end, quicker than one by one."""
        numbers = [value for _, value, _, _ in samples if not math.isnan(value)]
        if not numbers:
            return reduce(Summary.add, samples, self)
        low, high, total = min(numbers), max(numbers), self.sum
        for number in numbers:
            total += number
        smaller = low < self.min or math.isnan(self.min)
        greater = high > self.max or math.isnan(self.max)
        newest = max(time for _, _, time, _ in samples)
        last, last_step = next(
            (value, step) for _, value, time, step in reversed(samples) if time == newest
        )
        later = newest >= self.latest_time
        return replace(
            self,
            min=low if smaller else self.min,
            max=high if greater else self.max,
            latest=last if later else self.latest,
            count=self.count + len(samples),
            sum=total,
            latest_time=max(newest, self.latest_time),
            min_step=_step_of(low, samples) if smaller else self.min_step,
            max_step=_step_of(high, samples) if greater else self.max_step,
            latest_step=last_step if later else self.latest_step,
            numbers=self.numbers + len(numbers),
        )


def _step_of(wanted: float, samples: Sequence[PlainSample]) -> int | None:
    return next(step for _, value, _, step in samples if value == wanted)


Observation: TypeAlias = Mapping[str, Summary]
"""The summaries of a trial's metrics, by name; a metric never seen is absent."""


def first_summary(sample: PlainSample) -> Summary:
    """Return the summary of a log that holds `sample` alone."""
    _, value, time, step = sample
    is_number = not math.isnan(value)
    extreme, total = (value, value) if is_number else (math.nan, 0.0)
    return Summary(extreme, extreme, value, 1, total, time, step, step, step, int(is_number))


def summarize(samples: Iterable[PlainSample]) -> dict[str, Summary]:
    """Sum a log up, metric by metric."""
    return summarize_on({}, samples)


def summarize_on(
    known: Mapping[str, Summary], samples: Iterable[PlainSample]
) -> dict[str, Summary]:
    """Return the summaries of the metrics in `samples`, of logs that had `known` before."""
    by_metric: dict[str, list[PlainSample]] = {}
    for sample in samples:
        by_metric.setdefault(sample[0], []).append(sample)
    return {
        metric: known[metric].extend(found)
        if metric in known
        else first_summary(found[0]).extend(found[1:])
        for metric, found in by_metric.items()
    }
