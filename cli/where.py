"""What the options say of where experiments are, and opening it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .place import Place
from .source import Source


@dataclass(frozen=True, slots=True)
class Where:
    """A store or, where `is_cluster`, a context of a kubeconfig."""

    store: str | None = None
    namespace: str | None = None
    context: str | None = None
    kubeconfig: str | None = None
    is_cluster: bool = False

    @property
    def place(self) -> Place:
        return Place.of(self.store)

    @contextmanager
    def opened(self) -> Iterator[Source]:
        """Open the store, or the connection to the cluster, for the time of a block."""
        if self.is_cluster:
            from .there import reach

            yield reach(self)
            return
        from .here import Here

        place = self.place
        with place.opened() as store:
            yield Here(place, store, self.namespace)
