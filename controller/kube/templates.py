"""An Experiment with its trial template in place, wherever that is kept."""

from collections.abc import Sequence
from typing import Any

from ...api import documents
from ...api.errors import Fault, Forbidden, Invalid, NotFound
from .port import Document, Kube, at, namespace_of
from .resources import CONFIG_MAPS

_COMPONENT, _TEMPLATES = "katib.kubeflow.org/component", "trial-templates"
_PATH = "spec.trialTemplate.configMap"


async def with_template(kube: Kube, document: Document, shared: Sequence[str]) -> dict[str, Any]:
    """Return the experiment with the template that a ConfigMap holds, read now.

    One of another namespace than the experiment's is read only where that is one of
    the `shared` ones and the ConfigMap is labelled as Katib labels its templates: the
    operator may read what whoever wrote the experiment may not.

    Raises:
        Invalid: there is no such ConfigMap, it may not be read, lacks the key, or what it
            holds is no template.
    """
    source = at(document, "spec", "trialTemplate", "configMap")
    name, namespace = at(source, "configMapName"), at(source, "configMapNamespace")
    others = []
    if name and namespace:
        own = namespace_of(document) == namespace
        if not own and namespace not in shared:
            raise _refused(
                "configMapNamespace",
                f"templates of the namespace {namespace} are not shared",
                f"keep it in {namespace_of(document)}; an administrator shares namespaces by"
                " templateNamespaces in the operator's settings",
            )
        found = await _read(kube, str(namespace), str(name), own=own)
        labels = found["metadata"].get("labels") or {}
        if not own and labels.get(_COMPONENT) != _TEMPLATES:
            remedy = f"label it {_COMPONENT}: {_TEMPLATES}"
            raise _refused("configMapName", f"{name} is not a ConfigMap of templates", remedy)
        others = [{"kind": "ConfigMap", **found}]
    filled, faults = documents.with_template(document, others)
    if faults:
        raise Invalid(faults)
    return dict(filled)


async def _read(kube: Kube, namespace: str, name: str, *, own: bool) -> Document:
    try:
        return await kube.get(CONFIG_MAPS, namespace, name)
    except NotFound as error:
        message = f"there is no ConfigMap {name} in namespace {namespace}"
        raise _refused("configMapName", message, "create it, or name another") from error
    except Forbidden as error:
        if own:
            raise  # its role is yet to be granted
        message = f"the operator may not read ConfigMaps of the namespace {namespace}"
        remedy = "keep it in the experiment's namespace, or have that granted"
        raise _refused("configMapNamespace", message, remedy) from error


def _refused(field: str, message: str, remedy: str) -> Invalid:
    return Invalid([Fault(f"{_PATH}.{field}", message, remedy)])
