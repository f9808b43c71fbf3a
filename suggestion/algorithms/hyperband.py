"""Hyperband (Li et al. 2018, JMLR 18(185)): many configurations a little, the best of them more."""

import itertools
from collections.abc import Iterator, Sequence

from ...api.errors import Fault
from ...api.fidelity import GREATEST, NAME
from ...api.problem import Problem
from ..algorithm import SETTINGS_PATH, Algorithm, Capabilities, Fold
from ..settings import Setting, number, random_state, setting_values
from .halving import HalvingFold, Slot
from .rungs import Rung, brackets, levels, resource_value

_AHEAD = 1000
"""Brackets that the points of one answer may reach beyond those that are known."""

REPEATS = "a promoted trial is trained again with more of the resource"

RESOURCE_SETTINGS = (
    number(
        GREATEST,
        float,
        "",
        "> 0",
        message="r_l must be a positive float number.",
        description="the maximum of the resource that a trial gets",
    ),
    Setting(
        NAME,
        str,
        "",
        "a parameter",
        description="the parameter that receives the resource, such as the number of epochs",
    ),
    number(
        "eta",
        int,
        "3",
        "≥ 2",
        message="eta must be 2 or more.",
        description="one trial in eta is promoted, with eta times the resource",
    ),
)


class Hyperband(Algorithm):
    name = "hyperband"
    description = "trains many configurations a little and the best of them more, in brackets"
    settings = (*RESOURCE_SETTINGS, random_state())
    capabilities = Capabilities(conditions=True, repeats=REPEATS)
    is_quick = True

    def start(self, problem: Problem) -> Fold:
        return HyperbandFold(problem, problem.settings[NAME], plan(problem))

    def validate(self, problem: Problem) -> Sequence[Fault]:
        return resource_faults(problem) or rung_faults(problem)


class HyperbandFold(HalvingFold):
    """A rung begins when the one below it is over; slots that wait go to later brackets.

    The search ends with the last bracket. Only where a short answer would hold it up
    for ever do the brackets begin again, with numbers that go on.
    """

    def slots(self) -> Iterator[Slot]:
        for place in itertools.count():
            if place == len(self.brackets):
                if not self._begins_again():
                    return
                self._begin_again()
            yield from _slots(self.brackets[place])

    def labelled(self, bracket: str, level: str) -> Rung | None:
        """Find it in a round that has not begun here too: a batch is not logged in its order."""
        if self.problem.all_or_none and bracket.isdecimal():
            rounds = len(self.rung_of) + 1  # a trial begins one at most
            greatest = self.brackets_a_round * rounds + _AHEAD
            while len(self.brackets) <= int(bracket) < greatest:
                self._begin_again()
        return super().labelled(bracket, level)

    def _begins_again(self) -> bool:
        return self.problem.all_or_none and bool(self.brackets[-1][0].trials)

    def _begin_again(self) -> None:
        """Add a round of brackets in which nothing runs: it changes no answer."""
        begun = len(self.brackets)
        self.brackets += [
            [Rung(begun + place, each.level, each.size, each.resource) for each in rungs]
            for place, rungs in enumerate(self.brackets[: self.brackets_a_round])
        ]


def _slots(bracket: Sequence[Rung]) -> Iterator[Slot]:
    if len(bracket[0].trials) < bracket[0].size:
        yield Slot(bracket[0])
    for lower, rung in itertools.pairwise(bracket):
        if not lower.is_over:
            return
        best = lower.best_waiting(rung.size)
        if best is not None and len(rung.trials) < rung.size:
            yield Slot(rung, best)


def plan(problem: Problem) -> list[list[Rung]]:
    """Return the brackets, the first of which is the widest; nothing runs in them yet."""
    settings = setting_values(RESOURCE_SETTINGS, problem.settings)
    parameter = problem.space.by_name[str(settings[NAME])]
    return [
        [
            Rung(place, level, size, resource_value(parameter, amount))
            for level, (size, amount) in enumerate(rungs)
        ]
        for place, rungs in enumerate(brackets(float(settings[GREATEST]), int(settings["eta"])))
    ]


def resource_faults(problem: Problem) -> list[Fault]:
    """Return what is wrong with the settings of the resource, in Katib's words."""
    given = problem.settings
    if not given.get(GREATEST) or not given.get(NAME):
        remedy = "r_l is the maximum of the resource, resource_name the parameter that receives it"
        return [Fault(SETTINGS_PATH, "r_l and resource_name must be set.", remedy, "Required")]
    parameter = problem.space.by_name.get(given[NAME])
    if parameter is None:
        names = ", ".join(problem.space.by_name)
        message = "value of resource_name setting must be in parameters."
        return [Fault(SETTINGS_PATH, message, f"the parameters are {names}")]
    if len(problem.space.parameters) == 1:
        message = "the resource is the only parameter"
        return [Fault(SETTINGS_PATH, message, "add one that is searched")]
    if any(parameter.name in {each.parameter, each.when} for each in problem.space.conditions):
        message = f"the resource {parameter.name} occurs in spec.parameterConditions"
        remedy = "every trial has it, whatever the amount: remove it there"
        return [Fault(SETTINGS_PATH, message, remedy)]
    if not parameter.is_numeric and not all(map(_is_number, parameter.choices)):
        message = f"the resource {parameter.name} has entries that are no numbers"
        return [Fault(SETTINGS_PATH, message, "make it a parameter of type int or double")]
    return []


def rung_faults(problem: Problem, least: float = 1.0) -> list[Fault]:
    """Return what keeps the rungs apart from having a resource of their own.

    A rung with the resource of the one below would train the same trials again.
    """
    settings = setting_values(RESOURCE_SETTINGS, problem.settings)
    parameter = problem.space.by_name[str(settings[NAME])]
    amounts = levels(float(settings[GREATEST]), int(settings["eta"]), least)
    values = [float(resource_value(parameter, amount)) for amount in amounts]
    if values[0] <= 0:
        message = f"the resource {parameter.name} is a whole number, and {amounts[0]:g} is below 1"
        return [Fault(SETTINGS_PATH, message, "set its minimum to 1, or make it a double")]
    if any(above <= below for below, above in itertools.pairwise(values)):
        wanted = ", ".join(f"{amount:.3g}" for amount in amounts)
        message = f"two rungs would give {parameter.name} the same value: they are {wanted}"
        return [Fault(SETTINGS_PATH, message, f"give {parameter.name} a value for each of them")]
    return []


def _is_number(text: str) -> bool:
    try:
        return float(text) > 0
    except ValueError:
        return False
