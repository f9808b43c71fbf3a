"""Train the network that an architecture describes on the digits, in numpy.

A layer takes what the layer before it gave, joined with the inputs of those layers that
it is connected to, and is dense, or pools neighbouring features.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

TRAINED, EPOCHS, RATE = 1000, 30, 0.02
Layers = Sequence[tuple[Mapping[str, Any], Sequence[int]]]  # an operation, and its connections


@cache
def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return pixels and classes to train with, then those to validate with."""
    pixels, classes = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(pixels))
    pixels, classes = pixels[order] / 16 - 0.3, classes[order]
    return pixels[:TRAINED], classes[:TRAINED], pixels[TRAINED:], classes[TRAINED:]


def read(architecture: str, config: str) -> Layers:
    """Read the two assignments: JSON with ' for "."""
    embedding = json.loads(config.replace("'", '"'))["embedding"]
    return [
        (embedding[str(operation)], skips)
        for operation, *skips in json.loads(architecture.replace("'", '"'))
    ]


class Network:
    """The layers, and behind them a softmax over ten classes; trained by Adam."""

    def __init__(self, layers: Layers, width: int, seed: int) -> None:
        self.layers = layers
        self.weights: list[np.ndarray | None] = []
        chance = np.random.default_rng(seed)
        widths = [width]
        for operation, skips in layers:
            given = widths[-1] + sum(widths[n] for n, is_on in enumerate(skips) if is_on)
            if operation["opt_type"] == "dense":
                units = int(operation["opt_params"]["units"])
                self.weights.append(self._drawn(chance, given, units))
            else:
                units = -(-given // int(operation["opt_params"]["size"]))
                self.weights.append(None)
            widths.append(units)
        self.weights.append(self._drawn(chance, widths[-1], 10))
        self.moments = [None if w is None else [w * 0, w * 0] for w in self.weights]
        self.steps = 0

    @staticmethod
    def _drawn(chance: np.random.Generator, given: int, units: int) -> np.ndarray:
        weights = chance.normal(0, given**-0.5, (given + 1, units))
        weights[-1] = 0  # the bias
        return weights

    def forward(self, pixels: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return every layer's input before joining, the last being the logits, and after."""
        outs, joined = [pixels], []
        for (operation, skips), weights in zip(self.layers, self.weights, strict=False):
            parts = [outs[-1], *(outs[n] for n, is_on in enumerate(skips) if is_on)]
            joined.append(np.concatenate(parts, axis=1))
            if weights is None:
                outs.append(pooled(joined[-1], int(operation["opt_params"]["size"])))
            else:
                sums = joined[-1] @ weights[:-1] + weights[-1]
                is_relu = operation["opt_params"]["activation"] == "relu"
                outs.append(np.maximum(sums, 0) if is_relu else np.tanh(sums))
        joined.append(outs[-1])
        outs.append(outs[-1] @ self.weights[-1][:-1] + self.weights[-1][-1])
        return outs, joined

    def learn(self, pixels: np.ndarray, classes: np.ndarray) -> None:
        outs, joined = self.forward(pixels)
        error = softmax(outs[-1])
        error[np.arange(len(classes)), classes] -= 1
        error /= len(classes)
        self.steps += 1
        back = [np.zeros_like(out) for out in outs]
        back[-2] += self._descend(len(self.layers), joined[-1], error)
        for place in reversed(range(len(self.layers))):
            operation, skips = self.layers[place]
            error, out = back[place + 1], outs[place + 1]
            if self.weights[place] is None:
                size = int(operation["opt_params"]["size"])
                given = np.repeat(error / size, size, axis=1)[:, : joined[place].shape[1]]
            else:
                is_relu = operation["opt_params"]["activation"] == "relu"
                slope = (out > 0) if is_relu else 1 - out**2
                given = self._descend(place, joined[place], error * slope)
            begin = 0
            for n in (place, *(n for n, is_on in enumerate(skips) if is_on)):
                width = outs[n].shape[1]
                back[n] += given[:, begin : begin + width]
                begin += width

    def _descend(self, place: int, given: np.ndarray, error: np.ndarray) -> np.ndarray:
        """Take one step of Adam; return the error of what was given."""
        weights = self.weights[place]
        before = error @ weights[:-1].T
        gradient = np.concatenate([given.T @ error, error.sum(axis=0, keepdims=True)])
        first, second = self.moments[place]
        first += 0.1 * (gradient - first)
        second += 0.001 * (gradient**2 - second)
        rate = RATE * (1 - 0.999**self.steps) ** 0.5 / (1 - 0.9**self.steps)
        weights -= rate * first / (np.sqrt(second) + 1e-8)
        return before


def pooled(given: np.ndarray, size: int) -> np.ndarray:
    """Return the mean of each `size` neighbours; what lacks at the end counts as 0."""
    padded = np.pad(given, ((0, 0), (0, -given.shape[1] % size)))
    return padded.reshape(len(given), -1, size).mean(axis=2)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def trained(layers: Layers, seed: int = 0) -> Iterator[tuple[float, float]]:
    """Train; yield the validation's loss and accuracy after each epoch, ten steps of all."""
    pixels, classes, others, truth = digits()
    network = Network(layers, pixels.shape[1], seed)
    chance = np.random.default_rng(seed)
    for _ in range(EPOCHS):
        for batch in np.array_split(chance.permutation(len(pixels)), 10):
            network.learn(pixels[batch], classes[batch])
        chances = softmax(network.forward(others)[0][-1])
        loss = -np.log(chances[np.arange(len(truth)), truth] + 1e-12).mean()
        yield float(loss), float((chances.argmax(axis=1) == truth).mean())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--architecture", required=True)
    parser.add_argument("--config", required=True)
    given = parser.parse_args()
    for loss, accuracy in trained(read(given.architecture, given.config)):
        print(f"loss={loss:.4f} accuracy={accuracy:.4f}", flush=True)


if __name__ == "__main__":
    main()
