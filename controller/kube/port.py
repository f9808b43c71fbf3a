"""The API server, as this program sees it: plain documents under names, and a watch of them.

Documents are never changed in place. What goes wrong is one of our errors:
`NotFound`, `Conflict` (it exists, another version is there, or another uid),
`Invalid` with a fault for each field, `Forbidden`, `Expired` (a version that
the server has forgotten), and `ServerUnavailable`, which may be tried again.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from ...api.errors import NotFound

Document: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object, by where it is served. The core group is empty."""

    group: str
    version: str
    plural: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_name(self) -> str:
        """What kubectl and roles call it: `jobs.batch`."""
        return f"{self.plural}.{self.group}".rstrip(".")

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """Return the path of one object, or of all in a namespace, or everywhere.

        Raises:
            NotFound: the name is none, and would lead elsewhere.
        """
        parts = [f"/apis/{self.group}" if self.group else "/api", self.version]
        if namespace is not None:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        _check_names(namespace, name)
        return "/".join(part for part in (*parts, name, subresource) if part)


def _check_names(*names: str | None) -> None:
    for name in names:
        if name in {".", ".."} or set(name or "") & set("/%?#"):
            raise NotFound(f"nothing can be called {name}")


class Change(StrEnum):
    """What a watch tells. A bookmark only says how far the server has come."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"


@dataclass(frozen=True, slots=True)
class WatchEvent:
    change: Change
    document: Document


@dataclass(frozen=True, slots=True)
class Listing:
    """Objects as they were together at one version."""

    documents: Sequence[Document]
    version: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects are meant: of one namespace or all, with these labels (`a=b,c`) and fields."""

    resource: Resource
    namespace: str | None = None
    labels: str = ""
    fields: str = ""


Watch: TypeAlias = AbstractAsyncContextManager[AsyncIterator[WatchEvent]]


Log: TypeAlias = AbstractAsyncContextManager[AsyncIterator[bytes]]


class Kube(Protocol):
    async def get(self, resource: Resource, namespace: str | None, name: str) -> Document: ...

    async def list(self, selection: Selection) -> Listing:
        """Return all of them, whatever the server's pages are."""
        ...

    def watch(
        self, selection: Selection, *, since: str | None, seconds: int, silence: float
    ) -> Watch:
        """Tell of changes behind version `since`; None: of all there is, and then of changes.

        The server ends the stream after `seconds`.
        The end of what there is is a bookmark with the annotation `INITIAL_END`.
        A stream without a word for `silence` seconds is given up as ServerUnavailable.
        """
        ...

    async def create(
        self,
        resource: Resource,
        namespace: str | None,
        document: Document,
        *,
        dry: bool = False,
        user: str | None = None,
    ) -> Document:
        """Create it; unknown fields are refused. `dry` only says what would become of it.

        `user` is as whom, where that is not who asks: Forbidden where either may not.
        """
        ...

    async def replace(
        self, resource: Resource, namespace: str | None, document: Document, subresource: str = ""
    ) -> Document:
        """Write the whole of it; Conflict unless the server has its `resourceVersion`."""
        ...

    async def apply(
        self,
        resource: Resource,
        namespace: str | None,
        document: Document,
        *,
        manager: str,
        subresource: str = "",
    ) -> Document:
        """Write by server-side apply all fields that `manager` owns alone."""
        ...

    async def merge(
        self, resource: Resource, namespace: str | None, name: str, patch: Document
    ) -> Document:
        """Change what the patch says (null: remove it) and nothing else; lists are replaced.

        Conflict when the patch holds a `resourceVersion` that is no longer the object's.
        """
        ...

    async def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        foreground: bool = False,
    ) -> None:
        """Delete it, and what it owns; Conflict when another has its name.

        `foreground`: it stays until what it owns is gone.
        """
        ...

    def log(self, namespace: str, pod: str, container: str, *, silence: float) -> Log:
        """Give what a container writes, a line after the other, from its beginning to its end.

        Each line begins with its time, RFC 3339, and a blank, and ends with a newline. A long one
        may come in several pieces, of which the last one ends so.
        ServerUnavailable after `silence` seconds without a word, Invalid while the
        container has not begun, NotFound when the pod is gone.
        """
        ...

    async def log_end(
        self, namespace: str, pod: str, container: str, *, previous: bool = False
    ) -> bytes:
        """Return the last lines of what a container has written, up to some MiB.

        `previous`: of the one before it was started anew.

        Invalid while it has not begun, NotFound when the pod is gone.
        """
        ...

    async def kinds(self, api_version: str) -> Mapping[str, Resource]:
        """Return the namespaced kinds of a group's version, as they are served now.

        NotFound when there is no such version: its definitions are not installed.
        """
        ...


INITIAL_END = "k8s.io/initial-events-end"


def at(document: Any, *keys: str) -> Any:
    """Return what stands below these keys; None where one of them is not there.

    Others may have written anything in these places: Katib's definitions ask for no type.
    """
    for key in keys:
        document = document.get(key) if isinstance(document, Mapping) else None
    return document


def name_of(document: Document) -> str:
    return str(document["metadata"].get("name", ""))


def namespace_of(document: Document) -> str:
    return str(document["metadata"].get("namespace", ""))


def version_of(document: Document) -> str:
    return str(document["metadata"].get("resourceVersion", ""))
