"""BOHB (Falkner et al. 2018, ICML): hyperband's brackets, a model's configurations."""

from collections.abc import Sequence

from ...api.errors import Fault
from ...api.fidelity import NAME
from ...api.problem import Problem
from ..algorithm import Algorithm, Capabilities, Fold
from ..settings import random_state
from .hyperband import REPEATS, RESOURCE_SETTINGS, plan, resource_faults, rung_faults


class Bohb(Algorithm):
    name = "bohb"
    description = "hyperband whose configurations come from a model of the best (optuna's TPE)"
    settings = (*RESOURCE_SETTINGS, random_state())
    capabilities = Capabilities(conditions=True, repeats=REPEATS)
    requires = ("numpy", "optuna")

    def start(self, problem: Problem) -> Fold:
        from .bohb_fold import BohbFold

        return BohbFold(problem, problem.settings[NAME], plan(problem))

    def validate(self, problem: Problem) -> Sequence[Fault]:
        return resource_faults(problem) or rung_faults(problem)
