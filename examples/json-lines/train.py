"""Ridge regression on scikit-learn's diabetes data, logged as one JSON object a line."""

import argparse
import json
from pathlib import Path

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import SGDRegressor
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eta", type=float, default=0.01)
    parser.add_argument("--alpha", type=float, default=0.0001)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--metrics-file", type=Path, required=True)
    args = parser.parse_args()

    features, target = load_diabetes(return_X_y=True)
    seen, unseen, seen_target, unseen_target = train_test_split(
        features, target, test_size=0.3, random_state=0
    )
    scaler = StandardScaler().fit(seen)
    model = SGDRegressor(eta0=args.eta, alpha=args.alpha, random_state=0)
    with args.metrics_file.open("a", encoding="utf-8") as log:
        for epoch in range(1, args.epochs + 1):
            model.partial_fit(scaler.transform(seen), seen_target)
            error = mean_squared_error(unseen_target, model.predict(scaler.transform(unseen)))
            log.write(json.dumps({"epoch": epoch, "rmse": float(np.sqrt(error))}) + "\n")
            log.flush()


if __name__ == "__main__":
    main()
