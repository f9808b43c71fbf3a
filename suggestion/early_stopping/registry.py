"""Which early-stopping rules there are, and the evaluator that serves them all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ...api.errors import Fault
from ...api.objective import Objective
from ...api.stopping import CurveLog, Evaluator, Progress, Stop, StoppingRule
from ..settings import Setting, name_fault, setting_faults
from . import halving, plateau, threshold
from .percentile import MEDIAN_SETTINGS, PERCENTILE_SETTINGS, Percentile

NAME_PATH = "spec.earlyStopping.algorithmName"
SETTINGS_PATH = "spec.earlyStopping.algorithmSettings"


@dataclass(frozen=True, slots=True)
class Kind:
    description: str
    settings: Sequence[Setting]
    make: Callable[[Callable[[], float]], Evaluator]
    validate: Callable[[Mapping[str, str]], str] = lambda _settings: ""
    """Says what is wrong with settings that are each in range; "" when nothing is."""


RULES: Mapping[str, Kind] = {
    "medianstop": Kind("stops what is worse than the median", MEDIAN_SETTINGS, Percentile),
    "percentile": Kind("stops what is worse than a percentile", PERCENTILE_SETTINGS, Percentile),
    "asha": Kind("lets one of eta trials pass each rung", halving.SETTINGS, halving.Asha),
    "threshold": Kind(
        "stops what is beyond a bound", threshold.SETTINGS, threshold.Threshold, threshold.complaint
    ),
    "plateau": Kind("stops what gets no better", plateau.SETTINGS, plateau.Plateau),
}


def validate_rule(rule: StoppingRule) -> Sequence[Fault]:
    """Return everything that is wrong with a rule, in Katib's words.

    The rule of a plug-in is the plug-in's to judge.
    """
    if rule.endpoint is not None:
        return ()
    if rule.name not in RULES:
        return [name_fault(rule.name, RULES, path=NAME_PATH)]
    kind = RULES[rule.name]
    faults = setting_faults(kind.settings, rule.settings, path=SETTINGS_PATH, algorithm=rule.name)
    complaint = "" if faults else kind.validate(rule.settings)
    return [Fault(SETTINGS_PATH, complaint, "", "Required")] if complaint else faults


class Rules:
    """The `Evaluator` that a store is given: each rule is asked by its name.

    `clock` gives monotonic seconds; `plugins` makes what evaluates the rules
    of plug-ins, when the first is met.
    """

    def __init__(
        self, clock: Callable[[], float], plugins: Callable[[], Evaluator] | None = None
    ) -> None:
        self._made: Evaluator | None = None
        self._plugins = plugins
        self._evaluators = {name: kind.make(clock) for name, kind in RULES.items()}

    def evaluate(
        self,
        experiment_uid: str,
        rule: StoppingRule,
        objective: Objective,
        reports: Sequence[Progress],
        log: CurveLog,
    ) -> Sequence[Stop]:
        """Decide by the rule's own evaluator; a rule that there is not stops nobody."""
        evaluator = self._evaluators.get(rule.name) if rule.endpoint is None else self._plugin()
        if evaluator is None:
            return ()
        return evaluator.evaluate(experiment_uid, rule, objective, reports, log)

    def _plugin(self) -> Evaluator | None:
        if self._made is None and self._plugins is not None:
            self._made = self._plugins()
        return self._made
