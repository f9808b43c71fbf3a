"""Tuning of real models of scikit-learn on its own small data sets: error in cross-validation.

An evaluation takes a few hundredths of a second. What is best is not known: `optimum` is the
least that multivariate-tpe saw in 300 trials, and regrets are counted from there.
"""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

from search.mixed import double, listed, space, whole
from tunewright.api.space import Point, SearchSpace
from tunewright.suggestion.plugin.problems import Challenge

_FOLDS = 3


@cache
def _data(name: str) -> tuple[Any, Any]:
    from sklearn import datasets

    inputs, targets = getattr(datasets, f"load_{name}")(return_X_y=True)
    return inputs[:400], targets[:400]


def _error(model: Any, data: str, scoring: str) -> float:
    from sklearn.model_selection import KFold, cross_val_score

    folds = KFold(_FOLDS, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of models that do not converge: their error says it
        scores = cross_val_score(model, *_data(data), cv=folds, scoring=scoring)
    return -float(scores.mean())


def _challenge(
    name: str,
    searched: SearchSpace,
    model: Callable[[Point], Any],
    data: str,
    optimum: float,
    *,
    scoring: str = "accuracy",
) -> Challenge:
    return Challenge(name, searched, lambda point: _error(model(point), data, scoring), optimum)


def _svm(point: Point) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    return make_pipeline(StandardScaler(), SVC(C=float(point["cost"]), gamma=float(point["gamma"])))


def _ridge(point: Point) -> Any:
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    kernel = KernelRidge(
        kernel=str(point["kernel"]), alpha=float(point["alpha"]), gamma=float(point["gamma"])
    )
    return make_pipeline(StandardScaler(), kernel)


def _tree(point: Point) -> Any:
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(
        criterion=str(point["criterion"]),
        max_depth=int(point["depth"]),
        min_samples_split=int(point["split"]),
        min_samples_leaf=int(point["leaf"]),
        max_features=float(point["share"]),
        ccp_alpha=float(point["pruning"]),
        random_state=0,
    )


def _forest(point: Point) -> Any:
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(
        n_estimators=int(point["trees"]),
        max_depth=int(point["depth"]),
        min_samples_leaf=int(point["leaf"]),
        max_features=float(point["share"]),
        bootstrap=point["bootstrap"] == "yes",
        random_state=0,
    )


def _boosting(point: Point) -> Any:
    from sklearn.ensemble import GradientBoostingRegressor

    return GradientBoostingRegressor(
        n_estimators=int(point["trees"]),
        learning_rate=float(point["rate"]),
        max_depth=int(point["depth"]),
        subsample=float(point["sample"]),
        loss=str(point["loss"]),
        random_state=0,
    )


_TREE = space(
    listed("criterion", "gini", "entropy"),
    whole("depth", 1, 20),
    whole("split", 2, 40, log=True),
    whole("leaf", 1, 40, log=True),
    double("share", 0.05, 1),
    double("pruning", 0.00001, 0.1, log=True),
)
_SVM = space(double("cost", 0.001, 10000, log=True), double("gamma", 0.000001, 10, log=True))
_RIDGE = space(
    listed("kernel", "sigmoid", "rbf", "poly"),
    double("alpha", 0.0001, 100, log=True),
    double("gamma", 0.00001, 10, log=True),
)
_FOREST = space(
    whole("trees", 2, 20, log=True),
    whole("depth", 1, 20),
    whole("leaf", 1, 20, log=True),
    double("share", 0.05, 1),
    listed("bootstrap", "yes", "no"),
)
_BOOSTING = space(
    whole("trees", 5, 30, log=True),
    double("rate", 0.005, 1, log=True),
    whole("depth", 1, 5),
    double("sample", 0.2, 1),
    listed("loss", "squared_error", "absolute_error", "huber"),
)
_R2 = "r2"
TUNING = (
    _challenge("svm-wine", _SVM, _svm, "wine", -0.99435),
    _challenge("tree-wine", _TREE, _tree, "wine", -0.97185),
    _challenge("forest-diabetes", _FOREST, _forest, "diabetes", -0.46216, scoring=_R2),
)
HELD_OUT = (
    _challenge("svm-breast-cancer", _SVM, _svm, "breast_cancer", -0.97754),
    _challenge("ridge-diabetes", _RIDGE, _ridge, "diabetes", -0.48177, scoring=_R2),
    _challenge("tree-digits", _TREE, _tree, "digits", -0.86010),
    _challenge("boosting-diabetes", _BOOSTING, _boosting, "diabetes", -0.45987, scoring=_R2),
)
