"""Beside Katib, or after it: who drives, and what it left behind.

While a Katib controller runs nothing is touched here, also when it is begun again, by
whoever keeps its manifests. Where none does, what it left in the way is named or lifted:
its finalizers would hold objects that are being deleted for ever, its webhooks would hold
whatever is created.
"""

import asyncio
import logging
from collections.abc import Sequence

from ...api.errors import Forbidden, NotFound, Retryable, TunewrightError
from .port import Document, Kube, Resource, Selection, name_of, namespace_of
from .resources import DEPLOYMENTS

FINALIZERS = frozenset({"update-prometheus-metrics", "clean-metrics-in-db"})
"""Those of its Experiments and Trials. Nothing outside the cluster is to be cleaned up here."""

CONTROLLER = "katib.kubeflow.org/component=controller"
WEBHOOKS = tuple(
    Resource("admissionregistration.k8s.io", "v1", plural)
    for plural in ("validatingwebhookconfigurations", "mutatingwebhookconfigurations")
)
WEBHOOK = "katib.kubeflow.org"
"""The name of its two webhook configurations."""

LOOK_SECONDS = 10.0
"""How often it is looked whether a controller of Katib's runs."""

log = logging.getLogger(__name__)


async def wait_for_its_end(kube: Kube, namespaces: Sequence[str | None]) -> None:
    """Return when no Katib controller runs; say where one does while there is one."""
    while True:
        try:
            return await _wait_for_its_end(kube, namespaces)
        except Retryable as error:
            log.info("whether a Katib controller runs cannot be seen: %s", error)
            await asyncio.sleep(error.after)


async def return_when_it_is_back(kube: Kube, namespaces: Sequence[str | None]) -> None:
    """Return when a Katib controller runs again."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            if await _controllers(kube, namespaces):
                return
        except TunewrightError as error:
            log.info("whether a Katib controller runs cannot be seen: %s", error)


async def _wait_for_its_end(kube: Kube, namespaces: Sequence[str | None]) -> None:
    told = ""
    while True:
        there = await _controllers(kube, namespaces)
        if not there:
            break
        where = ", ".join(there)
        if where != told:
            log.warning(
                "a Katib controller runs (%s): nothing is touched until it is scaled to 0", where
            )
            told = where
        await asyncio.sleep(LOOK_SECONDS)
    for resource in WEBHOOKS:
        if await _is_there(kube, resource):
            log.warning(
                "Katib left %s %s behind: without its controller it refuses what is created;"
                " `kubectl delete %s %s` removes it",
                *(resource.plural, WEBHOOK, resource.plural, WEBHOOK),
            )


async def _controllers(kube: Kube, namespaces: Sequence[str | None]) -> list[str]:
    found: list[Document] = []
    for namespace in namespaces:
        try:
            listing = await kube.list(Selection(DEPLOYMENTS, namespace, CONTROLLER))
        except Forbidden:
            continue  # an operator of some namespaces sees no others
        found += listing.documents
    return [
        f"{namespace_of(each)}/{name_of(each)}"
        for each in found
        if (each.get("status") or {}).get("replicas")
    ]


async def _is_there(kube: Kube, resource: Resource) -> bool:
    try:
        await kube.get(resource, None, WEBHOOK)
    except (NotFound, Forbidden):
        return False
    return True


async def lift_finalizers(kube: Kube, resource: Resource, document: Document) -> None:
    """Let an object go that is being deleted, and that Katib would have kept."""
    metadata = document["metadata"]
    if not is_held(document):
        return
    version = {"resourceVersion": metadata["resourceVersion"]}
    patch = {"metadata": {"finalizers": left_finalizers(document), **version}}
    try:
        await kube.merge(resource, metadata["namespace"], metadata["name"], patch)
    except TunewrightError as error:
        log.info("%s is let go later: %s", metadata["name"], error)


def is_held(document: Document) -> bool:
    """Whether an object is being deleted, and a finalizer of Katib's holds it."""
    metadata = document["metadata"]
    held = FINALIZERS.intersection(metadata.get("finalizers") or ())
    return bool(metadata.get("deletionTimestamp") and held)


def left_finalizers(document: Document) -> list[str]:
    """Return an object's finalizers without Katib's."""
    held = document["metadata"].get("finalizers") or ()
    return [each for each in held if each not in FINALIZERS]
