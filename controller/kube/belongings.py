"""Objects of an experiment besides its trials: its plug-in's Service and Deployment, its claim.

Their names are made of the experiment's, so one of that name may exist already: made by this
operator before, by people, by Katib, or for an earlier experiment of the same name. That last
one is about to be garbage-collected, and must not be taken for this experiment's.
"""

import contextlib

from ...api.errors import Conflict, NotFound, ServerUnavailable
from ...api.experiment import API_VERSION
from ...db.records import ExperimentRecord
from .port import Document, Kube, Resource, name_of, namespace_of

_OWNERS = {"Experiment", "Suggestion"}
"""What owns them: an experiment, or of those that Katib made its Suggestion, which has its name."""


async def make(
    kube: Kube, resource: Resource, experiment: ExperimentRecord, document: Document
) -> None:
    """Create an object, if it is not there yet.

    Raises:
        ServerUnavailable: that of a namesake is still there.
    """
    namespace, name = namespace_of(document), name_of(document)
    try:
        await kube.create(resource, namespace, document)
    except Conflict:
        there = await _find(kube, resource, namespace, name)
        if there is None or _is_going(there, experiment):
            kind = document["kind"]
            raise ServerUnavailable(
                f"the {kind} {name} of an earlier experiment is not gone yet"
            ) from None


async def remove(kube: Kube, resource: Resource, experiment: ExperimentRecord, name: str) -> None:
    """Delete an object, if it is there and not a stranger's."""
    namespace = experiment.key.namespace
    there = await _find(kube, resource, namespace, name)
    if there is not None and any(_is_owner(each, experiment) for each in _owners(there)):
        with contextlib.suppress(NotFound, Conflict):
            await kube.delete(resource, namespace, name, uid=there["metadata"]["uid"])


async def _find(kube: Kube, resource: Resource, namespace: str, name: str) -> Document | None:
    try:
        return await kube.get(resource, namespace, name)
    except NotFound:
        return None


def _is_going(there: Document, experiment: ExperimentRecord) -> bool:
    """Whether an object is being deleted, or will be: an earlier experiment owned it."""
    uids = {each["uid"] for each in _owners(there) if each["kind"] == "Experiment"}
    return bool(there["metadata"].get("deletionTimestamp")) or bool(uids - {experiment.uid})


def _is_owner(owner: Document, experiment: ExperimentRecord) -> bool:
    return owner["kind"] in _OWNERS and owner["name"] == experiment.key.name


def _owners(document: Document) -> list[Document]:
    owners = document["metadata"].get("ownerReferences") or ()
    return [each for each in owners if each["apiVersion"] == API_VERSION]
