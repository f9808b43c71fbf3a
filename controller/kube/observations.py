"""Single values over the API server: how they are named and written, for both its sides."""

from collections.abc import Mapping
from typing import Any

from ...api.observation import PlainSample, Sample
from ...api.space import format_value

GROUP = "observations.tunewright.dev"
API_VERSION = f"{GROUP}/v1"


def trial_path(namespace: str, trial: str) -> str:
    return f"/apis/{API_VERSION}/namespaces/{namespace}/trials/{trial}/metrics"


def write_sample(sample: PlainSample) -> dict[str, Any]:
    """Write a value as text: JSON has neither NaN nor infinity."""
    metric, value, time, step = sample
    return {"metric": metric, "value": format_value(value), "time": time, "step": step}


def read_sample(written: Mapping[str, Any]) -> Sample:
    return Sample(written["metric"], float(written["value"]), written["time"], written["step"])
