"""Our APIService: by which name the API server calls us, and which certificates it trusts."""

from ...api.errors import Conflict
from .certificates import with_authority
from .observations import GROUP, VERSION
from .port import Kube, Resource, version_of

API_SERVICES = Resource("apiregistration.k8s.io", "v1", "apiservices")

_NAME = f"{VERSION}.{GROUP}"


async def trust(kube: Kube, text: str) -> None:
    """Let the API server trust a certificate."""
    while True:
        there = await kube.get(API_SERVICES, None, _NAME)
        before = there["spec"].get("caBundle") or ""
        bundle = with_authority(before, text)
        if bundle == before:
            return
        patch = {"metadata": {"resourceVersion": version_of(there)}, "spec": {"caBundle": bundle}}
        try:
            await kube.merge(API_SERVICES, None, _NAME, patch)
        except Conflict:
            continue  # another replica was faster
        return


async def host_of(kube: Kube) -> str:
    """Return the name by which the API server calls us: that of the Service in its APIService.

    Raises:
        NotFound: there is no APIService: nobody asked for this.
    """
    there = await kube.get(API_SERVICES, None, _NAME)
    service = there["spec"]["service"]
    return f"{service['name']}.{service['namespace']}.svc"
