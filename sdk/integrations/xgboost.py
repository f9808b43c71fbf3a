"""XGBoost: `xgboost.train(..., callbacks=[ReportCallback()])`, and the same of its estimators."""

from collections.abc import Mapping, Sequence
from typing import Any

from xgboost.callback import TrainingCallback

from ..report import report, should_stop


class ReportCallback(TrainingCallback):
    """Reports each round's metrics: `validation-rmse` is the rmse of the set `validation`.

    Of `xgboost.cv` it is the mean of the folds.
    """

    def after_iteration(
        self, model: Any, epoch: int, evals_log: Mapping[str, Mapping[str, Sequence[Any]]]
    ) -> bool:
        report(
            {
                f"{data}-{metric}": _mean(values[-1])
                for data, metrics in evals_log.items()
                for metric, values in metrics.items()
            },
            step=epoch,
        )
        if not should_stop():
            return False
        if model.attr("best_iteration") is None:  # `cv` asks for it once a callback ended it
            model.set_attr(best_iteration=str(epoch))
        return True


def _mean(value: Any) -> float:
    """Return a round's value; `cv` has the mean and the deviation."""
    return float(value[0] if isinstance(value, tuple) else value)
