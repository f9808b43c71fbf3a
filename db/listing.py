"""Which experiments are looked for, and the page of them that is found."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from ..api.remarks import labels_of
from .records import ExperimentRecord

PAUSED = "Paused"
"""Shown of an experiment that is suspended, and has not ended: no state of its own."""


class Order(StrEnum):
    NEWEST = "newest"
    OLDEST = "oldest"
    NAME = "name"
    STATE = "state"


EVERY = 10**9
"""The limit of a page that holds all."""


@dataclass(frozen=True, slots=True)
class Query:
    """`search` is part of `namespace/name`; `labels` are names with a value, or with any (None).

    `state` is what is shown of an experiment, `Paused` included; `within` are the namespaces
    that whoever looks may see, None is all.
    """

    namespace: str | None = None
    within: frozenset[str] | None = None
    search: str = ""
    state: str | None = None
    labels: tuple[tuple[str, str | None], ...] = ()
    order: Order = Order.NEWEST
    offset: int = 0
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Found:
    """A page of experiments, each with its best trial; `total` counts all that match."""

    records: Sequence[ExperimentRecord]
    total: int


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of experiments since the last look: those that changed, and uids that are gone.

    `more`: there were too many to tell each.
    """

    records: Sequence[ExperimentRecord] = ()
    gone: Sequence[str] = ()
    more: bool = False

    def __bool__(self) -> bool:
        return bool(self.records or self.gone or self.more)


class Feed(Protocol):
    def read(self) -> Changed:
        """Return what changed since the last call, at a cost of that alone."""
        ...


def shown_state(record: ExperimentRecord) -> str:
    return PAUSED if record.suspended and not record.state.is_finished else str(record.state)


def selected(query: Query, records: Iterable[ExperimentRecord]) -> Sequence[ExperimentRecord]:
    """Return all that match, in order: what a store's own query finds."""
    return sorted((each for each in records if _matches(query, each)), key=_ORDERS[query.order])


def _matches(query: Query, record: ExperimentRecord) -> bool:
    labels = labels_of(record.document)
    return (
        query.namespace in (None, record.key.namespace)
        and (query.within is None or record.key.namespace in query.within)
        and query.search.strip().lower() in str(record.key).lower()
        and query.state in (None, shown_state(record))
        and all(name in labels and value in (None, labels[name]) for name, value in query.labels)
    )


_ORDERS: dict[Order, Any] = {
    Order.NEWEST: lambda record: (-record.created_at, record.key.name, record.key.namespace),
    Order.OLDEST: lambda record: (record.created_at, record.key.name, record.key.namespace),
    Order.NAME: lambda record: (record.key.name, record.key.namespace),
    Order.STATE: lambda record: (str(record.state), -record.created_at, record.key.name),
}
