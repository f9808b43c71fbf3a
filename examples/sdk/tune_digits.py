"""Tune a Python function: `python examples/sdk/tune_digits.py`."""

from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC
from tunewright import search, tune


def accuracy(c: float, gamma: float) -> float:
    images, digits = load_digits(return_X_y=True)
    return float(cross_val_score(SVC(C=c, gamma=gamma), images[:600], digits[:600], cv=3).mean())


def main() -> None:
    result = tune(
        accuracy,
        {
            "c": search.double(0.01, 100, log=True),
            "gamma": search.double(1e-5, 1e-1, log=True),
        },
        metric="accuracy",
        direction="maximize",
        trials=20,
        parallel=2,
    )
    print(result.best.value, result.best.parameters)


if __name__ == "__main__":
    main()
