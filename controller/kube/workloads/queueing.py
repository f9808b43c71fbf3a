"""What Kueue says of a workload that it has not admitted."""

from collections.abc import Iterator

from ....api.errors import Forbidden, NotFound
from ..port import Document, Kube, Resource, Selection

WORKLOADS = Resource("kueue.x-k8s.io", "v1beta1", "workloads")
"""Kueue's own: one for each workload that it manages."""

_ABOUT = "kueue.x-k8s.io/job-uid"


async def why_queued(kube: Kube, workload: Document) -> str:
    """Return why it is not admitted; nothing where Kueue says nothing, or is not to be asked."""
    metadata = workload["metadata"]
    labels = f"{_ABOUT}={metadata['uid']}"
    try:
        found = await kube.list(Selection(WORKLOADS, metadata["namespace"], labels=labels))
    except (Forbidden, NotFound):
        return ""
    return next((said for each in found.documents for said in _refusals(each)), "")


def _refusals(document: Document) -> Iterator[str]:
    for each in (document.get("status") or {}).get("conditions") or ():
        if each.get("type") == "QuotaReserved" and each.get("status") == "False":
            yield str(each.get("message") or "")
