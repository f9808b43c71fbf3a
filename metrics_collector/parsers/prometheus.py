"""Metrics in Prometheus' text format, as a training program serves it."""

import re
from collections.abc import Iterator, Sequence

from ...api.observation import PlainSample, Sample
from .numbers import to_number

# Nothing is given back: a page of blanks would be gone through again and again.
_LINE = re.compile(
    r"""([A-Za-z_:][\w:]*+)(?:\s*+(\{(?:[^"}]|"(?:[^"\\]|\\.)*+")*+\}))?+\s++"""
    r"""(\S++)(?:\s++(-?\d{1,15}))?+\s*+"""
)
_LABEL = re.compile(r"""(?<!\w)([A-Za-z_]\w*+)\s*+=\s*+"((?:[^"\\]|\\.)*+)\"""")


def series(text: str) -> Iterator[tuple[str, frozenset[tuple[str, str]], float, float | None]]:
    """Read name, labels, value and time (seconds) of every series."""
    for line in text.splitlines():
        found = None if line.startswith("#") else _LINE.fullmatch(line)
        value = None if found is None else to_number(found[3])
        if found is None or value is None:
            continue
        labels = frozenset(_LABEL.findall(found[2] or ""))
        yield found[1], labels, value, int(found[4]) / 1000 if found[4] else None


class PrometheusParser:
    """Reads samples off one scrape after another; a value that did not change is none.

    A metric is a name, or a name with labels (`loss{split="val"}`). A name alone is
    the series without labels, or the only one of that name.
    """

    def __init__(self, metrics: Sequence[str]) -> None:
        self._wanted = [
            (metric, metric.partition("{")[0].strip(), frozenset(_LABEL.findall(metric)))
            for metric in metrics
        ]
        self._last: dict[str, tuple[str, float | None]] = {}
        self.names: dict[str, None] = {}

    def scrape(self, text: str, at: float) -> list[PlainSample]:
        by_name: dict[str, dict[frozenset[tuple[str, str]], tuple[float, float | None]]] = {}
        for name, labels, value, stamp in series(text):
            by_name.setdefault(name, {})[labels] = (value, stamp)
        self.names = dict.fromkeys(by_name)
        samples: list[PlainSample] = []
        for metric, name, labels in self._wanted:
            known = by_name.get(name, {})
            found = known.get(labels)
            if found is None and not labels and len(known) == 1:
                (found,) = known.values()
            if found is None:
                continue
            # Compared as text: NaN is equal to itself there.
            mark = (repr(found[0]), found[1])
            if self._last.get(metric) != mark:
                self._last[metric] = mark
                samples.append(Sample(metric, found[0], at if found[1] is None else found[1]))
        return samples
