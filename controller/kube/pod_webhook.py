"""The MutatingWebhookConfiguration that has the API server ask us about as few pods as possible.

It is installed without webhooks, and filled here: one for each kind whose pods another
controller makes, limited to the namespaces that hold such trials at the moment. The API server
asks when a pod is created, waits two seconds at most, and goes on without an answer.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from ...api.errors import Conflict, Retryable, TunewrightError
from .cache import Key
from .certificates import with_authority
from .labels import SERVED_AT
from .port import Document, Kube, Resource, version_of
from .workloads.elsewhere import ELSEWHERE

CONFIGURATIONS = Resource("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations")
NAME = "tunewright-pods"

_NAMESPACE = "kubernetes.io/metadata.name"
"""The label with its name, which the API server itself gives to every namespace."""

_PATIENCE = 2

log = logging.getLogger(__name__)


_Namespaces: TypeAlias = Mapping[str, frozenset[str]]
"""By kind, where trials of it are."""


class PodWebhook:
    """The configuration as one replica writes it: its authority, and as the leader the namespaces.

    What another replica wrote stays.
    """

    def __init__(self, kube: Kube) -> None:
        self.uid = ""
        """The configuration's, and part of the address: only who may read it knows where to ask."""
        self._kube = kube
        self._authority = ""
        self._holders: Mapping[str, set[Key]] | None = None  # experiments, by kind
        self._moved = False  # experiments came or went since their namespaces were compared
        self._written: _Namespaces | None = None
        self._writing = asyncio.Lock()

    async def host(self) -> str:
        """Return the name by which the API server calls us.

        Raises:
            NotFound: nobody asked for this.
        """
        return urlsplit(_served_at(await self._there())).hostname or ""

    async def trust(self, authority: str) -> None:
        """Let the API server trust a certificate, as long as it is asked for this."""
        self._authority = authority
        await self.write()

    async def lead(self, experiments: Mapping[Key, str]) -> None:
        """Begin to say which namespaces are meant: at first those of experiments of these kinds.

        Of which kind one is may be open: then it is of any.
        """
        self._holders = {
            kind: {key for key, known in experiments.items() if known in {kind, ""}}
            for kind in ELSEWHERE
        }
        self._moved = True
        with contextlib.suppress(Retryable):
            await self._mark()

    def resign(self) -> None:
        """Leave it to another leader."""
        self._holders = self._written = None

    async def hold(self, experiment: Key, kind: str, *, holds: bool) -> None:
        """Say whether an experiment has trials of a kind; return when the API server knows.

        Raises:
            ServerUnavailable: it could not be told.
        """
        for each, held in (self._holders or {}).items():
            if (experiment in held) is not (holds and each == kind):
                held ^= {experiment}
                self._moved = True
        if self._moved:
            await self._mark()

    async def forget(self, experiment: Key) -> None:
        """The experiment is over, or gone."""
        await self.hold(experiment, "", holds=False)

    async def write(self) -> None:
        """Make the configuration what this replica knows it should be.

        Raises:
            NotFound: nobody asked for this.
        """
        async with self._writing:
            while True:
                there = await self._there()
                wanted, written = self._webhooks(there), self._namespaces
                if wanted != there.get("webhooks"):
                    metadata = {"resourceVersion": version_of(there)}
                    patch = {"metadata": metadata, "webhooks": wanted}
                    try:
                        await self._kube.merge(CONFIGURATIONS, None, NAME, patch)
                    except Conflict:
                        continue  # another replica was faster
                self.uid, self._written = there["metadata"]["uid"], written
                return

    async def _mark(self) -> None:
        """Write which namespaces are meant, if those are others than before."""
        wanted = self._namespaces
        if wanted != self._written:
            try:
                await self.write()
            except Retryable:
                raise
            except TunewrightError as error:  # whoever serves tries it again
                log.warning("pods that are made elsewhere come without a collector: %s", error)
                self._written = wanted
        self._moved = False

    @property
    def _namespaces(self) -> _Namespaces | None:
        if self._holders is None:
            return None
        return {
            kind: frozenset(each.namespace for each in held) for kind, held in self._holders.items()
        }

    async def _there(self) -> Document:
        return await self._kube.get(CONFIGURATIONS, None, NAME)

    def _webhooks(self, there: Document) -> list[dict[str, Any]]:
        before = {each["name"]: each for each in there.get("webhooks") or ()}
        made = []
        for kind in ELSEWHERE:
            known = before.get(_name(kind), {})
            bundle = (known.get("clientConfig") or {}).get("caBundle") or ""
            if self._authority:
                bundle = with_authority(bundle, self._authority)
            namespaces = (self._namespaces or {}).get(kind)
            selector = known.get("namespaceSelector") if namespaces is None else None
            made.append(_webhook(kind, _client(there, kind, bundle), selector or _only(namespaces)))
        return made


def _served_at(there: Document) -> str:
    return str((there["metadata"].get("annotations") or {}).get(SERVED_AT, ""))


def _name(kind: str) -> str:
    return f"{segment(kind)}.pods.tunewright.dev"


def segment(kind: str) -> str:
    """Return what stands for a kind in names and addresses, which have to be in lower case."""
    return kind.lower()


def _client(there: Document, kind: str, bundle: str) -> dict[str, Any]:
    """Return where the API server calls: a Service, by the names that only a cluster knows."""
    url, path = urlsplit(_served_at(there)), f"/{there['metadata']['uid']}/{segment(kind)}"
    name, _, namespace = (url.hostname or "").removesuffix(".svc").partition(".")
    if not (url.hostname or "").endswith(".svc"):
        return {"url": f"{url.geturl()}{path}", "caBundle": bundle}
    service = {"name": name, "namespace": namespace, "path": path, "port": url.port or 443}
    return {"service": service, "caBundle": bundle}


def _only(namespaces: Iterable[str] | None) -> dict[str, Any]:
    named = sorted(namespaces or ())
    if not named:  # every namespace has the label
        return {"matchExpressions": [{"key": _NAMESPACE, "operator": "DoesNotExist"}]}
    return {"matchExpressions": [{"key": _NAMESPACE, "operator": "In", "values": named}]}


def _webhook(kind: str, client: Document, namespaces: Document) -> dict[str, Any]:
    known = ELSEWHERE[kind]
    owners = "has(object.metadata.ownerReferences) && object.metadata.ownerReferences"
    made_by = f'{owners}.exists(each, each.kind == "{known.owner}")'
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "scope": "Namespaced"}
    labelled = {"matchExpressions": [{"key": known.label, "operator": "Exists"}]}
    return {
        "name": _name(kind),
        "admissionReviewVersions": ["v1"],
        "clientConfig": client,
        "rules": [{"operations": ["CREATE"], **pods}],
        "namespaceSelector": namespaces,
        "objectSelector": labelled,
        "matchConditions": [{"name": "made-by-its-controller", "expression": made_by}],
        "matchPolicy": "Exact",
        "failurePolicy": "Ignore",
        "reinvocationPolicy": "Never",
        "sideEffects": "None",
        "timeoutSeconds": _PATIENCE,
    }
