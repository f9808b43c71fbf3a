"""Searches with two objectives: how much of what the best front covers is covered.

`PYTHONPATH=.types:benchmarks python -m search.hypervolume --seeds 3` prints the table, of problems
that are held out; with `--tuning` of those that may be tuned on.
"""

import argparse
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from search.fronts import Pair, TwoObjectives
from search.problems import FRONTS
from search.spread import spread
from tunewright.api.history import Finished, Proposed, Verdict
from tunewright.api.objective import Direction, Further, Metric, Strategy
from tunewright.api.states import TrialState
from tunewright.suggestion import registry
from tunewright.suggestion.plugin.probe import problem_of

TRIALS = 100
_SECOND = Metric("second", Strategy.MIN)

Search: TypeAlias = Callable[[TwoObjectives, int], Sequence[Pair]]
"""From a problem and a seed to the losses of the trials, one after the other."""


def ours(algorithm: str) -> Search:
    def search(challenge: TwoObjectives, seed: int) -> Sequence[Pair]:
        problem = problem_of(challenge.space, algorithm, seed=seed)
        further = (Further(_SECOND, Direction.MINIMIZE),)
        fold = registry.start(
            replace(problem, objective=replace(problem.objective, further=further))
        )
        found = []
        for index in range(TRIALS):
            (proposal,) = fold.suggest(index, 1).proposals
            fold.observe(Proposed(2 * index + 1, index, proposal, 2 * index))
            first, second = challenge.losses(proposal.point)
            values = ((_SECOND.name, second),)
            fold.observe(
                Finished(
                    2 * index + 2, index, TrialState.SUCCEEDED, Verdict.OBSERVED, first, values
                )
            )
            found.append((first, second))
        return found

    return search


def optuna(sampler: str) -> Search:
    def search(challenge: TwoObjectives, seed: int) -> Sequence[Pair]:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(
            directions=["minimize"] * 2, sampler=getattr(optuna.samplers, sampler)(seed=seed)
        )
        found = []
        for _ in range(TRIALS):
            trial = study.ask()
            point = {
                each.name: trial.suggest_float(each.name, float(each.low), float(each.high))
                for each in challenge.space.parameters
            }
            losses = challenge.losses(point)
            study.tell(trial, losses)
            found.append(losses)
        return found

    return search


SEARCHES: Mapping[str, Search] = {
    **{name: ours(name) for name in ("auto", "gp", "tpe", "multivariate-tpe", "nsga2", "random")},
    "optuna tpe": optuna("TPESampler"),
    "optuna nsga2": optuna("NSGAIISampler"),
}


def missing(challenge: TwoObjectives, found: Sequence[Pair]) -> float:
    """Return the share of the best front's hypervolume that was not found, 0 to 1."""
    best = covered(challenge.best(), challenge.reference)
    return max(0.0, 1 - covered(found, challenge.reference) / best)


def covered(losses: Sequence[Pair], reference: Pair) -> float:
    """Return the area between two losses and a reference: by the first, in strips of the second."""
    area, ceiling = 0.0, reference[1]
    for first, second in sorted(losses):
        if first < reference[0] and second < ceiling:
            area += (reference[0] - first) * (ceiling - second)
            ceiling = second
    return area


def report(challenges: Sequence[TwoObjectives], seeds: int) -> str:
    """Return the table, those who miss least first."""
    shares = {
        name: {
            each.name: [missing(each, search(each, seed)) for seed in range(1, seeds + 1)]
            for each in challenges
        }
        for name, search in SEARCHES.items()
    }
    lines = [
        f"| | {' | '.join(each.name for each in challenges)} |",
        "|---|" + "---|" * len(challenges),
    ]
    for name in sorted(shares, key=lambda name: _mean(shares[name])):
        cells = [spread(shares[name][each.name], ".0%") for each in challenges]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _mean(by_problem: Mapping[str, Sequence[float]]) -> float:
    return statistics.fmean(statistics.median(each) for each in by_problem.values())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--tuning", action="store_true", help="problems that may be tuned on")
    asked = parser.parse_args()
    print(report(FRONTS["tuning" if asked.tuning else "held out"], asked.seeds))
