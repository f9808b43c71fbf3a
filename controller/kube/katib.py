"""Beside Katib, or after it: who drives, and what it left behind.

While a Katib controller runs nothing is touched here. Where none does, what it
left in the way is named or lifted: its finalizers would hold objects that are
being deleted for ever, its webhooks would hold whatever is created.
"""

import asyncio
import logging
from collections.abc import Sequence

from ...api.errors import Forbidden, NotFound, TunewrightError
from .port import Document, Kube, Resource, Selection, name_of, namespace_of

FINALIZERS = frozenset({"update-prometheus-metrics", "clean-metrics-in-db"})
"""Those of its Experiments and Trials. Nothing outside the cluster is to be cleaned up here."""

DEPLOYMENTS = Resource("apps", "v1", "deployments")
_CONTROLLER = "katib.kubeflow.org/component=controller"
_WEBHOOKS = tuple(
    Resource("admissionregistration.k8s.io", "v1", plural)
    for plural in ("validatingwebhookconfigurations", "mutatingwebhookconfigurations")
)
_WEBHOOK = "katib.kubeflow.org"
_LOOK_SECONDS = 10.0

log = logging.getLogger(__name__)


async def wait_for_its_end(kube: Kube, namespaces: Sequence[str | None]) -> None:
    """Return when no Katib controller runs; say where one does while there is one."""
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
        await asyncio.sleep(_LOOK_SECONDS)
    for resource in _WEBHOOKS:
        if await _is_there(kube, resource):
            log.warning(
                "Katib left %s %s behind: without its controller it refuses what is created;"
                " `kubectl delete %s %s` removes it",
                *(resource.plural, _WEBHOOK, resource.plural, _WEBHOOK),
            )


async def _controllers(kube: Kube, namespaces: Sequence[str | None]) -> list[str]:
    found: list[Document] = []
    for namespace in namespaces:
        try:
            listing = await kube.list(Selection(DEPLOYMENTS, namespace, _CONTROLLER))
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
        await kube.get(resource, None, _WEBHOOK)
    except (NotFound, Forbidden):
        return False
    return True


async def lift_finalizers(kube: Kube, resource: Resource, document: Document) -> None:
    """Let an object go that is being deleted, and that Katib would have kept."""
    metadata = document["metadata"]
    held = metadata.get("finalizers") or []
    left = [each for each in held if each not in FINALIZERS]
    if not metadata.get("deletionTimestamp") or left == held:
        return
    patch = {"metadata": {"finalizers": left, "resourceVersion": metadata["resourceVersion"]}}
    try:
        await kube.merge(resource, metadata["namespace"], metadata["name"], patch)
    except TunewrightError as error:
        log.info("%s is let go later: %s", metadata["name"], error)
