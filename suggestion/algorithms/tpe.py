"""The tree-structured Parzen estimator: what it can be told, and what it refuses."""

import math
from typing import Any

from ...api.problem import Problem
from ..algorithm import Algorithm, Capabilities, Fold
from ..settings import Setting, number, random_state, setting_values

_MOST_DRAWS = 10_000
"""Each costs memory for every trial that is known."""


def _not_negative(name: str, default: str, description: str, *, most: float = math.inf) -> Setting:
    return number(
        name,
        int,
        default,
        "≥ 0",
        message=f"{name} should be greate or equal than zero",
        description=description,
        most=most,
    )


class Tpe(Algorithm):
    name = "tpe"
    description = "tree-structured Parzen estimator, each parameter by itself (optuna)"
    settings = (
        number(
            "gamma",
            float,
            "",
            "in (0, 1)",
            message="gamma should be in the range of (0, 1)",
            description="of n trials, gamma × √n count as good, at most 25; "
            "without it a tenth of them",
        ),
        number(
            "prior_weight",
            float,
            "1.0",
            "> 0",
            message="prior_weight should be great than zero",
            description="weight of the prior beside the trials",
        ),
        number(
            "n_EI_candidates",
            int,
            "24",
            "> 0",
            message="n_EI_candidates should be great than zero",
            description="candidates of which the best becomes the point",
            most=_MOST_DRAWS,
        ),
        _not_negative("n_startup_trials", "10", "trials before the model is used"),
        _not_negative(
            "n_ei_candidates",
            "",
            "multivariate-tpe's name for n_EI_candidates",
            most=_MOST_DRAWS,
        ),
        random_state(),
    )
    capabilities = Capabilities(conditions=True, objectives=True)
    requires = ("numpy", "optuna")

    def start(self, problem: Problem) -> Fold:
        values = setting_values(self.settings, problem.settings)
        candidates = values.get("n_ei_candidates", values["n_EI_candidates"])
        arguments: dict[str, Any] = {
            "multivariate": False,
            "n_startup_trials": values["n_startup_trials"],
            "n_ei_candidates": max(1, int(candidates)),
            "prior_weight": values["prior_weight"],
        }
        if "gamma" in values:
            arguments["gamma"] = _Gamma(float(values["gamma"]))
        from .tpe_fold import TpeFold

        return TpeFold(problem, arguments)


class MultivariateTpe(Algorithm):
    name = "multivariate-tpe"
    description = "tree-structured Parzen estimator over all parameters together (optuna)"
    settings = (
        _not_negative("n_startup_trials", "10", "trials before the model is used"),
        _not_negative(
            "n_ei_candidates",
            "24",
            "candidates of which the best becomes the point",
            most=_MOST_DRAWS,
        ),
        random_state("random_state should be greate or equal than zero"),
    )
    capabilities = Capabilities(conditions=True, objectives=True)
    requires = ("numpy", "optuna")

    def start(self, problem: Problem) -> Fold:
        from .tpe_fold import TpeFold

        values = setting_values(self.settings, problem.settings)
        return TpeFold(
            problem,
            {
                "multivariate": True,
                "n_startup_trials": values["n_startup_trials"],
                "n_ei_candidates": max(1, int(values["n_ei_candidates"])),
            },
        )


class _Gamma:
    """How many of n trials are the good ones, as hyperopt counts them."""

    def __init__(self, gamma: float) -> None:
        self._gamma = gamma

    def __call__(self, trials: int) -> int:
        return min(math.ceil(self._gamma * math.sqrt(trials)), 25)
