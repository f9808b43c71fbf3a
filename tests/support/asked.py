"""Documents of experiments whose points are asked for."""

from typing import Any

from tunewright import search


def asked(
    name: str = "asked", algorithm: str = "random", trials: int = 8, **spec: Any
) -> dict[str, Any]:
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": name},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "algorithm": {"algorithmName": algorithm},
            "maxTrialCount": trials,
            "askTell": {},
            "seed": 1,
            **search.parameters({"x": search.double(0, 1)}),
            **spec,
        },
    }
