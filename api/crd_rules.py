"""What the resource definitions say of fields beyond their types: facts, and rules in CEL.

Paths are those of the reference page: `spec.parameters[].name`. A list whose
entries have rules is bounded, for the server bounds what a rule may cost.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from .defaults import ALGORITHM, PARALLEL_TRIALS

Schema: TypeAlias = dict[str, Any]


class Rule(NamedTuple):
    """A rule in CEL, and what is said when it is broken, in the words of `validate`."""

    cel: str
    message: str


_DIRECTIONS = ["minimize", "maximize"]
_PARAMETER: Mapping[str, Schema] = {
    "name": {"minLength": 1},
    "parameterType": {"enum": ["double", "int", "discrete", "categorical"]},
    "feasibleSpace.distribution": {
        "enum": ["uniform", "logUniform", "normal", "logNormal"],
        "default": "uniform",
    },
}
_OBJECTIVE: Mapping[str, Schema] = {
    "type": {"enum": _DIRECTIONS},
    "objectiveMetricName": {"minLength": 1},
    "metricStrategies[].value": {"enum": ["min", "max", "latest"]},
}
_POSITIVE: Schema = {"minimum": 1}


def _below(path: str, facts: Mapping[str, Schema]) -> dict[str, Schema]:
    return {f"{path}.{name}": fact for name, fact in facts.items()}


FACTS: Mapping[str, Schema] = {
    **_below("spec.parameters[]", _PARAMETER),
    **_below("spec.nasConfig.operations[].parameters[]", _PARAMETER),
    **_below("spec.objective", _OBJECTIVE),
    "spec.objectives[].type": {"enum": _DIRECTIONS},
    "spec.algorithm": {"default": {"algorithmName": ALGORITHM}},
    "spec.algorithm.algorithmName": {"minLength": 1},
    "spec.earlyStopping.algorithmName": {"minLength": 1},
    "spec.parallelTrialCount": {**_POSITIVE, "default": PARALLEL_TRIALS},
    "spec.maxTrialCount": _POSITIVE,
    "spec.maxFailedTrialCount": {"minimum": 0},
    "spec.resumePolicy": {"enum": ["Never", "LongRunning", "FromVolume"]},
    "spec.metricsCollectorSpec": {"default": {"collector": {"kind": "StdOut"}}},
    "spec.metricsCollectorSpec.collector.kind": {
        "enum": ["StdOut", "File", "TensorFlowEvent", "PrometheusMetric", "Custom", "Push"]
    },
    "spec.metricsCollectorSpec.source.fileSystemPath.kind": {"enum": ["File", "Directory"]},
    "spec.metricsCollectorSpec.source.fileSystemPath.format": {"enum": ["TEXT", "JSON"]},
    "spec.trialPolicy.retries": {"minimum": 0},
    "spec.trialPolicy.onLost": {"enum": ["Retry", "Fail"]},
    "spec.repeats": _POSITIVE,
    "spec.stopWhen.noImprovement.trials": _POSITIVE,
}
"""What is known of an Experiment's fields beyond their types, by path."""

REQUIRED: Mapping[str, Sequence[str]] = {
    "": ("spec",),
    "spec": ("objective", "trialTemplate"),
    "spec.objective": ("type", "objectiveMetricName"),
    "spec.parameters[]": ("name", "parameterType", "feasibleSpace"),
    "spec.objectives[]": ("metric", "type"),
    "spec.constraints[]": ("metric",),
    "spec.parameterConditions[]": ("parameter", "when"),
    "spec.warmStartFrom[]": ("name",),
    "spec.earlyStopping": ("algorithmName",),
}

_SPACE_RULES = [
    Rule(
        "self.parameterType in ['double', 'int'] ?"
        " has(self.feasibleSpace.min) && has(self.feasibleSpace.max) : true",
        "feasibleSpace.max or feasibleSpace.min must be specified for double and int",
    ),
    Rule(
        "self.parameterType in ['discrete', 'categorical'] ?"
        " has(self.feasibleSpace.list) && size(self.feasibleSpace.list) > 0 : true",
        "feasibleSpace.list must be specified for discrete and categorical",
    ),
    Rule(
        "self.parameterType in ['double', 'int'] ? !has(self.feasibleSpace.list) : true",
        "feasibleSpace.list is not supported for double and int",
    ),
]
RULES: Mapping[str, Sequence[Rule]] = {
    "": [
        Rule(
            "self.metadata.name.size() <= 40"
            " && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            "metadata.name must consist of lower case letters, digits and '-', start with a letter,"
            " and may not be longer than 40 characters",
        ),
    ],
    "spec": [
        Rule(
            "has(self.parameters) != has(self.nasConfig)",
            "one of spec.parameters and spec.nasConfig must be specified",
        ),
        Rule(
            f"!has(self.maxTrialCount) || self.parallelTrialCount == {PARALLEL_TRIALS}"
            " || self.parallelTrialCount <= self.maxTrialCount",
            "spec.parallelTrialCount should be less than or equal to spec.maxTrialCount",
        ),
        Rule(
            "!has(self.maxTrialCount) || !has(self.maxFailedTrialCount)"
            " || self.maxFailedTrialCount <= self.maxTrialCount",
            "spec.maxFailedTrialCount should be less than or equal to spec.maxTrialCount",
        ),
    ],
    "spec.trialTemplate": [
        Rule(
            "has(self.trialSpec) != has(self.configMap)",
            "one of trialSpec and configMap must be specified",
        ),
    ],
    "spec.parameters[]": _SPACE_RULES,
    "spec.constraints[]": [
        Rule("has(self.min) || has(self.max)", "min or max must be specified"),
        Rule(
            "!has(self.min) || !has(self.max) || self.min <= self.max",
            "max must not be less than min",
        ),
    ],
}
MOST = {"spec.parameters": 512, "spec.constraints": 64}
"""How many entries a list may have whose entries have rules: their cost is bounded by it."""
