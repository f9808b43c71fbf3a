"""scikit-learn, whose estimators mostly train in one go: by rounds of boosting, or by folds."""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from sklearn.base import is_classifier
from sklearn.model_selection import check_cv, cross_val_score

from ..report import report, should_stop


def report_monitor(stage: int, estimator: Any, variables: Mapping[str, Any]) -> bool:
    """Report the rounds of gradient boosting: `GradientBoostingClassifier().fit(…, monitor=…)`.

    `train_score` is the loss of the training data; where `subsample` is below 1,
    `oob_score` is that of what the round left out.
    """
    del variables
    scores = {"train_score": estimator.train_score_[stage]}
    if estimator.subsample < 1:
        scores["oob_score"] = estimator.oob_scores_[stage]
    report(scores, step=stage)
    return should_stop()


def cross_validate(
    estimator: Any,
    x: Any,
    y: Any = None,
    *,
    metric: str = "score",
    cv: Any = None,
    scoring: Any = None,
    groups: Any = None,
) -> float:
    """Return the mean score of the folds, reported as `metric` after each: that of those so far.

    Any estimator can so be ended early, by what its first folds show. The options
    are those of scikit-learn's function of this name.
    """
    folds = check_cv(cv, y, classifier=is_classifier(estimator))
    scores: list[float] = []
    for fold, split in enumerate(folds.split(x, y, groups)):
        scores.extend(cross_val_score(estimator, x, y, cv=[split], scoring=scoring))
        report({metric: fmean(scores)}, step=fold)
        if should_stop():
            break
    return fmean(scores)
