"""An Experiment from options alone.

    --param lr=log:1e-5..1e-1       double on a logarithmic scale
    --param drop=0.0..0.5           double
    --param drop=0.0..0.5/0.1       double in steps
    --param n=int:1..10             whole numbers
    --param width=int:log:8..512    whole numbers on a logarithmic scale
    --param batch=16,32,64          one of these numbers
    --param opt=adam,sgd            one of these words

In the command `{lr}` stands for the value.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from ..api.errors import Fault, Invalid
from ..api.problem import ALGORITHM

_RANGE = re.compile(r"(?P<low>[^./][^/]*?|\.\d[^/]*?)\.\.(?P<high>[^/]+?)(?:/(?P<step>.+))?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_FIELD = re.compile(r"(?<!\$)\{([A-Za-z_][A-Za-z0-9_.-]*)\}")
_WHOLE = re.compile(rf"(?:--?[^=\s]+=)?{_FIELD.pattern}")
"""A word, or the value of an option, that is nothing else: no program is told this as it stands."""

_PLAIN = re.compile(r"[-+]?\d+")
_DISTRIBUTIONS = {"log": "logUniform", "normal": "normal", "lognormal": "logNormal"}
_WORDS = ("int", "float", "choice", *_DISTRIBUTIONS)
_EXAMPLES = "write log:1e-5..1e-1, 0.0..1.0, int:1..10 or adam,sgd"


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
    faults: list[Fault] = []
    parameters = []
    for written in wanted.params:
        try:
            parameters.append(parameter(written))
        except Invalid as error:
            faults += error.faults
    named = [written.partition("=")[0] for written in wanted.params]
    faults += _faults(wanted, list(filter(_NAME.fullmatch, named)))
    if faults:
        raise Invalid(faults)
    spec: dict[str, Any] = {"objective": _objective(wanted)}
    if wanted.algorithm or wanted.settings:
        spec["algorithm"] = {
            "algorithmName": wanted.algorithm or ALGORITHM,
            "algorithmSettings": [_setting(text) for text in wanted.settings],
        }
    if wanted.early_stopping:
        spec["earlyStopping"] = {"algorithmName": wanted.early_stopping}
    spec |= {
        key: value
        for key, value in (
            ("maxTrialCount", wanted.trials),
            ("parallelTrialCount", wanted.parallel),
            ("maxFailedTrialCount", wanted.max_failed),
            ("seed", wanted.seed),
        )
        if value is not None
    }
    spec["parameters"] = parameters
    spec["trialTemplate"] = _template(wanted, parameters)
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": _metadata(wanted),
        "spec": spec,
    }


def fields(word: str) -> Sequence[str]:
    """Return the names that stand in braces in a word of a command."""
    return [match[1] for match in _FIELD.finditer(word)]


def slug(text: str) -> str:
    """Return a name that an experiment can have, made of what a person calls it."""
    clean = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return clean[:30].strip("-") if clean[:1].isalpha() else f"experiment-{clean[:20]}".strip("-")


def parameter(written: str) -> dict[str, Any]:
    """Read one `--param`.

    Raises:
        Invalid: it says no space; the fault says how it would.
    """
    name, equals, space = written.partition("=")
    if not equals or not name:
        raise _bad(written, "it is no NAME=SPACE", _EXAMPLES)
    if not _NAME.fullmatch(name):
        remedy = "begin with a letter of a to z, go on with those, digits, and the signs _ . -"
        raise _bad(written, f"{name!r} is no name of a parameter", remedy)
    words, rest = _prefixes(space)
    found = _RANGE.fullmatch(rest)
    if found is not None and "choice" not in words:
        return _range(name, written, words, found)
    entries = [entry.strip() for entry in rest.split(",")]
    if words and words != ["choice"]:
        raise _bad(written, f"{rest or 'nothing'} is no range LOW..HIGH", _EXAMPLES)
    if len(entries) < 2 and "choice" not in words:
        raise _bad(written, f"{rest or 'nothing'} is neither a range nor a list", _EXAMPLES)
    if not all(entries) or len(set(entries)) < len(entries):
        raise _bad(written, "the list has an empty or a repeated entry", "list each value once")
    discrete = not words and all(_is_number(entry) for entry in entries)
    kind = "discrete" if discrete else "categorical"
    return {"name": name, "parameterType": kind, "feasibleSpace": {"list": entries}}


def _prefixes(space: str) -> tuple[list[str], str]:
    words: list[str] = []
    rest = space
    while True:
        word, colon, behind = rest.partition(":")
        if not colon or word not in _WORDS:
            return words, rest
        words.append(word)
        rest = behind


def _range(name: str, written: str, words: list[str], found: re.Match[str]) -> dict[str, Any]:
    low, high, step = found["low"].strip(), found["high"].strip(), found["step"]
    for text in filter(None, (low, high, step)):
        if not _is_number(text):
            raise _bad(written, f"{text} is no number", _EXAMPLES)
    whole = all(_PLAIN.fullmatch(text) for text in (low, high))
    kinds = {"int": "int", "float": "double"}
    chosen = [kinds[word] for word in words if word in kinds]
    scales = [_DISTRIBUTIONS[word] for word in words if word in _DISTRIBUTIONS]
    if len(chosen) > 1 or len(scales) > 1:
        raise _bad(written, f"{' and '.join(words)} contradict one another", "keep one")
    if not chosen and not scales and whole:
        raise _bad(
            written,
            f"{low}..{high} may mean whole numbers or any",
            f"write {name}=int:{low}..{high} or {name}=float:{low}..{high}",
        )
    space = {"min": low, "max": high}
    if step:
        space["step"] = step
    if scales:
        space["distribution"] = scales[0]
    kind = chosen[0] if chosen else "double"
    return {"name": name, "parameterType": kind, "feasibleSpace": space}


def _is_number(text: str) -> bool:
    try:
        return float(text) - float(text) == 0
    except ValueError:
        return False


def _bad(written: str, message: str, remedy: str) -> Invalid:
    return Invalid([Fault(f"--param {written}", message, remedy)])


def _faults(wanted: Wanted, names: Sequence[str]) -> list[Fault]:
    faults = []
    if not wanted.params:
        faults.append(
            Fault("--param", "there is nothing to search", f"--param NAME=…: {_EXAMPLES}")
        )
    if (wanted.minimize is None) == (wanted.maximize is None):
        faults.append(
            Fault(
                "--minimize",
                "the objective is one metric",
                "--minimize loss or --maximize accuracy",
            )
        )
    if not wanted.command:
        remedy = "end with -- python train.py --lr {lr}"
        faults.append(Fault("COMMAND", "there is no command to tune", remedy))
    faults += [
        Fault(f"--param {name}", "it is given twice", "give each parameter once")
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    faults += [
        Fault("--setting", f"{text} is no NAME=VALUE", "write e.g. random_state=1")
        for text in wanted.settings
        if "=" not in text
    ]
    used = {name for word in wanted.command for name in fields(word)}
    if wanted.command and not faults:
        faults += [
            Fault(
                f"--param {name}", "the command does not use it", f"write {{{name}}} in the command"
            )
            for name in names
            if name not in used
        ]
        faults += [
            Fault("COMMAND", f"{match[0]} is no parameter", f"give --param {match[1]}=…")
            for match in filter(None, map(_WHOLE.fullmatch, wanted.command))
            if match[1] not in names
        ]
    return faults


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
                                "command": [
                                    _FIELD.sub(placeholder, word) for word in wanted.command
                                ],
                            }
                        ],
                    }
                },
            },
        },
    }
