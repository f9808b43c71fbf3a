"""What the resource definitions say of an Experiment's fields beyond their types.

Facts are plain schema; rules are CEL, in the words of `validate`. Paths are
those of the reference page: `spec.parameters[].name`. What a rule looks at is
bounded, for the server bounds what a rule may cost.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from .checkpoint import Keep
from .collector_spec import CollectorKind
from .identity import ACCOUNT, LONGEST_ACCOUNT
from .objective import Direction, Strategy
from .observation import LONGEST_NAME
from .policy import OnLost, ResumePolicy
from .problem import ALGORITHM, PARALLEL_TRIALS
from .space import Distribution, ParameterKind

Schema: TypeAlias = dict[str, Any]


class Rule(NamedTuple):
    """A rule in CEL, and what is said when it is broken."""

    cel: str
    message: str


_DIRECTION: Schema = {"enum": [each.value for each in Direction]}
_METRIC: Schema = {"minLength": 1, "maxLength": LONGEST_NAME}
_PLACEHOLDER: Schema = {"pattern": r"^[^{}]+$", "maxLength": 255}
_NUMBER: Schema = {
    "pattern": r"^([+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?)?$",
    "maxLength": 64,
}
_ABSOLUTE: Schema = {"pattern": "^/"}
_FREE: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_TEXT: Schema = {"type": "string", "maxLength": 253}
_SOME: Schema = {"minimum": 1}
_NOT_NEGATIVE: Schema = {"minimum": 0}
_MORE_THAN_NOTHING: Schema = {"minimum": 0, "exclusiveMinimum": True}


def _keyed(key: str, most: int = 512) -> Schema:
    """Describe a list whose entries differ in one field."""
    return {
        "maxItems": most,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": [key],
    }


def _different(most: int) -> Schema:
    return {"maxItems": most, "x-kubernetes-list-type": "set"}


_PARAMETER: Mapping[str, Schema] = {
    "": _keyed("name"),
    "[].name": _PLACEHOLDER,
    "[].parameterType": {"enum": [each.value for each in ParameterKind]},
    "[].feasibleSpace.min": _NUMBER,
    "[].feasibleSpace.max": _NUMBER,
    "[].feasibleSpace.step": _NUMBER,
    "[].feasibleSpace.list": _different(4096),
    "[].feasibleSpace.distribution": {
        "enum": [each.value for each in Distribution],
        "default": Distribution.UNIFORM.value,
    },
}
_SEARCHED: Mapping[str, Schema] = {
    ".algorithmName": {"minLength": 1},
    ".algorithmSettings": _keyed("name"),
    ".endpoint": {"minLength": 1},
}
_COLLECTOR: Mapping[str, Schema] = {
    "": {"default": {"collector": {"kind": CollectorKind.STDOUT.value}}},
    ".collector": {"default": {"kind": CollectorKind.STDOUT.value}},
    ".collector.kind": {
        "enum": [kind.value for kind in CollectorKind],
        "default": CollectorKind.STDOUT.value,
    },
    ".source.fileSystemPath.path": _ABSOLUTE,
    ".source.fileSystemPath.kind": {"enum": ["File", "Directory"]},
    ".source.fileSystemPath.format": {"enum": ["TEXT", "JSON", ""]},
    ".source.httpGet.path": _ABSOLUTE,
}
_TEMPLATE: Mapping[str, Schema] = {
    ".trialSpec": {
        "required": ["apiVersion", "kind"],
        "properties": {
            "apiVersion": {"type": "string", "minLength": 1},
            "kind": {"type": "string", "minLength": 1},
            "metadata": {**_FREE, "properties": {"name": _TEXT, "namespace": _TEXT}},
        },
    },
    ".trialParameters": _keyed("name"),
    ".trialParameters[].name": _PLACEHOLDER,
    ".trialParameters[].reference": {"minLength": 1},
    ".configMap.configMapName": {"minLength": 1},
    ".configMap.configMapNamespace": {"minLength": 1},
    ".configMap.templatePath": {"minLength": 1},
}
_POLICY: Mapping[str, Schema] = {
    ".retries": _NOT_NEGATIVE,
    ".backoffSeconds": _NOT_NEGATIVE,
    ".activeDeadlineSeconds": _MORE_THAN_NOTHING,
    ".pendingDeadlineSeconds": _MORE_THAN_NOTHING,
    ".onLost": {"enum": [each.value for each in OnLost]},
}


def _below(path: str, facts: Mapping[str, Schema]) -> dict[str, Schema]:
    return {f"{path}{name}": fact for name, fact in facts.items()}


FACTS: Mapping[str, Schema] = {
    **_below("spec.parameters", _PARAMETER),
    "spec.nasConfig.operations": {"maxItems": 64},
    **_below("spec.nasConfig.operations[].parameters", {**_PARAMETER, "": _keyed("name", 64)}),
    "spec.nasConfig.graphConfig.numLayers": _SOME,
    "spec.objective.type": _DIRECTION,
    "spec.objective.objectiveMetricName": _METRIC,
    "spec.objective.additionalMetricNames": _different(128),
    "spec.objective.additionalMetricNames[]": _METRIC,
    "spec.objective.metricStrategies": _keyed("name"),
    "spec.objective.metricStrategies[].value": {"enum": [each.value for each in Strategy]},
    "spec.objectives": _keyed("metric"),
    "spec.objectives[].metric": _METRIC,
    "spec.objectives[].type": _DIRECTION,
    "spec.constraints": {"maxItems": 128},
    "spec.constraints[].metric": _METRIC,
    **_below("spec.algorithm", _SEARCHED),
    "spec.algorithm": {"default": {"algorithmName": ALGORITHM}},
    "spec.algorithm.timeoutSeconds": _MORE_THAN_NOTHING,
    **_below("spec.earlyStopping", _SEARCHED),
    **_below("spec.trialTemplate", _TEMPLATE),
    **_below("spec.metricsCollectorSpec", _COLLECTOR),
    "spec.parallelTrialCount": {**_SOME, "default": PARALLEL_TRIALS},
    "spec.maxTrialCount": _SOME,
    "spec.maxFailedTrialCount": _NOT_NEGATIVE,
    "spec.resumePolicy": {"enum": [each.value for each in ResumePolicy]},
    "spec.parameterConditions": _keyed("parameter"),
    **_below("spec.trialPolicy", _POLICY),
    "spec.askTell.leaseSeconds": _MORE_THAN_NOTHING,
    "spec.warmStartFrom": _keyed("name"),
    "spec.warmStartFrom[].name": {"minLength": 1},
    "spec.checkpoint.path": _ABSOLUTE,
    "spec.checkpoint.keep": {"enum": [each.value for each in Keep]},
    "spec.stopWhen.noImprovement.trials": _SOME,
    "spec.stopWhen.noImprovement.minDelta": _NOT_NEGATIVE,
    "spec.repeats": _SOME,
    "spec.seed": _NOT_NEGATIVE,
    "spec.ttlSecondsAfterFinished": _NOT_NEGATIVE,
    "spec.trialServiceAccount": {"pattern": ACCOUNT, "maxLength": LONGEST_ACCOUNT},
}
"""What is known of an Experiment's fields beyond their types, by path."""

