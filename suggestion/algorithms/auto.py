"""What runs when no algorithm is named."""

from ...api.problem import Problem
from ..algorithm import Algorithm, Capabilities, Fold
from ..settings import random_state


class Auto(Algorithm):
    name = "auto"
    description = (
        "chooses an algorithm for you, by the space, the objectives and the results so far"
    )
    settings = (random_state(),)
    capabilities = Capabilities(conditions=True, objectives=True)
    requires = ("numpy", "scipy", "threadpoolctl", "optuna", "cmaes")

    def start(self, problem: Problem) -> Fold:
        from .auto_fold import AutoFold

        return AutoFold(problem)
