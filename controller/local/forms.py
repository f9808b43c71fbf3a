"""The form of the manifests that run here: a cluster's API server would not take another.

A form is a table with the form of each key that is read here (`*`: of every key), a list of
one form, or a function that says what is wrong with a value. What is absent has any form.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from ...api.errors import Unsupported

Form: TypeAlias = "Mapping[str, Form] | list[Form] | Callable[[Any], str]"


def _whole(value: Any) -> str:
    is_one = not isinstance(value, bool) and str(value).isdecimal()
    return "" if is_one else "is not a whole number"


def _seconds(value: Any) -> str:
    try:
        is_one = 0 <= float(str(value)) < math.inf
    except ValueError:
        is_one = False
    return "" if is_one else "is not a number of seconds"


_TABLE: Form = {}
_FILES: Form = {"items": [_TABLE]}
_CONTAINER: Form = {
    "env": [{"valueFrom": {"*": _TABLE}}],
    "envFrom": [{"configMapRef": _TABLE, "secretRef": _TABLE}],
    "resources": {"limits": _TABLE, "requests": _TABLE},
    "volumeMounts": [_TABLE],
}
_PODS: Form = {
    "metadata": {"labels": _TABLE, "annotations": _TABLE},
    "spec": {
        "containers": [_CONTAINER],
        "initContainers": [_CONTAINER],
        "volumes": [{"configMap": _FILES, "secret": _FILES}],
        "terminationGracePeriodSeconds": _seconds,
    },
}
_JOB: Form = {
    "template": _PODS,
    "backoffLimit": _whole,
    "parallelism": _whole,
    "completions": _whole,
    "activeDeadlineSeconds": _seconds,
}
_REPLICAS: Form = {"*": {"replicas": _whole, "template": _PODS}}
_REPLICATED: Form = {
    "pytorchReplicaSpecs": _REPLICAS,
    "tfReplicaSpecs": _REPLICAS,
    "runPolicy": {"backoffLimit": _whole, "activeDeadlineSeconds": _seconds},
}
_TRAIN_JOB: Form = {
    "labels": _TABLE,
    "trainer": {
        "numNodes": _whole,
        "env": [{"valueFrom": {"*": _TABLE}}],
        "resourcesPerNode": {"limits": _TABLE, "requests": _TABLE},
    },
}
_SPECS: Mapping[str, Form] = {
    "Job": _JOB,
    "PyTorchJob": _REPLICATED,
    "TFJob": _REPLICATED,
    "TrainJob": _TRAIN_JOB,
}


def check_form(manifest: Mapping[str, Any]) -> None:
    """Refuse a manifest that is no such object.

    Raises:
        Unsupported: a field is not what it must be; the message names it.
    """
    form = {"metadata": _TABLE, "spec": _SPECS.get(str(manifest.get("kind")), _TABLE)}
    wrong = next(_faults(manifest, form, ""), None)
    if wrong is not None:
        raise Unsupported(wrong)


def _faults(value: Any, form: Form, path: str) -> Iterator[str]:
    wrong = _wrong(value, form)
    if wrong:
        yield f"{path}: {value!r:.80} {wrong}"
    elif isinstance(form, list):
        for index, each in enumerate(value):
            yield from _faults(each, form[0], f"{path}[{index}]")
    elif isinstance(form, Mapping):
        for key, each in value.items():
            below = form.get(key, form.get("*"))
            if below is not None and each is not None:
                yield from _faults(each, below, f"{path}.{key}" if path else str(key))


def _wrong(value: Any, form: Form) -> str:
    if isinstance(form, list):
        return "" if isinstance(value, list) else "is not a list"
    if isinstance(form, Mapping):
        return "" if isinstance(value, Mapping) else "is not a table of fields"
    return form(value)
