"""The recurrent controller of enas (Pham et al. 2018, ICML, section 2.2 and 2.3).

An LSTM goes from layer to layer. At each it says how likely each operation is
and, by attention to the layers before, each skip connection. What it was told
of the choices made so far is its input.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .genotype import Genotype, Genotypes
from .tape import (
    Array,
    Var,
    columns,
    exp,
    log_sigmoid,
    log_softmax,
    mean,
    picked,
    rows,
    sigmoid,
    tanh,
    total,
)

Choices: TypeAlias = NDArray[np.int64]
Choose: TypeAlias = Callable[[int, int, Array], Choices]
"""Chooses at (layer, place) by log-probabilities: one row for each architecture of a batch."""

_BETA_1, _BETA_2, _TINY = 0.9, 0.999, 1e-8  # of Adam


@dataclass(frozen=True, slots=True)
class ControllerSettings:
    """Katib's `controller_*` settings; None switches a part off."""

    hidden_size: int = 64
    temperature: float | None = 5.0
    tanh_const: float | None = 2.25
    entropy_weight: float | None = 1e-5
    learning_rate: float = 5e-5
    skip_target: float = 0.4
    skip_weight: float | None = 0.8


@dataclass(slots=True)
class _Walk:
    """What a walk through the layers came to, a column for each architecture of a batch."""

    log_probability: Var
    entropy: Var
    skip_penalty: Var


class Controller:
    """The policy, its weights, and Adam's moments."""

    def __init__(self, genotypes: Genotypes, settings: ControllerSettings, seed: int) -> None:
        self._layers = genotypes.layers
        self._settings = settings
        hidden, kinds = settings.hidden_size, len(genotypes.operations)
        chance = np.random.default_rng(seed)
        shapes = {
            "lstm": (2 * hidden, 4 * hidden),
            "begin": (1, hidden),
            "embedding": (kinds, hidden),
            "operation": (hidden, kinds),
            "anchor": (hidden, hidden),
            "query": (hidden, hidden),
            "attention": (hidden, 1),
        }
        self._weights = {
            name: Var(chance.uniform(-0.1, 0.1, shape)) for name, shape in shapes.items()
        }
        self._moments = {name: (np.zeros(shape), np.zeros(shape)) for name, shape in shapes.items()}
        self._steps = 0

    def sample(self, seed: int) -> Genotype:
        """Draw an architecture from the policy."""
        chance = np.random.default_rng(seed)
        chosen: dict[tuple[int, int], int] = {}

        def choose(layer: int, place: int, logs: Array) -> Choices:
            found = int(chance.choice(logs.shape[1], p=np.exp(logs[0]) / np.exp(logs[0]).sum()))
            chosen[layer, place] = found
            return np.array([found])

        self._walk(1, choose)
        return tuple(
            tuple(chosen[layer, place] for place in range(layer + 1))
            for layer in range(self._layers)
        )

    def learn(self, genotypes: list[Genotype], advantages: Array) -> None:
        """Make architectures likelier by how much better than expected they were: one step."""

        def choose(layer: int, place: int, _logs: Array) -> Choices:
            return np.array([genotype[layer][place] for genotype in genotypes])

        walk = self._walk(len(genotypes), choose)
        settings = self._settings
        loss = mean(walk.log_probability * -advantages[:, None])
        if settings.entropy_weight is not None:
            loss += mean(walk.entropy * -settings.entropy_weight)
        if settings.skip_weight is not None:
            loss += mean(walk.skip_penalty * settings.skip_weight)
        loss.backward()
        self._descend()

    def _walk(self, batch: int, choose: Choose) -> _Walk:
        weights, settings = self._weights, self._settings
        zeros = Var(np.zeros((batch, settings.hidden_size)))
        nothing = Var(np.zeros((batch, 1)))
        begin = rows(weights["begin"], np.zeros(batch, dtype=np.int64))
        walk, given, state = _Walk(nothing, nothing, nothing), begin, (zeros, zeros)
        anchors: list[Var] = []
        for layer in range(self._layers):
            state = self._lstm(given, state)
            logs = log_softmax(self._scaled(state[0] @ weights["operation"]))
            operations = choose(layer, 0, logs.value)
            walk.log_probability += picked(logs, operations)
            walk.entropy += total(exp(logs) * logs) * -1.0
            state = self._lstm(rows(weights["embedding"], operations), state)
            taken: list[tuple[Var, Array]] = []
            for place, anchor in enumerate(anchors, start=1):
                skips = self._skip(walk, state[0], anchor, (layer, place), choose)
                taken.append((anchor, skips[:, None]))
            given = _gathered(taken, begin)
            anchors.append(state[0])
        return walk

    def _skip(
        self, walk: _Walk, hidden: Var, anchor: Var, at: tuple[int, int], choose: Choose
    ) -> Array:
        """Choose whether a layer is connected to one before it."""
        weights, target = self._weights, self._settings.skip_target
        attention = tanh(anchor @ weights["anchor"] + hidden @ weights["query"])
        logit = self._scaled(attention @ weights["attention"]) * 2.0
        yes, no = log_sigmoid(logit), log_sigmoid(logit * -1.0)
        skips = choose(*at, np.concatenate([no.value, yes.value], axis=1)).astype(np.float64)
        chosen = skips[:, None]
        walk.log_probability += yes * chosen + no * (1 - chosen)
        walk.entropy += (exp(yes) * yes + exp(no) * no) * -1.0
        # The divergence of the policy from connections at the rate that is aimed at.
        walk.skip_penalty += exp(yes) * (yes + -float(np.log(target))) + exp(no) * (
            no + -float(np.log(1 - target))
        )
        return skips

    def _lstm(self, given: Var, state: tuple[Var, Var]) -> tuple[Var, Var]:
        hidden, cell = state
        size = self._settings.hidden_size
        weights = self._weights["lstm"]
        gates = given @ _top(weights, size) + hidden @ _bottom(weights, size)
        forget, write, read = (sigmoid(columns(gates, n * size, (n + 1) * size)) for n in range(3))
        cell = forget * cell + write * tanh(columns(gates, 3 * size, 4 * size))
        return read * tanh(cell), cell

    def _scaled(self, logits: Var) -> Var:
        settings = self._settings
        if settings.temperature is not None:
            logits *= 1 / settings.temperature
        if settings.tanh_const is not None:
            logits = tanh(logits) * settings.tanh_const
        return logits

    def _descend(self) -> None:
        """Take one step of Adam (Kingma and Ba 2015)."""
        self._steps += 1
        for name, weight in self._weights.items():
            if weight.grad is None:
                continue
            first, second = self._moments[name]
            first += (1 - _BETA_1) * (weight.grad - first)
            second += (1 - _BETA_2) * (weight.grad**2 - second)
            rate = self._settings.learning_rate * (
                np.sqrt(1 - _BETA_2**self._steps) / (1 - _BETA_1**self._steps)
            )
            weight.value = weight.value - rate * first / (np.sqrt(second) + _TINY)
            weight.grad = None


def _gathered(taken: list[tuple[Var, Array]], begin: Var) -> Var:
    """Return the next input: the mean over the layers that are connected, and the beginning."""
    given, count = begin, np.ones((begin.value.shape[0], 1))
    for anchor, skips in taken:
        given += anchor * skips
        count += skips
    return given * (1 / count)


def _top(weights: Var, size: int) -> Var:
    return rows(weights, np.arange(size))


def _bottom(weights: Var, size: int) -> Var:
    return rows(weights, np.arange(size, 2 * size))
