"""How well an algorithm searches, beside others: simple regret on problems with a known optimum."""

import statistics
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from .probe import Trials, problem_of
from .problems import Challenge
from .subject import Subject


@dataclass(frozen=True, slots=True)
class Contender:
    """An algorithm by name, and where it is asked."""

    label: str
    algorithm: str
    subject: Subject


@dataclass(frozen=True, slots=True)
class Result:
    """What a contender's searches of one problem came to, one a seed.

    `regrets` are the best losses above the optimum; `seconds` is the median of
    the waits for a suggestion.
    """

    challenge: str
    contender: str
    regrets: tuple[float, ...]
    seconds: float

    @property
    def regret(self) -> float:
        return statistics.median(self.regrets)

    @property
    def spread(self) -> tuple[float, float]:
        """The first and the third quartile of the regrets."""
        if len(self.regrets) < 2:
            return self.regret, self.regret
        low, _, high = statistics.quantiles(self.regrets, n=4, method="inclusive")
        return low, high


async def measure(
    contenders: Sequence[Contender],
    challenges: Sequence[Challenge],
    *,
    trials: int,
    parallel: int,
    seeds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> AsyncIterator[Result]:
    """Let every contender search every problem, and yield each result when it is there."""
    for challenge in challenges:
        for contender in contenders:
            found = [
                await _search(contender, challenge, seed, (trials, parallel), clock)
                for seed in range(1, seeds + 1)
            ]
            waits = [wait for _, each in found for wait in each]
            yield Result(
                challenge.name,
                contender.label,
                tuple(regret for regret, _ in found),
                statistics.median(waits),
            )


async def _search(
    contender: Contender,
    challenge: Challenge,
    seed: int,
    budget: tuple[int, int],
    clock: Callable[[], float],
) -> tuple[float, list[float]]:
    """Search once with so many trials, so many at a time; return the regret and the waits."""
    count, parallel = budget
    await contender.subject.begin()
    uid = f"bench-{contender.algorithm}-{challenge.name}-{seed}"
    problem = problem_of(challenge.space, contender.algorithm, seed=seed, uid=uid)
    trials, waits = Trials(), []
    suggester = contender.subject.open(trials.after, stateless=False)
    try:
        while len(trials.points) < count:
            first = len(trials.points)
            wanted = min(parallel, count - first)
            begun = clock()
            suggestion = await suggester.suggest(
                problem, first, wanted, position=len(trials.entries)
            )
            waits.append(clock() - begun)
            if not suggestion.proposals:
                break
            trials.propose(suggestion.proposals)
            for index in range(first, len(trials.points)):
                trials.finish(index, challenge.loss(trials.points[index]))
    finally:
        await suggester.close()
    best = min(map(challenge.loss, trials.points))
    return best - challenge.optimum, waits


def mean_ranks(results: Sequence[Result]) -> dict[str, float]:
    """Return each contender's place among all, 1 is best, as the mean over the problems."""
    ranks: dict[str, list[float]] = {}
    for name in dict.fromkeys(result.challenge for result in results):
        rivals = [result for result in results if result.challenge == name]
        for result in rivals:
            better = sum(other.regret < result.regret for other in rivals)
            alike = sum(other.regret == result.regret for other in rivals)
            ranks.setdefault(result.contender, []).append(better + (alike + 1) / 2)
    return {contender: statistics.fmean(places) for contender, places in ranks.items()}
