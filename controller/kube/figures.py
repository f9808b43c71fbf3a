"""What `/metrics` tells of the operator, in Prometheus' text."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from ...api.states import ExperimentState, TrialState
from .cache import Cache
from .port import Document, at

Labels: TypeAlias = tuple[tuple[str, str], ...]

_STATES = {
    "Succeeded": "succeeded",
    "Failed": "failed",
    "MetricsUnavailable": "metrics_unavailable",
}
"""States that Katib counts, by their name in its metrics."""

_KNOWN = (*ExperimentState, *TrialState)


@dataclass(slots=True)
class Figures:
    """Counted since this process began; what there is now is counted when it is asked for."""

    leads: bool = False
    reconciles: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    passages: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def reconciled(self, outcome: str, seconds: float) -> None:
        self.reconciles[outcome] += 1
        self.seconds += seconds

    def passed(self, kind: str, namespace: str, state: str) -> None:
        """Count an experiment or a trial that was created, deleted, or came to an end."""
        self.passages[kind, namespace, _STATES.get(state, state.lower())] += 1

    def text(self, caches: Mapping[str, Cache], queued: int) -> str:
        return "\n".join([*self._lines(caches, queued), ""])

    def _lines(self, caches: Mapping[str, Cache], queued: int) -> Iterator[str]:
        yield "# TYPE tunewright_leader gauge"
        yield f"tunewright_leader {int(self.leads)}"
        yield "# TYPE tunewright_queue_depth gauge"
        yield f"tunewright_queue_depth {queued}"
        yield "# TYPE tunewright_reconcile_total counter"
        for outcome, count in sorted(self.reconciles.items()):
            yield _line("tunewright_reconcile_total", (("outcome", outcome),), count)
        yield "# TYPE tunewright_reconcile_seconds_sum counter"
        yield f"tunewright_reconcile_seconds_sum {self.seconds:.6f}"
        for (kind, namespace, state), count in sorted(self.passages.items()):
            yield _line(f"katib_{kind}_{state}_total", (("namespace", namespace),), count)
        for kind, cache in caches.items():
            yield f"# TYPE katib_{kind}s_current gauge"
            for (namespace, state), count in sorted(_now(cache).items()):
                where = (("namespace", namespace), ("status", state))
                yield _line(f"katib_{kind}s_current", where, count)


def _now(cache: Cache) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for key in cache.names():
        found[key.namespace, _state(cache.get(key))] += 1
    return found


def _state(document: Document | None) -> str:
    """Return the state that an object is in by its last condition: others may write any there."""
    conditions = at(document, "status", "conditions")
    last = at(conditions[-1], "type") if isinstance(conditions, list) and conditions else None
    return str(last) if last in _KNOWN else "Unknown"


def _line(name: str, labels: Labels, value: float) -> str:
    written = ",".join(f'{label}="{text}"' for label, text in labels)
    return f"{name}{{{written}}} {value}"
