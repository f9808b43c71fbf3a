"""Train every architecture of the example's space once: `nas_table.json` beside this file.

python benchmarks/search/nas_table.py
"""

import itertools
import json
import runpy
from collections.abc import Iterator
from pathlib import Path

import yaml
from tunewright.api.compile import problem
from tunewright.api.documents import parse
from tunewright.api.problem import Problem
from tunewright.suggestion.algorithms.nas.genotype import Genotype, Genotypes

ROOT = Path(__file__).parents[2]
TABLE = Path(__file__).with_name("nas_table.json")


def example(name: str, seed: int) -> Problem:
    """Return the problem of an example."""
    text = (ROOT / "examples" / name / "experiment.yaml").read_text(encoding="utf-8")
    return problem(parse(yaml.safe_load(text)), uid=f"{name}-{seed}", seed=seed)


def all_of(genotypes: Genotypes) -> Iterator[Genotype]:
    """Walk through every architecture, in the order of the table."""
    layers = (
        itertools.product(range(len(genotypes.operations)), *[(0, 1)] * layer)
        for layer in range(genotypes.layers)
    )
    return itertools.product(*layers)


def main() -> None:
    graph = example("nas-enas", 0).architecture
    assert graph is not None
    genotypes = Genotypes(graph)
    train = runpy.run_path(str(ROOT / "examples" / "nas-enas" / "train.py"))
    losses = []
    for genotype in all_of(genotypes):
        layers = [(genotypes.operations[number], skips) for number, *skips in genotype]
        losses.append(round(min(loss for loss, _ in train["trained"](layers)), 4))
    TABLE.write_text(json.dumps(losses) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
