"""An Experiment from options alone. In its command `{lr}` stands for the value of a parameter."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import PurePath
from typing import Any

from ..api.errors import Fault, Invalid
from ..api.problem import ALGORITHM
from .param import EXAMPLES, NAME, parameter

_FIELD = re.compile(r"(?<!\$)\{([A-Za-z_][A-Za-z0-9_.-]*)\}")
_WHOLE = re.compile(rf"(?:--?[^=\s]+=)?{_FIELD.pattern}")
"""A word, or the value of an option, that is nothing else: no program is told this as it stands."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the options of `run` say."""

    params: Sequence[str]
    command: Sequence[str]
    minimize: str | None = None
    maximize: str | None = None
    metrics: Sequence[str] = ()
    goal: float | None = None
    name: str | None = None
    namespace: str | None = None
    algorithm: str | None = None
    settings: Sequence[str] = ()
    trials: int | None = None
    parallel: int | None = None
    max_failed: int | None = None
    seed: int | None = None
    early_stopping: str | None = None
    image: str | None = None


def document(wanted: Wanted) -> dict[str, Any]:
    """Return the Experiment.

    Raises:
        Invalid: with everything that is wrong with the options.
    """
    parameters, faults = _parameters(wanted.params)
    faults += _faults(wanted)
    if faults:
        raise Invalid(faults)
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": _metadata(wanted),
        "spec": _spec(wanted, parameters),
    }


def fields(word: str) -> Sequence[str]:
    """Return the names that stand in braces in a word of a command."""
    return [match[1] for match in _FIELD.finditer(word)]


def counts(
    trials: int | None, parallel: int | None, max_failed: int | None = None
) -> dict[str, int]:
    """Return the counts that a person gave, by their fields.

    More at once than there are trials, or more that may fail, means all of them.
    """
    limits = {"parallelTrialCount": parallel, "maxFailedTrialCount": max_failed}
    said = {
        "maxTrialCount": trials,
        **{name: _within(trials, most) for name, most in limits.items()},
    }
    return {name: count for name, count in said.items() if count is not None}


def slug(text: str) -> str:
    """Return a name that an experiment can have, made of what a person calls it."""
    clean = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return clean[:30].strip("-") if clean[:1].isalpha() else f"experiment-{clean[:20]}".strip("-")


def _within(trials: int | None, most: int | None) -> int | None:
    """Return the lesser of the two; what is no count is left to validation."""
    if isinstance(trials, Real) and isinstance(most, Real) and trials > 0:
        return min(trials, most)
    return most


def _parameters(params: Sequence[str]) -> tuple[list[dict[str, Any]], list[Fault]]:
    """Read every `--param`; return them, and what is wrong with the others."""
    parameters: list[dict[str, Any]] = []
    faults: list[Fault] = []
    for written in params:
        try:
            parameters.append(parameter(written))
        except Invalid as error:
            faults += error.faults
    return parameters, faults


def _faults(wanted: Wanted) -> list[Fault]:
    """Return what is missing, given twice, or does not fit together."""
    named = (written.partition("=")[0] for written in wanted.params)
    names = [name for name in named if NAME.fullmatch(name)]
    faults = []
    if not wanted.params:
        remedy = f"--param NAME=…: {EXAMPLES}"
        faults.append(Fault("--param", "there is nothing to search", remedy))
    if (wanted.minimize is None) == (wanted.maximize is None):
        remedy = "--minimize loss or --maximize accuracy"
        faults.append(Fault("--minimize", "the objective is one metric", remedy))
    if not wanted.command:
        remedy = "end with -- python train.py --lr {lr}"
        faults.append(Fault("COMMAND", "there is no command to tune", remedy))
    faults += [
        Fault(f"--param {name}", "it is given twice", "give each parameter once")
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    faults += [
        Fault("--setting", f"{text} is not NAME=VALUE", "write e.g. random_state=1")
        for text in wanted.settings
        if "=" not in text
    ]
    return faults or _mismatches(wanted.command, names)


def _mismatches(command: Sequence[str], names: Sequence[str]) -> list[Fault]:
    """Return which parameters a command does not use, and what it uses that is none."""
    used = {name for word in command for name in fields(word)}
    unused = [
        Fault(f"--param {name}", "the command does not use it", f"write {{{name}}} in the command")
        for name in names
        if name not in used
    ]
    unknown = [
        Fault("COMMAND", f"{match[0]} is not a parameter", f"give --param {match[1]}=…")
        for match in filter(None, map(_WHOLE.fullmatch, command))
        if match[1] not in names
    ]
    return unused + unknown


def _spec(wanted: Wanted, parameters: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    spec: dict[str, Any] = {"objective": _objective(wanted)}
    if wanted.algorithm or wanted.settings:
        spec["algorithm"] = {
            "algorithmName": wanted.algorithm or ALGORITHM,
            "algorithmSettings": [_setting(text) for text in wanted.settings],
        }
    if wanted.early_stopping:
        spec["earlyStopping"] = {"algorithmName": wanted.early_stopping}
    return {
        **spec,
        **counts(wanted.trials, wanted.parallel, wanted.max_failed),
        **({} if wanted.seed is None else {"seed": wanted.seed}),
        "parameters": list(parameters),
        "trialTemplate": _template(wanted, parameters),
    }


def _objective(wanted: Wanted) -> dict[str, Any]:
    objective: dict[str, Any] = {
        "type": "minimize" if wanted.minimize is not None else "maximize",
        "objectiveMetricName": wanted.minimize or wanted.maximize,
    }
    if wanted.goal is not None:
        objective["goal"] = wanted.goal
    if wanted.metrics:
        objective["additionalMetricNames"] = list(wanted.metrics)
    return objective


def _setting(text: str) -> dict[str, str]:
    name, _, value = text.partition("=")
    return {"name": name, "value": value}


def _metadata(wanted: Wanted) -> dict[str, str]:
    metadata = (
        {"name": wanted.name} if wanted.name else {"generateName": _stem(wanted.command) + "-"}
    )
    return metadata | ({"namespace": wanted.namespace} if wanted.namespace else {})


def _stem(command: Sequence[str]) -> str:
    """Name an experiment after the script that its command runs."""
    words = [
        word for word in command if not word.startswith("-") and "{" not in word and "=" not in word
    ]
    scripts = [word for word in words if "." in PurePath(word).name]
    stem = PurePath((scripts or words or ["experiment"])[0]).stem
    return slug(stem)


def _template(wanted: Wanted, parameters: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    names = {item["name"] for item in parameters}

    def placeholder(match: re.Match[str]) -> str:
        known = match[1] in names
        return f"${{trialParameters.{match[1]}}}" if known else match[0]

    return {
        "primaryContainerName": "training",
        "trialParameters": [
            {"name": item["name"], "reference": item["name"]} for item in parameters
        ],
        "trialSpec": {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "spec": {
                "backoffLimit": 0,
                "template": {
                    "spec": {
                        "restartPolicy": "Never",
                        "containers": [
                            {
                                "name": "training",
                                "image": wanted.image or "tunewright/local",
                                # Kubernetes reads `$$` as one sign.
                                "command": [
                                    _FIELD.sub(placeholder, word.replace("$$", "$$$$"))
                                    for word in wanted.command
                                ],
                            }
                        ],
                    }
                },
            },
        },
    }
