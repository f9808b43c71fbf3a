"""Seconds to a suggestion of the searches that fit a model, each after a trial that just ended.

The trials before are drawn evenly, and told at once, as after a restart: the first answer is made
from nothing, each later one knows a trial more. scikit-optimize is asked and told the same way, up
to as many trials as it bears.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeAlias

from search.functions import function, rosenbrock
from search.searchers import Skopt
from tunewright.api.history import Entry, Finished, Proposal, Proposed, Verdict
from tunewright.api.states import TrialState
from tunewright.suggestion.plugin.probe import problem_of
from tunewright.suggestion.plugin.problems import Challenge
from tunewright.suggestion.session import Session

DIMENSIONS = (5, 20)
SIZES = (10, 100, 500, 1000, 10_000)
ANSWERS = 5
SKOPT_MOST = 100

Answers: TypeAlias = Callable[[Challenge, int], Iterator[float]]
"""From a problem and the trials before to the seconds of each answer, as many as wanted."""


def ours(algorithm: str) -> Answers:
    def answers(challenge: Challenge, trials: int) -> Iterator[float]:
        session = Session(problem_of(challenge.space, algorithm))
        for index, proposal in enumerate(_drawn(challenge, trials)):
            session.observe(_trial(challenge, index, proposal))
        while True:
            begun = time.perf_counter()
            (proposal,) = session.suggest(trials, 1).proposals
            yield time.perf_counter() - begun
            session.observe(_trial(challenge, trials, proposal))
            trials += 1

    return answers


def skopt(challenge: Challenge, trials: int) -> Iterator[float]:
    searcher = Skopt(challenge.space, seed=1)
    points = [dict(each.point) for each in _drawn(challenge, trials)]
    searcher.known(points, [challenge.loss(point) for point in points])
    while True:
        begun = time.perf_counter()
        (point,) = searcher.ask(1)
        waited = time.perf_counter() - begun
        loss = challenge.loss(point)
        begun = time.perf_counter()
        searcher.tell([loss])  # it fits here
        yield waited + time.perf_counter() - begun


SEARCHES: dict[str, Answers] = {"gp": ours("gp"), "auto": ours("auto"), "scikit-optimize": skopt}


def _drawn(challenge: Challenge, count: int) -> Sequence[Proposal]:
    return Session(problem_of(challenge.space, "random")).suggest(0, count).proposals


def _trial(challenge: Challenge, index: int, proposal: Proposal) -> tuple[Entry, Entry]:
    """Return the log of a trial; those before it have two entries each."""
    proposed = Proposed(2 * index + 1, index, proposal, 2 * index)
    loss = challenge.loss(proposal.point)
    ended = Finished(2 * index + 2, index, TrialState.SUCCEEDED, Verdict.OBSERVED, loss)
    return proposed, ended


def row(name: str, dimensions: int, sizes: Sequence[int]) -> str:
    challenge = function("rosenbrock", rosenbrock, [(-5.0, 10.0)] * dimensions, 0.0)
    cells = []
    for trials in sizes:
        if name == "scikit-optimize" and trials > SKOPT_MOST:
            cells.append("not run")
            continue
        first, *others = islice(SEARCHES[name](challenge, trials), ANSWERS + 1)
        cells.append(f"{statistics.median(others):.2f} ({first:.2f})")
    return f"| {name} | {dimensions} | {' | '.join(cells)} |"


def main(*, quick: bool = False) -> str:
    sizes = SIZES[:2] if quick else SIZES
    head = " | ".join(f"{size:,} trials" for size in sizes)
    about = (
        f"Median of {ANSWERS} answers, each after one more trial, no trial pending; in brackets "
        "the first, made from nothing: the first of all loads the libraries. "
        "The goals of `gp` are 0.3 s at 100 trials, and 1 s at 500."
    )
    return "\n".join(
        [
            about,
            "",
            f"| search | parameters | {head} |",
            "|---|---|" + "---|" * len(sizes),
            *(row(name, count, sizes) for name in SEARCHES for count in DIMENSIONS),
        ]
    )


if __name__ == "__main__":
    print(main())
