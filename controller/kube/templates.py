"""An Experiment with its trial template in place, wherever that is kept."""

from typing import Any

from ...api import documents
from ...api.errors import Fault, Invalid, NotFound
from .port import Document, Kube, Resource

CONFIG_MAPS = Resource("", "v1", "configmaps")


async def with_template(kube: Kube, document: Document) -> dict[str, Any]:
    """Return the experiment with the template that a ConfigMap holds, read now.

    Raises:
        Invalid: there is no such ConfigMap, it lacks the key, or what it holds is no template.
    """
    source = ((document.get("spec") or {}).get("trialTemplate") or {}).get("configMap") or {}
    name, namespace = source.get("configMapName"), source.get("configMapNamespace")
    others = []
    if name and namespace:
        try:
            found = await kube.get(CONFIG_MAPS, str(namespace), str(name))
        except NotFound as error:
            path = "spec.trialTemplate.configMap.configMapName"
            message = f"there is no ConfigMap {name} in namespace {namespace}"
            raise Invalid([Fault(path, message, "create it, or name another")]) from error
        others = [{"kind": "ConfigMap", **found}]
    filled, faults = documents.with_template(document, others)
    if faults:
        raise Invalid(faults)
    return dict(filled)
