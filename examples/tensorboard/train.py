"""Logistic regression on scikit-learn's wine data, logged for TensorBoard."""

import argparse

import numpy as np
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from tensorboardX import SummaryWriter


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--log-dir", required=True)
    args = parser.parse_args()

    features, labels = load_wine(return_X_y=True)
    features = StandardScaler().fit_transform(features)
    seen, unseen, seen_labels, unseen_labels = train_test_split(
        features, labels, test_size=0.3, random_state=0, stratify=labels
    )
    wanted = np.eye(3)[seen_labels]
    weights = np.zeros((seen.shape[1], 3))
    velocity = np.zeros_like(weights)
    with SummaryWriter(args.log_dir) as writer:
        for step in range(1, args.steps + 1):
            gradient = seen.T @ (softmax(seen @ weights) - wanted) / len(seen)
            velocity = args.momentum * velocity - args.lr * gradient
            weights += velocity
            chances = softmax(unseen @ weights)
            loss = -np.log(chances[np.arange(len(unseen)), unseen_labels] + 1e-12).mean()
            writer.add_scalar("validation/loss", float(loss), step)


if __name__ == "__main__":
    main()
