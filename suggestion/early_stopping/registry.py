"""Which early-stopping rules there are, and the evaluator that serves them all.

The built-in ones stand in a table; further ones come as entry points of the
group `tunewright.early_stopping`. The rule of a service at an endpoint is asked by `endpoints`.
"""

from collections.abc import Callable, Mapping, Sequence

from ...api.errors import Fault, Invalid, PluginBroken
from ...api.objective import Objective
from ...api.stopping import CurveLog, Evaluator, Progress, Stop, StoppingRule
from .. import entry_points
from ..settings import name_fault, setting_faults
from .halving import Asha
from .percentile import MedianStop, Percentile
from .plateau import Plateau
from .rule import Rule
from .threshold import Threshold

GROUP = "tunewright.early_stopping"
NAME_PATH = "spec.earlyStopping.algorithmName"
SETTINGS_PATH = "spec.earlyStopping.algorithmSettings"

BUILT_IN: Mapping[str, type[Rule]] = {
    rule.name: rule for rule in (MedianStop, Percentile, Asha, Threshold, Plateau)
}


def names() -> Sequence[str]:
    """Return every name that can be asked for, the built-in ones first."""
    return (*BUILT_IN, *sorted(entry_points.entries(GROUP).keys() - BUILT_IN.keys()))


def find(name: str) -> type[Rule]:
    """Return the rule with that name.

    Raises:
        Invalid: no rule has that name; the message names the nearest.
        PluginBroken: its entry point cannot be imported, or is no rule.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    if name not in entry_points.entries(GROUP):
        raise Invalid([name_fault(name, names(), path=NAME_PATH)])
    return entry_points.load(GROUP, name, Rule, "early-stopping rule")


def validate_rule(rule: StoppingRule) -> Sequence[Fault]:
    """Return everything that is wrong with a rule, in Katib's words.

    The rule of a plug-in is the plug-in's to judge.
    """
    if rule.endpoint is not None:
        return ()
    try:
        found = find(rule.name)
    except Invalid as error:
        return error.faults
    except PluginBroken as error:
        return [Fault(NAME_PATH, str(error))]
    faults = setting_faults(found.settings, rule.settings, path=SETTINGS_PATH, algorithm=rule.name)
    complaint = "" if faults else found.complaint(rule.settings)
    return [Fault(SETTINGS_PATH, complaint, "", "Required")] if complaint else faults


class Rules:
    """The `Evaluator` that a store is given: each rule is asked by its name.

    `clock` gives monotonic seconds; `plugins` makes what evaluates the rules
    of plug-ins, when the first is met.
    """

    def __init__(
        self, clock: Callable[[], float], plugins: Callable[[], Evaluator] | None = None
    ) -> None:
        self._clock = clock
        self._made: Evaluator | None = None
        self._plugins = plugins
        self._rules: dict[str, Rule] = {}

    def evaluate(
        self,
        experiment_uid: str,
        rule: StoppingRule,
        objective: Objective,
        reports: Sequence[Progress],
        log: CurveLog,
    ) -> Sequence[Stop]:
        """Decide by the rule's own evaluator.

        Raises:
            Invalid: there is no such rule: it was installed when the experiment began.
            PluginBroken: it cannot be loaded any more.
        """
        evaluator = self._rule(rule.name) if rule.endpoint is None else self._plugin()
        if evaluator is None:
            return ()
        return evaluator.evaluate(experiment_uid, rule, objective, reports, log)

    def _rule(self, name: str) -> Rule:
        if name not in self._rules:
            self._rules[name] = find(name)(self._clock)
        return self._rules[name]

    def _plugin(self) -> Evaluator | None:
        if self._made is None and self._plugins is not None:
            self._made = self._plugins()
        return self._made
