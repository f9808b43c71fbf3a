"""Hyperband (Li et al. 2018, JMLR 18(185)): many configurations a little, the best of them more."""

import itertools
from collections.abc import Iterator, Sequence

from ...api.errors import Fault
from ...api.fidelity import GREATEST, NAME
from ...api.problem import Problem
from ..algorithm import Algorithm, Capabilities, Fold
from ..settings import Setting, number, random_state, setting_values
from .halving import HalvingFold, Slot
from .rungs import Rung, brackets, resource_value

REPEATS = "a promoted trial is trained again with more of the resource"

RESOURCE_SETTINGS = (
    number(
        GREATEST,
        float,
        "",
        "> 0",
        message="r_l must be a positive float number.",
        description="the most of the resource that a trial is given",
    ),
    Setting(
        NAME,
        str,
        "",
        "a parameter",
        description="the parameter that takes the resource, such as the number of epochs",
    ),
    number(
        "eta",
        int,
        "3",
        "≥ 2",
        message="eta must be 2 or more.",
        description="one trial of eta is promoted, with eta times the resource",
    ),
)


class Hyperband(Algorithm):
    name = "hyperband"
    description = "trains many configurations a little and the best of them more, in brackets"
    settings = (*RESOURCE_SETTINGS, random_state())
    capabilities = Capabilities(repeats=REPEATS)
    is_quick = True

    def start(self, problem: Problem) -> Fold:
        return HyperbandFold(problem, problem.settings[NAME], plan(problem))

    def validate(self, problem: Problem) -> Sequence[Fault]:
        return resource_faults(problem)


class HyperbandFold(HalvingFold):
    """A rung begins when the one below it is over; slots that wait go to later brackets."""

    def slots(self) -> Iterator[Slot]:
        for bracket in self.brackets:
            if len(bracket[0].trials) < bracket[0].size:
                yield Slot(bracket[0])
            for lower, rung in itertools.pairwise(bracket):
                if not lower.is_over:
                    break
                best = lower.best_waiting(rung.size)
                if best is not None:
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
    path = "spec.algorithm.algorithmSettings"
    given = problem.settings
    if not given.get(GREATEST) or not given.get(NAME):
        remedy = "r_l is the most of the resource, resource_name the parameter that takes it"
        return [Fault(path, "r_l and resource_name must be set.", remedy, "Required")]
    parameter = problem.space.by_name.get(given[NAME])
    if parameter is None:
        names = ", ".join(problem.space.by_name)
        message = "value of resource_name setting must be in parameters."
        return [Fault(path, message, f"the parameters are {names}")]
    if len(problem.space.parameters) == 1:
        return [Fault(path, "the resource is the only parameter", "add one that is searched")]
    if not parameter.is_numeric and not all(map(_is_number, parameter.choices)):
        message = f"the resource {parameter.name} has entries that are no numbers"
        return [Fault(path, message, "make it a parameter of type int or double")]
    return []


def _is_number(text: str) -> bool:
    try:
        return float(text) > 0
    except ValueError:
        return False
