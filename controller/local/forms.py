"""The form of the manifests that run here: a cluster's API server would not take another."""

import math
from collections.abc import Mapping
from typing import Any

from ...api.errors import Unsupported
from ..forms import TABLE, Form, faults


def _whole(value: Any) -> str:
    is_one = not isinstance(value, bool) and str(value).isdecimal()
    return "" if is_one else "is not a whole number"


def _seconds(value: Any) -> str:
    try:
        is_one = 0 <= float(str(value)) < math.inf
    except ValueError:
        is_one = False
    return "" if is_one else "is not a number of seconds"


_FILES: Form = {"items": [TABLE]}
_CONTAINER: Form = {
    "env": [{"valueFrom": {"*": TABLE}}],
    "envFrom": [{"configMapRef": TABLE, "secretRef": TABLE}],
    "resources": {"limits": TABLE, "requests": TABLE},
    "volumeMounts": [TABLE],
}
_PODS: Form = {
    "metadata": {"labels": TABLE, "annotations": TABLE},
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
    "labels": TABLE,
    "trainer": {
        "numNodes": _whole,
        "env": [{"valueFrom": {"*": TABLE}}],
        "resourcesPerNode": {"limits": TABLE, "requests": TABLE},
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
    form = {"metadata": TABLE, "spec": _SPECS.get(str(manifest.get("kind")), TABLE)}
    wrong = next(faults(manifest, form), None)
    if wrong is not None:
        raise Unsupported(wrong)
