"""ASHA (Li et al. 2020, MLSys): successive halving that waits for nobody."""

import itertools
from collections.abc import Iterator, Sequence

from ...api.errors import Fault
from ...api.fidelity import GREATEST, LEAST, NAME
from ...api.problem import Problem
from ..algorithm import SETTINGS_PATH, Algorithm, Capabilities, Fold
from ..settings import number, random_state, setting_values
from .halving import HalvingFold, Slot
from .hyperband import REPEATS, RESOURCE_SETTINGS, resource_faults, rung_faults
from .rungs import Rung, levels, resource_value

_SETTINGS = (
    *RESOURCE_SETTINGS,
    number(
        LEAST,
        float,
        "1",
        "> 0",
        message="r_min must be a positive float number.",
        description="the minimum of the resource that a trial gets",
    ),
    random_state(),
)
_UNBOUNDED = 1 << 62


class Asha(Algorithm):
    name = "asha"
    description = "promotes the best 1/eta of each rung as slots become free, and never waits"
    settings = _SETTINGS
    capabilities = Capabilities(conditions=True, repeats=REPEATS)
    is_quick = True

    def start(self, problem: Problem) -> Fold:
        settings = setting_values(_SETTINGS, problem.settings)
        parameter = problem.space.by_name[str(settings[NAME])]
        eta = int(settings["eta"])
        amounts = levels(float(settings[GREATEST]), eta, float(settings[LEAST]))
        rungs = [
            Rung(0, level, _UNBOUNDED, resource_value(parameter, amount))
            for level, amount in enumerate(amounts)
        ]
        return _AshaFold(problem, parameter.name, [rungs], eta)

    def validate(self, problem: Problem) -> Sequence[Fault]:
        faults = resource_faults(problem)
        if faults:
            return faults
        settings = setting_values(_SETTINGS, problem.settings)
        if float(settings[LEAST]) > float(settings[GREATEST]):
            message = f"r_min {settings[LEAST]} is more than r_l {settings[GREATEST]}"
            return [Fault(SETTINGS_PATH, message, "make it less")]
        return rung_faults(problem, float(settings[LEAST]))


class _AshaFold(HalvingFold):
    """Promotes from the highest rung that has a trial among its best; else begins a new one."""

    def __init__(
        self, problem: Problem, resource: str, brackets: list[list[Rung]], eta: int
    ) -> None:
        super().__init__(problem, resource, brackets)
        self._eta = eta

    def slots(self) -> Iterator[Slot]:
        rungs = self.brackets[0]
        for lower, rung in reversed(list(itertools.pairwise(rungs))):
            best = lower.best_waiting(len(lower.scores) // self._eta)
            if best is not None:
                yield Slot(rung, best)
        yield Slot(rungs[0])
