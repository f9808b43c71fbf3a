"""Which early-stopping rules there are, and the evaluator that serves them all."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ...api.errors import Fault
from ...api.objective import Objective
from ...api.stopping import CurveLog, Evaluator, Progress, Stop, StoppingRule
from ..algorithm import Setting
from . import median

NAME_PATH = "spec.earlyStopping.algorithmName"
SETTINGS_PATH = "spec.earlyStopping.algorithmSettings"


@dataclass(frozen=True, slots=True)
class _Kind:
    settings: Sequence[Setting]
    make: Callable[[Callable[[], float]], Evaluator]


_RULES: Mapping[str, _Kind] = {median.NAME: _Kind(median.SETTINGS, median.MedianStop)}


def names() -> Sequence[str]:
    """Return every rule's name."""
    return tuple(_RULES)


def settings_of(name: str) -> Sequence[Setting]:
    """Return the settings of a rule that there is."""
    return _RULES[name].settings


def validate_rule(rule: StoppingRule) -> Sequence[Fault]:
    """Return everything that is wrong with a rule, in Katib's words."""
    if rule.name not in _RULES:
        near = difflib.get_close_matches(rule.name, _RULES, n=1)
        remedy = f"did you mean {near[0]}?" if near else f"there are {', '.join(_RULES)}"
        message = f"unknown algorithm name {rule.name}"
        return [Fault(NAME_PATH, message, remedy, "NotSupported")]
    known = {setting.name: setting for setting in _RULES[rule.name].settings}
    faults = []
    for place, (name, text) in enumerate(rule.settings.items()):
        path = f"{SETTINGS_PATH}[{place}]"
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            message = f"unknown setting {name} for algorithm {rule.name}"
            faults.append(Fault(f"{path}.name", message, remedy, "NotSupported"))
            continue
        complaint = known[name].complaint(text)
        if complaint is not None:
            faults.append(Fault(f"{path}.value", complaint, f"it must be {known[name].rule}"))
    return faults


class Rules:
    """The `Evaluator` that a store is given: each rule is asked by its name.

    `clock` gives monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._evaluators = {name: kind.make(clock) for name, kind in _RULES.items()}

    def evaluate(
        self,
        experiment_uid: str,
        rule: StoppingRule,
        objective: Objective,
        reports: Sequence[Progress],
        log: CurveLog,
    ) -> Sequence[Stop]:
        """Decide by the rule's own evaluator; a rule that there is not stops nobody."""
        evaluator = self._evaluators.get(rule.name)
        if evaluator is None:
            return ()
        return evaluator.evaluate(experiment_uid, rule, objective, reports, log)