REQUIRED: Mapping[str, Sequence[str]] = {
    "": ("spec",),
    "spec": ("objective", "trialTemplate"),
    "spec.parameters[]": ("name", "parameterType", "feasibleSpace"),
    "spec.nasConfig": ("graphConfig", "operations"),
    "spec.nasConfig.operations[]": ("operationType",),
    "spec.nasConfig.operations[].parameters[]": ("name", "parameterType", "feasibleSpace"),
    "spec.objective": ("type", "objectiveMetricName"),
    "spec.objective.metricStrategies[]": ("name", "value"),
    "spec.objectives[]": ("metric", "type"),
    "spec.constraints[]": ("metric",),
    "spec.parameterConditions[]": ("parameter", "when"),
    "spec.parameterConditions[].when": ("parameter", "in"),
    "spec.algorithm": ("algorithmName",),
    "spec.algorithm.algorithmSettings[]": ("name",),
    "spec.earlyStopping": ("algorithmName",),
    "spec.earlyStopping.algorithmSettings[]": ("name",),
    "spec.trialTemplate.trialParameters[]": ("name", "reference"),
    "spec.trialTemplate.configMap": ("configMapName", "configMapNamespace", "templatePath"),
    "spec.initialTrials[]": ("assignments",),
    "spec.warmStartFrom[]": ("name",),
    "spec.stopWhen": ("noImprovement",),
    "spec.stopWhen.noImprovement": ("trials",),
}

