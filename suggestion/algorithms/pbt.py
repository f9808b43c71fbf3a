"""Population based training (Jaderberg et al. 2017), with the settings of Katib's."""

from collections.abc import Sequence

from ...api.checkpoint import TRIAL_DIR
from ...api.errors import Fault
from ...api.problem import Problem
from ..algorithm import SETTINGS_PATH, Algorithm, Capabilities, Fold
from ..settings import Setting, number, random_state

_POPULATION, _TRUNCATION, _RESAMPLE = (
    "n_population",
    "truncation_threshold",
    "resample_probability",
)
_MOST_MEMBERS = 10_000
_REQUIRED = (TRIAL_DIR, _POPULATION, _TRUNCATION)


def _is_share(value: float | str) -> bool:
    return not isinstance(value, str) and 0 <= value <= 1


class Pbt(Algorithm):
    name = "pbt"
    description = (
        "trains a population; its worst members continue from its best, with changed parameters"
    )
    settings = (
        Setting(
            TRIAL_DIR,
            str,
            "",
            "an absolute path",
            lambda value: str(value).startswith("/"),
            "Param(suggestion_trial_dir) should be an absolute path",
            "the path at which a trial finds its checkpoint; spec.checkpoint overrides it",
        ),
        number(
            _POPULATION,
            int,
            "",
            "≥ 5",
            message="Param(n_population) should be >= 5",
            description="the number of members, trained side by side",
            most=_MOST_MEMBERS,
        ),
        Setting(
            _TRUNCATION,
            float,
            "",
            "in [0, 1]",
            _is_share,
            "Param(truncation_threshold) should be between 0 and 1, inclusive",
            "the fraction of members replaced by as many of the best",
        ),
        Setting(
            _RESAMPLE,
            float,
            "",
            "in [0, 1]",
            _is_share,
            "Param(resample_probability) should be null to perturb at 0.8 or 1.2, or be between "
            "0 and 1, inclusive, to resample",
            "how often a parameter is drawn anew instead of perturbed; 0 without it",
        ),
        random_state(),
    )
    capabilities = Capabilities(repeats="a trial may go on with the parameters of another")
    is_quick = True

    def validate(self, problem: Problem) -> Sequence[Fault]:
        missing = [name for name in _REQUIRED if not problem.settings.get(name)]
        if not missing:
            return ()
        message = f"Required params missing: {', '.join(missing)}"
        remedy = "add them to the algorithm's settings"
        return (Fault(SETTINGS_PATH, message, remedy, "Required"),)

    def start(self, problem: Problem) -> Fold:
        from .pbt_fold import PbtFold

        given = problem.settings
        return PbtFold(
            problem,
            size=int(given[_POPULATION]),
            share=float(given[_TRUNCATION]),
            resample=float(given[_RESAMPLE]) if given.get(_RESAMPLE) else None,
        )
