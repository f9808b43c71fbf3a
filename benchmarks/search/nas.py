"""What the searches of architectures find in 100 trials, against random ones and against chance.

Every network of the example's space was trained once (`nas_table.py`), so that a search
over the table is what a search that trains would be. With the rewards shuffled nothing
can be learned, and nobody may be better than random.
"""

import json
import random
import statistics
from collections.abc import Mapping
from dataclasses import replace

from search.nas_table import TABLE, all_of, example
from tunewright.api.history import Entry, Finished, Proposed, Verdict
from tunewright.api.problem import Problem
from tunewright.api.states import TrialState
from tunewright.suggestion import registry
from tunewright.suggestion.algorithms.nas.genotype import Genotype, Genotypes

TRIALS, SEEDS = 100, 10
RIVALS = {"enas": "nas-enas", "nas-evolution": "nas-evolution"}  # and the examples they are of
SHUFFLED_LOSSES = 1  # the seed of the shuffle
TEST = "p is of a one-sided Mann-Whitney test against nas-random"


def problem(name: str, seed: int) -> Problem:
    """Return an example's problem; chance is ours, not the file's."""
    found = example(RIVALS.get(name, "nas-enas"), seed)
    settings = {key: text for key, text in found.settings.items() if key != "random_state"}
    settings = {} if name == "nas-random" else settings
    return replace(found, algorithm=name, settings=settings)


def losses_of(genotypes: Genotypes, *, shuffled: bool) -> Mapping[Genotype, float]:
    losses = json.loads(TABLE.read_text(encoding="utf-8"))
    if shuffled:
        random.Random(SHUFFLED_LOSSES).shuffle(losses)
    return dict(zip(all_of(genotypes), losses, strict=True))


def searched(name: str, seed: int, trials: int, *, shuffled: bool) -> list[float]:
    """Return the loss of each trial of a search, one at a time."""
    task = problem(name, seed)
    assert task.architecture is not None
    genotypes = Genotypes(task.architecture)
    table, fold = losses_of(genotypes, shuffled=shuffled), registry.start(task)
    found: list[float] = []
    for index in range(trials):
        (proposal,) = fold.suggest(index, 1).proposals
        genotype = genotypes.read(proposal.point)
        assert genotype is not None
        found.append(table[genotype])
        at = 2 * index
        entries: list[Entry] = [
            Proposed(at + 1, index, proposal, at),
            Finished(at + 2, index, TrialState.SUCCEEDED, Verdict.OBSERVED, found[-1]),
        ]
        for entry in entries:
            fold.observe(entry)
    return found


def main(*, quick: bool) -> str:
    seeds, trials = (3, 30) if quick else (SEEDS, TRIALS)
    lines = [
        f"Loss on digits in {trials} trials, medians of {seeds} seeds (least to greatest); {TEST}.",
        "",
        "| rewards | algorithm | best loss | p | mean loss of the later half | p |",
        "|---|---|---|---|---|---|",
    ]
    for shuffled in (False, True):
        runs = {
            name: [searched(name, seed, trials, shuffled=shuffled) for seed in range(seeds)]
            for name in ("nas-random", *RIVALS)
        }
        for name in runs:
            best = _compared([[min(run) for run in runs[each]] for each in (name, "nas-random")])
            late = _compared(
                [
                    [statistics.mean(run[trials // 2 :]) for run in runs[each]]
                    for each in (name, "nas-random")
                ]
            )
            kind = "shuffled" if shuffled else "as trained"
            lines.append(f"| {kind} | {name} | {best} | {late} |")
    return "\n".join(lines)


def _compared(pair: list[list[float]]) -> str:
    """Write a sample and how likely chance alone makes it as low against the other."""
    from scipy.stats import mannwhitneyu

    ours, theirs = pair
    spread = f"{statistics.median(ours):.4f} ({min(ours):.4f} to {max(ours):.4f})"
    if ours == theirs:
        return f"{spread} | "
    return f"{spread} | {mannwhitneyu(ours, theirs, alternative='less').pvalue:.4f}"
