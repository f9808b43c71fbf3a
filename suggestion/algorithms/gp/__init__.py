"""Our own Gaussian-process search: what it can be told."""

from ....api.problem import Problem
from ...algorithm import Algorithm, Capabilities, Fold
from ...settings import number, random_state, setting_values


class GaussianProcess(Algorithm):
    name = "gp"
    description = "a Gaussian process finds good points with few trials"
    settings = (
        number(
            "n_initial_points",
            int,
            "",
            "≥ 1",
            message="n_initial_points should be great or equal than one",
            description="evenly spread points before the model is used; "
            "by default 4 and one for each two parameters, at most 12",
        ),
        random_state(),
    )
    capabilities = Capabilities(conditions=True, objectives=True)
    requires = ("numpy", "scipy", "threadpoolctl")

    def start(self, problem: Problem) -> Fold:
        from .fold import GaussianProcessFold

        values = setting_values(self.settings, problem.settings)
        parameters = len(problem.space.parameters)
        initial = values.get("n_initial_points", min(4 + parameters // 2, 12))
        return GaussianProcessFold(problem, initial=int(initial))
