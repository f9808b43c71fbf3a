"""An architecture as Katib writes it, and the space of them that a `nasConfig` spans.

A genotype has one tuple a layer: the number of its operation, then, for each
layer before it, 1 where there is a skip connection from it, else 0.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any, TypeAlias

from ....api.problem import Architecture
from ....api.space import Parameter, Point, Value

Genotype: TypeAlias = tuple[tuple[int, ...], ...]

ARCHITECTURE, NN_CONFIG = "architecture", "nn_config"  # the assignments of a trial


@dataclass(frozen=True)
class Genotypes:
    """All architectures of a graph: so many layers, filled with operations."""

    graph: Architecture

    @cached_property
    def layers(self) -> int:
        return self.graph.layers or 0

    @cached_property
    def operations(self) -> Sequence[Mapping[str, Any]]:
        """Every operation with every value of its parameters, numbered from 0."""
        found = [
            (operation.kind, dict(zip(names, chosen, strict=True)))
            for operation in self.graph.operations
            for names in [[each.name for each in operation.space.parameters]]
            for chosen in itertools.product(*map(_values, operation.space.parameters))
        ]
        return [
            {"opt_id": number, "opt_type": kind, "opt_params": chosen}
            for number, (kind, chosen) in enumerate(found)
        ]

    @cached_property
    def cardinality(self) -> int:
        pairs = self.layers * (self.layers - 1) // 2
        return int(len(self.operations) ** self.layers * 2**pairs)

    def random(self, chance: Random) -> Genotype:
        """Draw one: every operation alike, every skip connection with one half."""
        return tuple(
            (chance.randrange(len(self.operations)), *(chance.randrange(2) for _ in range(layer)))
            for layer in range(self.layers)
        )

    def mutated(self, genotype: Genotype, chance: Random) -> Genotype:
        """Change one operation or one skip connection."""
        places = [(layer, place) for layer in range(self.layers) for place in range(layer + 1)]
        if len(self.operations) < 2:
            places = [each for each in places if each[1] > 0] or places
        layer, place = chance.choice(places)
        changed = list(genotype[layer])
        if place > 0:
            changed[place] = 1 - changed[place]
        elif len(self.operations) > 1:
            others = [n for n in range(len(self.operations)) if n != changed[0]]
            changed[0] = chance.choice(others)
        return (*genotype[:layer], tuple(changed), *genotype[layer + 1 :])

    def point(self, genotype: Genotype) -> Point:
        """Write a trial's assignments, in Katib's form: JSON with ' for "."""
        used = sorted({layer[0] for layer in genotype})
        config = {
            "num_layers": self.layers,
            "input_sizes": list(self.graph.input_sizes),
            "output_sizes": list(self.graph.output_sizes),
            "embedding": {str(number): self.operations[number] for number in used},
        }
        return {
            ARCHITECTURE: quoted([list(layer) for layer in genotype]),
            NN_CONFIG: quoted(config),
        }

    def read(self, point: Point) -> Genotype | None:
        """Read a trial's architecture; None where it is none of this graph."""
        try:
            layers = json.loads(str(point[ARCHITECTURE]).replace("'", '"'))
            genotype = tuple(tuple(int(number) for number in layer) for layer in layers)
        except (KeyError, TypeError, ValueError):
            return None
        fits = len(genotype) == self.layers and all(
            len(layer) == place + 1 and 0 <= layer[0] < len(self.operations)
            for place, layer in enumerate(genotype)
        )
        return genotype if fits else None


def _values(parameter: Parameter) -> Sequence[Value]:
    return [parameter.level(k) for k in range(parameter.levels or 0)]


def quoted(value: object) -> str:
    """Write a value as JSON with ' for ", the form in which Katib hands it to a trial."""
    return json.dumps(value).replace('"', "'")
