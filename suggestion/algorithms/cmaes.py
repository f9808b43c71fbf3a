"""CMA-ES: what it can be told, and what it refuses."""

from collections.abc import Sequence

from ...api.errors import Fault
from ...api.problem import Problem
from ...api.space import ParameterKind
from ..algorithm import Algorithm, Fold
from ..settings import number, one_of, random_state, setting_values


class CmaEs(Algorithm):
    name = "cmaes"
    description = (
        "covariance matrix adaptation over the numeric parameters; "
        "categorical ones are drawn at random (cmaes)"
    )
    settings = (
        one_of(
            "restart_strategy",
            ("none", "None", "ipop", "bipop"),
            where="CMAES optimization",
            description="what follows when a search has converged: a larger population (ipop), "
            "large and small ones by turns (bipop), or the same one",
        ),
        number(
            "sigma",
            float,
            "",
            "≥ 0",
            message="sigma should be greate or equal than zero",
            description="first step size, as a part of each parameter's range; 0 is 1/6",
        ),
        random_state(),
    )
    requires = ("numpy", "cmaes")

    def validate(self, problem: Problem) -> Sequence[Fault]:
        numeric = [
            parameter
            for parameter in problem.space.parameters
            if parameter.kind is not ParameterKind.CATEGORICAL
        ]
        if len(numeric) >= 2:
            return ()
        return (
            Fault(
                "spec.parameters",
                "cmaes only supports two or more dimensional continuous search space.",
                "add a numeric parameter, or use tpe",
                "NotSupported",
            ),
        )

    def start(self, problem: Problem) -> Fold:
        from .cmaes_fold import CmaEsFold

        values = setting_values(self.settings, problem.settings)
        return CmaEsFold(
            problem,
            strategy=str(values["restart_strategy"]).lower(),
            sigma=float(values.get("sigma", 0)) or 1 / 6,
        )
