"""The contract of an algorithm, rule by rule.

Each rule takes a subject, an algorithm's name and a search space that it
accepts, and raises `Broken` where the contract is not kept. Some are kept by
stateless algorithms only: they show trials that it did not propose in this life.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from ...api.errors import TunewrightError
from ...api.history import Proposal, SearchState, Suggestion
from ...api.problem import Problem
from ...api.space import SearchSpace
from .probe import (
    BY_TWOS,
    Trials,
    asking,
    best,
    demand,
    loss_of,
    nothing,
    problem_of,
    random_points,
    search,
)
from .question import Broken, Judge, Question, answer
from .subject import Subject

Rule: TypeAlias = Callable[[Subject, str, SearchSpace], Awaitable[None]]


async def points_lie_in_the_space(subject: Subject, name: str, space: SearchSpace) -> None:
    """Ranges, steps and lists; trials that failed, were killed, or are pending are borne."""

    def judge(question: Question, suggestion: Suggestion) -> str | None:
        inside = question.problem.space.contains
        strays = (each.point for each in suggestion.proposals if not inside(each.point))
        return next((f"{dict(point)} is outside the search space" for point in strays), None)

    await search(subject, problem_of(space, name), 12, judge)


async def counts_are_kept(subject: Subject, name: str, space: SearchSpace) -> None:
    """No points for 0, one for 1, and no more than were asked for."""

    def judge(question: Question, suggestion: Suggestion) -> str | None:
        found = len(suggestion.proposals)
        return f"{found} points for {question.count}" if found > question.count else None

    trials = Trials()
    async with asking(subject, trials) as suggester:
        for count in (0, 1, 5):
            await demand(suggester, problem_of(space, name), trials, count, judge)


async def a_thousand_points_are_given_at_once(
    subject: Subject, name: str, space: SearchSpace
) -> None:
    """As many as the space has, where it has fewer; or fewer, with the reason."""
    size = space.cardinality
    wanted = 1000 if size is None else min(size, 1000)

    def judge(_question: Question, suggestion: Suggestion) -> str | None:
        found = len(suggestion.proposals)
        if found <= 1000 and (found >= wanted or suggestion.state is not SearchState.MORE):
            return None
        return f"{found} points for 1000, of {wanted} that there are, and no reason"

    trials = Trials()
    async with asking(subject, trials) as suggester:
        await demand(suggester, problem_of(space, name, uid="many"), trials, 1000, judge)


async def it_is_no_worse_than_chance(subject: Subject, name: str, space: SearchSpace) -> None:
    """The better of two searches finds what the worst of ten random ones finds in half as many."""
    rounds = 15
    chance = max(best(random_points(space, seed, rounds)) for seed in range(10))
    found = []
    for seed in (1, 2):
        await subject.begin()
        trials = await search(subject, problem_of(space, name, seed=seed), rounds, nothing)
        found.append(best(trials.points))
        if found[-1] <= chance:
            return
    raise Broken(f"the best loss is {min(found):.3g}; random search finds {chance:.3g}")


async def no_point_comes_twice(subject: Subject, name: str, space: SearchSpace) -> None:
    """A finite space is walked to its end without a repetition, and then said to be done.

    Not by those that repeat points on purpose, and say why.
    """
    size = space.cardinality
    if size is None or size > 100 or await subject.repeats(name):
        return
    problem, trials = problem_of(space, name), Trials()
    async with asking(subject, trials) as suggester:
        for _ in range(size + 1):
            suggestion = await demand(suggester, problem, trials, 1, _unseen(size))
            trials.propose(suggestion.proposals)
            if suggestion.proposals:
                trials.finish(len(trials.points) - 1, loss_of(trials.points[-1]))


def _unseen(size: int) -> Judge:
    def judge(question: Question, suggestion: Suggestion) -> str | None:
        seen = {tuple(point.items()) for point in question.points}
        if len(seen) == size:
            done = not suggestion.proposals and suggestion.state is SearchState.EXHAUSTED
            return None if done else "a space whose points were all seen is not exhausted"
        if not suggestion.proposals:
            return f"no point after {len(seen)} of {size}"
        again = (
            point for each in suggestion.proposals if tuple((point := each.point).items()) in seen
        )
        return next((f"{dict(point)} came twice while others were unseen" for point in again), None)

    return judge


async def a_batch_is_diverse(subject: Subject, name: str, space: SearchSpace) -> None:
    """Points of one answer differ while the space has enough of them."""

    def judge(_question: Question, suggestion: Suggestion) -> str | None:
        points = {tuple(proposal.point.items()) for proposal in suggestion.proposals}
        return "points of one batch are alike" if len(points) < len(suggestion.proposals) else None

    size = space.cardinality or 8
    problem, trials = problem_of(space, name), Trials()
    async with asking(subject, trials) as suggester:
        for _ in range(2):
            count = min(8, size - len(trials.points))
            suggestion = await demand(suggester, problem, trials, count, judge)
            first = len(trials.points)
            trials.propose(suggestion.proposals)
            for index in range(first, len(trials.points)):
                trials.finish(index, loss_of(trials.points[index]))


async def the_same_history_gives_the_same_points(
    subject: Subject, name: str, space: SearchSpace
) -> None:
    """Two searches of one seed go one way."""
    problem = problem_of(space, name)
    first = await search(subject, problem, 9, nothing)
    await subject.restart()
    second = await search(subject, problem, 9, nothing)
    text = "two searches with one seed and one order of events went different ways"
    _compare(first, second, problem, text, from_start=False)


async def a_restart_changes_nothing(subject: Subject, name: str, space: SearchSpace) -> None:
    """A search that is begun anew again and again goes the way of one that never was."""
    problem = problem_of(space, name)
    whole = await search(subject, problem, 9, nothing)
    await subject.restart()
    restarted = await search(subject, problem, 9, nothing, forgetful=True)
    text = "restarted again and again, the search went another way"
    _compare(whole, restarted, problem, text, from_start=True)


def _compare(one: Trials, other: Trials, problem: Problem, text: str, *, from_start: bool) -> None:
    """Demand that two searches went one way."""
    if one.points == other.points:
        return

    async def check(subject: Subject, question: Question) -> str | None:
        try:
            first = await answer(subject, question, from_start=from_start)
            await subject.restart()
            second = await answer(subject, question)
        except TunewrightError as error:
            return str(error)
        return None if first.proposals == second.proposals else text

    raise Broken(text, _parting(one, other, problem), check)


def _parting(one: Trials, other: Trials, problem: Problem) -> Question:
    """Return the question at which two searches parted."""
    pairs = enumerate(zip(one.points, other.points, strict=False))
    index = next((place for place, (a, b) in pairs if a != b), None)
    if index is None:  # one of them stopped early
        longer = max(one, other, key=lambda trials: len(trials.points))
        index = min(len(one.points), len(other.points))
        return longer.question_of(index, problem, BY_TWOS)
    return one.question_of(index, problem, BY_TWOS)


async def a_long_history_is_borne(subject: Subject, name: str, space: SearchSpace) -> None:
    """10,000 trials of random points (100 where the space has few) and one question."""
    size = space.cardinality
    trials = Trials()
    count = 10_000 if size is None or size > 20_000 else size // 2
    trials.propose([Proposal(point) for point in random_points(space, 5, count)])
    for index in range(count):
        trials.finish(index, loss_of(trials.points[index]))

    def judge(_question: Question, suggestion: Suggestion) -> str | None:
        silent = not suggestion.proposals and suggestion.state is SearchState.MORE
        return "no point and no reason" if silent else None

    async with asking(subject, trials, stateless=True) as suggester:
        await demand(suggester, problem_of(space, name, uid="long"), trials, 1, judge)


RULES: Mapping[str, Rule] = {
    "points are in the space": points_lie_in_the_space,
    "counts are kept": counts_are_kept,
    "a thousand points are given at once": a_thousand_points_are_given_at_once,
    "it is no worse than chance": it_is_no_worse_than_chance,
    "no point comes twice": no_point_comes_twice,
    "a batch is diverse": a_batch_is_diverse,
    "the same history gives the same points": the_same_history_gives_the_same_points,
    "a restart changes nothing": a_restart_changes_nothing,
    "a long history is handled": a_long_history_is_borne,
}
ONE_SPACE_RULES = frozenset({"a long history is handled"})
"""What is about numbers of trials, not about spaces."""
RESTART_RULES = frozenset({"the same history gives the same points", "a restart changes nothing"})
STATELESS_RULES = RESTART_RULES | {"a long history is handled"}
"""What a stateful algorithm need not keep."""
