"""Train a small neural network on scikit-learn's handwritten digits.

Nothing here knows Tunewright: it takes its hyperparameters as options, and
prints its metrics as it goes.
"""

import argparse
import warnings

from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lr", type=float, default=0.001)
    parser.add_argument("--hidden", type=int, default=32)
    parser.add_argument("--alpha", type=float, default=0.0001)
    parser.add_argument("--solver", choices=["adam", "sgd"], default="adam")
    parser.add_argument("--epochs", type=int, default=15)
    args = parser.parse_args()

    images, digits = load_digits(return_X_y=True)
    seen, unseen, seen_digits, unseen_digits = train_test_split(
        images, digits, test_size=0.3, random_state=0, stratify=digits
    )
    scaler = StandardScaler().fit(seen)
    seen, unseen = scaler.transform(seen), scaler.transform(unseen)

    network = MLPClassifier(
        hidden_layer_sizes=(args.hidden,),
        learning_rate_init=args.lr,
        alpha=args.alpha,
        solver=args.solver,
        batch_size=64,
        random_state=0,
    )
    classes = sorted(set(digits))
    for epoch in range(1, args.epochs + 1):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # partial_fit never converges, and says so
            network.partial_fit(seen, seen_digits, classes=classes)
        accuracy = network.score(unseen, unseen_digits)
        loss = log_loss(unseen_digits, network.predict_proba(unseen))
        print(f"epoch={epoch} accuracy={accuracy:.4f} loss={loss:.4f}", flush=True)


if __name__ == "__main__":
    main()
