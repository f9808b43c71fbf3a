"""What names the place of experiments, and opening it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...api.errors import NotFound
from .place import Place
from .source import ALONE, Hands, Source

if TYPE_CHECKING:
    from ...db.store import Store
    from .there import There


@dataclass(frozen=True, slots=True)
class Where:
    """A store or, where `is_cluster`, a context of a kubeconfig."""

    store: str | None = None
    namespace: str | None = None
    context: str | None = None
    kubeconfig: str | None = None
    is_cluster: bool = False
    hands: Hands = field(default=ALONE, compare=False)

    @property
    def place(self) -> Place:
        return Place.of(self.store)

    @property
    def is_there(self) -> bool:
        """Say whether it exists: opening a file's store that does not would create it."""
        store = self.place.store
        return self.is_cluster or isinstance(store, str) or store.exists()

    @contextmanager
    def opened(self, *, makes: bool = False) -> Iterator[Source]:
        """Open the store, or the connection to the cluster, for the time of a block.

        A store that is not there is made only if it `makes` one.

        Raises:
            NotFound: the store that was named is not there.
        """
        if self.is_cluster:
            yield self.reached()
            return
        from .here import Here

        with self.place.opened() if makes or self.is_there else self._empty() as store:
            yield Here(self.place, store, self.namespace, self.hands)

    @contextmanager
    def _empty(self) -> Iterator["Store"]:
        """Open one that holds nothing, in the place of the usual one, for nobody has begun yet."""
        from tempfile import TemporaryDirectory

        if self.store is not None:
            remedy = f"`tunewright run --store {self.store}` creates one"
            raise NotFound(f"there is no store at {self.place} ({remedy})")
        with TemporaryDirectory(prefix="tunewright-") as folder, Place.of(folder).opened() as store:
            yield store

    def reached(self) -> "There":
        """Connect to the cluster."""
        from ...controller.kube.session import Context, connect
        from .there import There

        session = connect(Context(self.kubeconfig, self.context))
        return There(session, self.namespace, self.hands)
