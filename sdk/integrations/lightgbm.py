"""LightGBM: `lightgbm.train(..., callbacks=[report_callback])`, and the same of its estimators."""

from typing import Any

from lightgbm.callback import EarlyStopException

from ..report import report, should_stop


def report_callback(env: Any) -> None:
    """Report each round's metrics: `valid_0's auc` is the auc of the set `valid_0`.

    Of `lightgbm.cv` it is the mean of the folds.

    Raises:
        EarlyStopException: the trial is to stop; LightGBM ends its training by it.
    """
    results = env.evaluation_result_list or []
    named = (each[:3] for each in results)
    report({f"{data}'s {metric}": value for data, metric, value in named}, step=env.iteration)
    if should_stop():
        raise EarlyStopException(env.iteration, results)