_NUMERIC = "self.parameterType in ['double', 'int']"


def _given(name: str) -> str:
    return f"(has(self.feasibleSpace.{name}) && self.feasibleSpace.{name} != '')"


def _listed(test: str) -> str:
    return f"(has(self.feasibleSpace.list) && size(self.feasibleSpace.list) {test})"


_RANGE = f"{_given('min')} && {_given('max')}"
_LOW, _HIGH = "double(self.feasibleSpace.min)", "double(self.feasibleSpace.max)"
_PARAMETER_RULES = [
    Rule(
        f"!({_NUMERIC}) || ({_RANGE})",
        "feasibleSpace.min and feasibleSpace.max must be specified for double and int",
    ),
    Rule(
        f"!({_NUMERIC}) || !{_listed('> 0')}",
        "feasibleSpace.list is not supported for double and int; use discrete or categorical",
    ),
    Rule(
        f"!({_NUMERIC} && {_RANGE}) || {_LOW} <= {_HIGH}",
        "feasibleSpace.max must not be less than feasibleSpace.min",
    ),
    Rule(
        f"!({_NUMERIC} && {_RANGE}) || {_LOW} > 0.0"
        " || !(self.feasibleSpace.distribution in ['logUniform', 'logNormal'])",
        "feasibleSpace.min must be greater than 0 for logUniform and logNormal",
    ),
    Rule(
        f"{_NUMERIC} || {_listed('> 0')}",
        "feasibleSpace.list must be specified for discrete and categorical",
    ),
    Rule(
        f"{_NUMERIC} || !({_given('min')} || {_given('max')} || {_given('step')})",
        "feasibleSpace.min, max and step are not supported for discrete and categorical",
    ),
]

_BUDGET_RULES = [
    Rule(
        # What the default gives is no fault of the file.
        f"!has(self.maxTrialCount) || self.parallelTrialCount <= self.maxTrialCount"
        f" || self.parallelTrialCount == {PARALLEL_TRIALS}",
        "spec.parallelTrialCount should be less than or equal to spec.maxTrialCount",
    ),
    Rule(
        "!has(self.maxTrialCount) || !has(self.maxFailedTrialCount)"
        " || self.maxFailedTrialCount <= self.maxTrialCount",
        "spec.maxFailedTrialCount should be less than or equal to spec.maxTrialCount",
    ),
]

_FIXED = (
    *("parameters", "nasConfig", "parameterConditions", "objectives", "constraints"),
    *("algorithm", "earlyStopping", "trialTemplate", "metricsCollectorSpec", "resumePolicy"),
    *("initialTrials", "warmStartFrom", "checkpoint", "repeats", "seed", "trialServiceAccount"),
)
_FIXED_OBJECTIVE = ("type", "objectiveMetricName", "additionalMetricNames", "metricStrategies")


def _kept(path: str, names: Sequence[str]) -> Iterator[Rule]:
    for name in names:
        yield Rule(
            f"has(self.{name}) == has(oldSelf.{name})"
            f" && (!has(self.{name}) || self.{name} == oldSelf.{name})",
            f"{path}.{name} cannot be changed; start a new experiment",
        )


