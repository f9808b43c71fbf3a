"""Make `stopping_curves.json`: real learning curves, from small models that are trained once.

    .venv/bin/python benchmarks/search/stopping_curves.py

Each curve is the validation error, in percent, after each of 30 epochs of a
network of one layer on scikit-learn's digits, at a configuration drawn at random. Training
is by stochastic gradient descent; a third of the data is held out. No early stopping is
involved, so that every rule can be replayed over every curve.
"""

import json
import random
import warnings
from pathlib import Path

FILE = Path(__file__).parent / "stopping_curves.json"
CURVES = 100
EPOCHS = 30


def curve(seed: int) -> list[float]:
    import numpy as np
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier

    chance = random.Random(seed)
    images, digits = load_digits(return_X_y=True)
    train, held, labels, truth = train_test_split(
        images / 16, digits, test_size=1 / 3, random_state=0, stratify=digits
    )
    network = MLPClassifier(
        hidden_layer_sizes=(chance.choice((4, 8, 16, 32, 64)),),
        activation=chance.choice(("relu", "tanh", "logistic")),
        solver="sgd",
        learning_rate_init=10 ** chance.uniform(-3.5, 0.5),
        momentum=chance.uniform(0, 0.95),
        alpha=10 ** chance.uniform(-6, 0),
        batch_size=chance.choice((16, 32, 64, 128)),
        random_state=seed,
    )
    errors = []
    for _ in range(EPOCHS):
        try:
            network.partial_fit(train, labels, classes=np.unique(digits))
            errors.append(round(100 * (1 - network.score(held, truth)), 2))
        except ValueError:  # the weights are no longer finite
            errors.append(float("nan"))
    return errors


def main() -> None:
    warnings.simplefilter("ignore")
    rows = [json.dumps(curve(seed)) for seed in range(CURVES)]
    FILE.write_text("[\n" + ",\n".join(rows) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
