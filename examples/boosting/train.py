"""Gradient boosting on scikit-learn's breast cancer data, one line of metrics a round."""

import argparse

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--max-depth", type=int, default=3)
    parser.add_argument("--subsample", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=40)
    args = parser.parse_args()

    features, labels = load_breast_cancer(return_X_y=True)
    seen, unseen, seen_labels, unseen_labels = train_test_split(
        features, labels, test_size=0.3, random_state=0, stratify=labels
    )
    model = GradientBoostingClassifier(
        learning_rate=args.learning_rate,
        max_depth=args.max_depth,
        subsample=args.subsample,
        warm_start=True,
        random_state=0,
    )
    for boosting_round in range(1, args.rounds + 1):
        model.set_params(n_estimators=boosting_round).fit(seen, seen_labels)
        chances = model.predict_proba(unseen)
        loss = log_loss(unseen_labels, chances)
        accuracy = accuracy_score(unseen_labels, chances.argmax(axis=1))
        print(f"[{boosting_round}] valid-logloss: {loss:.5f} valid-accuracy: {accuracy:.5f}")


if __name__ == "__main__":
    main()