_FILES = "!has(self.source) || !has(self.source.fileSystemPath)"
_COLLECTOR_RULES = [
    Rule(
        "(self.collector.kind == 'Custom') == has(self.collector.customCollector)",
        "collector.customCollector is required by kind Custom, and read by no other",
    ),
    Rule(
        f"self.collector.kind != 'File' || {_FILES}"
        " || !has(self.source.fileSystemPath.kind) || self.source.fileSystemPath.kind == 'File'",
        "source.fileSystemPath.kind must be File for collector kind File",
    ),
    Rule(
        f"self.collector.kind != 'TensorFlowEvent' || {_FILES}"
        " || ((!has(self.source.fileSystemPath.kind)"
        " || self.source.fileSystemPath.kind == 'Directory')"
        " && (!has(self.source.fileSystemPath.format) || self.source.fileSystemPath.format == ''))",
        "source.fileSystemPath must be of kind Directory, without a format, for TensorFlowEvent",
    ),
    Rule(
        f"!has(self.source) || !has(self.source.filter) || {_FILES}"
        " || !has(self.source.fileSystemPath.format)"
        " || self.source.fileSystemPath.format != 'JSON'",
        "source.filter must be left out when the format of the metrics file is JSON",
    ),
]

_LOWERED = (
    "!has(self.spec.maxTrialCount)"
    " || (has(oldSelf.spec.maxTrialCount)"
    " && self.spec.maxTrialCount >= oldSelf.spec.maxTrialCount)"
    " || !has(self.status) || !has(self.status.trials)"
    " || self.spec.maxTrialCount >= self.status.trials"
    " - (has(self.status.trialsPending) ? self.status.trialsPending : 0)"
)

RULES: Mapping[str, Sequence[Rule]] = {
    "": [
        Rule(
            _LOWERED,
            "spec.maxTrialCount must not be lowered below the number of trials that have started",
        ),
        Rule(
            "self.metadata.name.size() <= 40"
            " && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            "metadata.name must consist of lower case letters, digits and '-', start with a letter,"
            " end with a letter or digit, and may not be longer than 40 characters",
        ),
    ],
    "spec": [
        Rule(
            "has(self.parameters) != has(self.nasConfig)",
            "exactly one of spec.parameters and spec.nasConfig must be specified",
        ),
        *_BUDGET_RULES,
        *_kept("spec", _FIXED),
    ],
    "spec.objective": [
        Rule(
            "!has(self.additionalMetricNames)"
            " || !self.additionalMetricNames.exists(name, name == self.objectiveMetricName)",
            "additionalMetricNames should not contain objectiveMetricName",
        ),
        *_kept("spec.objective", _FIXED_OBJECTIVE),
    ],
    "spec.parameters[]": _PARAMETER_RULES,
    "spec.nasConfig.operations[].parameters[]": _PARAMETER_RULES,
    "spec.trialTemplate": [
        Rule(
            "has(self.trialSpec) != has(self.configMap)",
            "exactly one of trialSpec and configMap must be specified",
        ),
    ],
    "spec.trialTemplate.trialSpec": [
        Rule(
            "!has(self.metadata) || ((!has(self.metadata.name) || self.metadata.name == '')"
            " && (!has(self.metadata.namespace) || self.metadata.namespace == ''))",
            "metadata.name and metadata.namespace must be omitted: each trial gets its own name",
        ),
    ],
    "spec.metricsCollectorSpec": _COLLECTOR_RULES,
    "spec.metricsCollectorSpec.source.httpGet.port": [
        Rule(
            "type(self) == int ? self > 0 && self < 65536 : self.matches('^[0-9]{1,5}$')",
            "port must be a number from 1 to 65535",
        ),
    ],
    "spec.constraints[]": [
        Rule("has(self.min) || has(self.max)", "min or max must be specified"),
        Rule(
            "!has(self.min) || !has(self.max) || self.min <= self.max",
            "max must not be less than min",
        ),
    ],
}
