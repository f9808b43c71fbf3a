"""The network that a trial of a `nasConfig` trains, read from its parameters and laid out.

Katib's two forms: `architecture` with `nn_config`, where layer k takes what layer k-1
gives and, by a 1, what an earlier one or (number 0) the input gives; and `search-space`
with `num-layers`, where each layer is a mixture of all operations until one of them wins.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_MOST_LAYERS = 200
_WIDTH, _HEIGHT, _GAP = 250, 42, 22  # of a layer's box, and between two
_ROOM = 12  # for the widest arc: a step for each layer that it passes by
_WIDEST = 90


@dataclass(frozen=True, slots=True)
class Layer:
    """`sources` are the numbers of the layers whose output it takes; 0 is the input."""

    number: int
    name: str
    operation: str
    settings: str
    sources: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Box:
    layer: Layer
    top: int


@dataclass(frozen=True, slots=True)
class Edge:
    """A line from a layer to a later one; `skips` those that it passes by."""

    source: int
    target: int
    path: str

    @property
    def skips(self) -> bool:
        return self.target - self.source > 1


@dataclass(frozen=True, slots=True)
class Picture:
    """The boxes from top to bottom, and the lines between them, skip connections on the left."""

    width: int
    height: int
    left: int
    boxes: Sequence[Box]
    edges: Sequence[Edge]

    @property
    def layers(self) -> Sequence[Layer]:
        return [box.layer for box in self.boxes]


def picture_of(point: Mapping[str, object]) -> Picture | None:
    """Draw the network that a trial's parameters describe; None where they describe none."""
    layers = _layers(point)
    return _picture(layers) if layers else None


def _layers(point: Mapping[str, object]) -> Sequence[Layer]:
    try:
        if "architecture" in point and "nn_config" in point:
            return _of_genotype(_read(point["architecture"]), _read(point["nn_config"]))
        if "search-space" in point and "num-layers" in point:
            return _of_mixture(_read(point["search-space"]), int(str(point["num-layers"])))
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return ()  # a parameter of that name may be anything
    return ()


def _read(value: object) -> Any:
    return json.loads(str(value).replace("'", '"'))


def _of_genotype(genotype: Any, config: Any) -> Sequence[Layer]:
    hidden = []
    for number, (operation, *skips) in enumerate(genotype[:_MOST_LAYERS], start=1):
        known = config["embedding"][str(operation)]
        settings = ", ".join(f"{name} {value}" for name, value in known["opt_params"].items())
        joined = {number - 1, *(place for place, is_on in enumerate(skips) if is_on)}
        sources = tuple(sorted(place for place in joined if place < number))
        hidden.append(Layer(number, f"layer {number}", known["opt_type"], settings, sources))
    return _closed(hidden, config.get("input_sizes"), config.get("output_sizes"))


def _of_mixture(operations: Any, count: int) -> Sequence[Layer]:
    mixture = ", ".join(map(str, operations))
    hidden = [
        Layer(number, f"layer {number}", "a mixture of", mixture, (number - 1,))
        for number in range(1, min(count, _MOST_LAYERS) + 1)
    ]
    return _closed(hidden, None, None)


def _closed(hidden: Sequence[Layer], inputs: Any, outputs: Any) -> Sequence[Layer]:
    """Put the input before the layers, and the output behind them."""
    last = len(hidden) + 1
    first = Layer(0, "input", "input", _sizes(inputs), ())
    return (first, *hidden, Layer(last, "output", "output", _sizes(outputs), (last - 1,)))


def _sizes(sizes: Any) -> str:
    return " × ".join(map(str, sizes or ()))


def _picture(layers: Sequence[Layer]) -> Picture:
    passed = max(layer.number - source for layer in layers for source in layer.sources) - 1
    left = min(_WIDEST, _ROOM * passed + 16) if passed else 8
    tops = [8 + layer.number * (_HEIGHT + _GAP) for layer in layers]
    edges = [
        Edge(source, layer.number, _path(left, tops[source], tops[layer.number], passed))
        for layer in layers
        for source in layer.sources
    ]
    boxes = [Box(layer, top) for layer, top in zip(layers, tops, strict=True)]
    return Picture(left + _WIDTH + 8, tops[-1] + _HEIGHT + 8, left, boxes, edges)


def _path(left: int, source: int, target: int, passed: int) -> str:
    """Return a straight line between neighbours, and an arc past the others."""
    begin, end = source + _HEIGHT, target
    if end - begin <= _GAP:
        middle = left + _WIDTH // 2
        return f"M{middle},{begin} V{end}"
    steps = (target - source) // (_HEIGHT + _GAP) - 1
    reach = left - 8 - round((left - 16) * (1 - steps / passed))
    bend = left - reach * 4 // 3
    return f"M{left},{source + 28} C{bend},{source + 28} {bend},{target + 14} {left},{target + 14}"
