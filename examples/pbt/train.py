"""Train a small neural network for a few epochs, from where its checkpoint stands.

The directory for the checkpoint is named by TUNEWRIGHT_CHECKPOINT_DIR. What is in
it was written by the trial that this one continues; without that it begins anew.
"""

import argparse
import os
import pickle
import warnings
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier


def restored(file: Path, lr: float, alpha: float) -> tuple[MLPClassifier, int]:
    """Return the network with this trial's hyperparameters, and the epochs that it has seen."""
    if not file.exists():
        network = MLPClassifier(
            hidden_layer_sizes=(32,), learning_rate_init=lr, alpha=alpha, solver="sgd"
        )
        return network.set_params(batch_size=64, random_state=0), 0
    with file.open("rb") as stream:
        network, epoch = pickle.load(stream)  # noqa: S301  # written by a trial of this experiment
    network.set_params(learning_rate_init=lr, alpha=alpha)
    network._optimizer.learning_rate = network._optimizer.learning_rate_init = lr
    return network, epoch


def save(file: Path, network: MLPClassifier, epoch: int) -> None:
    """Write the checkpoint so that whoever is killed here leaves the one before."""
    part = file.with_suffix(".part")
    with part.open("wb") as stream:
        pickle.dump((network, epoch), stream)
    part.replace(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lr", type=float, default=0.001)
    parser.add_argument("--alpha", type=float, default=0.0001)
    parser.add_argument("--epochs", type=int, default=4)
    args = parser.parse_args()

    images, digits = load_digits(return_X_y=True)
    seen, unseen, seen_digits, unseen_digits = train_test_split(
        images / 16, digits, test_size=0.3, random_state=0, stratify=digits
    )
    file = Path(os.environ.get("TUNEWRIGHT_CHECKPOINT_DIR", ".")) / "network.pickle"
    network, done = restored(file, args.lr, args.alpha)
    for epoch in range(done + 1, done + args.epochs + 1):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # partial_fit never converges, and says so
            network.partial_fit(seen, seen_digits, classes=sorted(set(digits)))
        accuracy = network.score(unseen, unseen_digits)
        loss = log_loss(unseen_digits, network.predict_proba(unseen))
        print(f"epoch={epoch} accuracy={accuracy:.4f} loss={loss:.4f}", flush=True)
        save(file, network, epoch)


if __name__ == "__main__":
    main()
