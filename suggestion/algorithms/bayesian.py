"""Bayesian optimization: what it can be told, and what it refuses."""

from collections.abc import Sequence

from ...api.errors import Fault
from ...api.problem import Problem
from ..algorithm import SETTINGS_PATH, Algorithm, Fold
from ..settings import number, one_of, random_state, setting_values

_WHERE = "Bayesian optimization"


class BayesianOptimization(Algorithm):
    name = "bayesianoptimization"
    description = "a model of the objective chooses each point (scikit-optimize)"
    settings = (
        one_of(
            "base_estimator",
            ("GP", "RF", "ET", "GBRT"),
            where=_WHERE,
            description="the model: Gaussian process, random forest, extra trees, boosted trees",
        ),
        number(
            "n_initial_points",
            int,
            "10",
            "≥ 0",
            message="n_initial_points should be great or equal than zero",
            description="points that are drawn at random before the model is used",
        ),
        one_of(
            "acq_func",
            ("gp_hedge", "LCB", "EI", "PI", "EIps", "PIps"),
            where=_WHERE,
            description="what makes a point promising; gp_hedge learns which of LCB, EI and PI "
            "pays, EIps and PIps weigh a trial's wall_seconds, if additionalMetricNames has them",
        ),
        one_of(
            "acq_optimizer",
            ("auto", "sampling", "lbfgs"),
            where=_WHERE,
            description="how the most promising point is found",
        ),
        random_state(),
    )
    requires = ("numpy", "skopt")

    def validate(self, problem: Problem) -> Sequence[Fault]:
        values = setting_values(self.settings, problem.settings)
        if values["acq_optimizer"] != "lbfgs" or values["base_estimator"] == "GP":
            return ()
        return (
            Fault(
                SETTINGS_PATH,
                f"acq_optimizer lbfgs needs gradients, which {values['base_estimator']} has not",
                "use acq_optimizer sampling, or base_estimator GP",
            ),
        )

    def start(self, problem: Problem) -> Fold:
        from .bayesian_fold import BayesianFold

        values = setting_values(self.settings, problem.settings)
        return BayesianFold(
            problem,
            estimator=str(values["base_estimator"]),
            initial=int(values["n_initial_points"]),
            acquisition=str(values["acq_func"]),
            optimizer=str(values["acq_optimizer"]),
        )
