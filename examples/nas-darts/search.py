"""Differentiable architecture search (Liu et al. 2019, first order) on the digits, in numpy.

Each layer is the sum of all operations of the search space, weighted by a softmax of its
own. The weights descend on one half of the images, the softmaxes on the other; in the
end the strongest operation of each layer is the architecture found.
"""

import argparse
import json
import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.datasets import load_digits

IMAGES = 600  # for the weights, and as many for the architecture


def patches(images: np.ndarray, size: int) -> np.ndarray:
    """Return what surrounds each pixel: (images, 8, 8, channels, size, size)."""
    edge = size // 2
    padded = np.pad(images, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    return sliding_window_view(padded, (size, size), axis=(1, 2))


def gathered(error: np.ndarray, size: int) -> np.ndarray:
    """Return the error of the images, given that of their patches."""
    edge, (count, height, width, channels) = size // 2, error.shape[:4]
    padded = np.zeros((count, height + 2 * edge, width + 2 * edge, channels))
    for row in range(size):
        for column in range(size):
            padded[:, row : row + height, column : column + width] += error[..., row, column]
    return padded[:, edge : edge + height, edge : edge + width]


class Convolution:
    """Learns its filters; what is below zero becomes zero."""

    def __init__(self, size: int, channels: int, chance: np.random.Generator) -> None:
        self.size = size
        shape = (channels, size, size, channels)
        self.weights = chance.normal(0, (2 / (channels * size * size)) ** 0.5, shape)

    def forward(self, images: np.ndarray) -> np.ndarray:
        self.given = patches(images, self.size)
        self.out = np.maximum(np.tensordot(self.given, self.weights, 3), 0)
        return self.out

    def backward(self, error: np.ndarray) -> np.ndarray:
        error = error * (self.out > 0)
        self.gradient = np.tensordot(self.given, error, ((0, 1, 2), (0, 1, 2)))
        return gathered(np.tensordot(error, self.weights, ((3,), (3,))), self.size)


class Pooling:
    """The mean of each pixel's surroundings."""

    def __init__(self, size: int) -> None:
        self.size = size

    def forward(self, images: np.ndarray) -> np.ndarray:
        return patches(images, self.size).mean(axis=(4, 5))

    def backward(self, error: np.ndarray) -> np.ndarray:
        shape = (*error.shape, self.size, self.size)
        return gathered(np.broadcast_to(error[..., None, None] / self.size**2, shape), self.size)


class Skip:
    def forward(self, images: np.ndarray) -> np.ndarray:
        return images

    def backward(self, error: np.ndarray) -> np.ndarray:
        return error


Operation = Convolution | Pooling | Skip


def operation(name: str, channels: int, chance: np.random.Generator) -> Operation:
    """Make an operation of the search space, such as `convolution_3x3`."""
    kind, _, size = name.rpartition("_")
    if name == "skip_connection":
        return Skip()
    size = int(size.partition("x")[0])
    return Pooling(size) if kind == "average_pooling" else Convolution(size, channels, chance)


class Mixed:
    """One layer: every operation, weighted."""

    def __init__(self, names: Sequence[str], channels: int, chance: np.random.Generator) -> None:
        self.operations = [operation(name, channels, chance) for name in names]
        self.alpha = np.zeros(len(names))

    def forward(self, images: np.ndarray) -> np.ndarray:
        self.shares = softmax(self.alpha)
        self.outs = [each.forward(images) for each in self.operations]
        return sum(share * out for share, out in zip(self.shares, self.outs, strict=True))

    def backward(self, error: np.ndarray) -> np.ndarray:
        worth = np.array([(error * out).sum() for out in self.outs])
        self.alpha_gradient = self.shares * (worth - self.shares @ worth)
        pairs = zip(self.shares, self.operations, strict=True)
        return sum(each.backward(error * share) for share, each in pairs)


class Supernet:
    """The layers between a stem and a softmax over ten classes."""

    def __init__(self, names: Sequence[str], layers: int, settings: Mapping[str, float]) -> None:
        chance = np.random.default_rng(0)
        channels = int(settings["init_channels"])
        self.settings = settings
        self.stem = chance.normal(0, 1, (1, channels))
        self.layers = [Mixed(names, channels, chance) for _ in range(layers)]
        self.head = np.zeros((64 * channels, 10))
        self.speed: dict[int, np.ndarray] = {}

    def logits(self, images: np.ndarray) -> np.ndarray:
        images = images @ self.stem
        for layer in self.layers:
            images = layer.forward(images)
        self.last = images
        return images.reshape(len(images), -1) @ self.head

    def gradients(self, images: np.ndarray, classes: np.ndarray) -> None:
        error = softmax(self.logits(images))
        error[np.arange(len(classes)), classes] -= 1
        error /= len(classes)
        self.head_gradient = self.last.reshape(len(images), -1).T @ error
        error = (error @ self.head.T).reshape(self.last.shape)
        for layer in reversed(self.layers):
            error = layer.backward(error)

    def learn_weights(self, images: np.ndarray, classes: np.ndarray, rate: float) -> None:
        """Descend with momentum, the gradient's norm bounded."""
        self.gradients(images, classes)
        filters = [e for layer in self.layers for e in layer.operations if hasattr(e, "weights")]
        pairs = [(self.head, self.head_gradient), *((e.weights, e.gradient) for e in filters)]
        norm = math.sqrt(sum((gradient**2).sum() for _, gradient in pairs))
        clip = min(1.0, self.settings["w_grad_clip"] / (norm + 1e-12))
        for place, (weights, gradient) in enumerate(pairs):
            speed = self.settings["w_momentum"] * self.speed.get(place, 0.0)
            speed = speed + gradient * clip + self.settings["w_weight_decay"] * weights
            self.speed[place] = speed
            np.subtract(weights, rate * speed, out=weights)

    def learn_architecture(self, images: np.ndarray, classes: np.ndarray) -> None:
        self.gradients(images, classes)
        for layer in self.layers:
            decay = self.settings["alpha_weight_decay"] * layer.alpha
            layer.alpha -= self.settings["alpha_lr"] * (layer.alpha_gradient + decay)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def search(names: Sequence[str], layers: int, settings: Mapping[str, float]) -> None:
    pixels, classes = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(pixels))
    images, classes = pixels[order].reshape(-1, 8, 8, 1) / 16, classes[order]
    parts = [slice(0, IMAGES), slice(IMAGES, 2 * IMAGES), slice(2 * IMAGES, None)]
    ours, theirs, rest = [(images[part], classes[part]) for part in parts]
    net, chance = Supernet(names, layers, settings), np.random.default_rng(1)
    epochs, least = int(settings["num_epochs"]), settings["w_lr_min"]
    steps = max(1, round(IMAGES / settings["batch_size"]))
    for epoch in range(epochs):
        cosine = (1 + math.cos(math.pi * epoch / epochs)) / 2
        rate = least + (settings["w_lr"] - least) * cosine
        halves = (np.array_split(chance.permutation(IMAGES), steps) for _ in range(2))
        for mine, other in zip(*halves, strict=True):
            net.learn_architecture(theirs[0][other], theirs[1][other])
            net.learn_weights(ours[0][mine], ours[1][mine], rate)
        accuracy = (net.logits(rest[0]).argmax(axis=1) == rest[1]).mean()
        print(f"epoch={epoch} accuracy={accuracy:.4f}", flush=True)
    print("found:", *(names[layer.alpha.argmax()] for layer in net.layers))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--settings", required=True, help="algorithm-settings, ' for \"")
    parser.add_argument("--space", required=True, help="search-space, ' for \"")
    parser.add_argument("--layers", type=int, required=True)
    given = parser.parse_args()
    settings = json.loads(given.settings.replace("'", '"'))
    names = json.loads(given.space.replace("'", '"'))
    search(names, given.layers, {name: float(value) for name, value in settings.items()})


if __name__ == "__main__":
    main()
