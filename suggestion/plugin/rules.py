"""The contract of an algorithm, rule by rule.

Each rule takes a subject, an algorithm's name and a search space that it
accepts, and raises `Broken` where the contract is not kept. Some are kept by
stateless algorithms only: they show trials that it did not propose in this life.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from ...api.history import Proposal, SearchState
from ...api.space import SearchSpace
from .probe import Trials, ask, asking, best, loss_of, problem_of, random_points, search
from .subject import Subject


class Broken(Exception):  # it is what the plug-in is
    """A rule is broken; the text says how."""


Rule: TypeAlias = Callable[[Subject, str, SearchSpace], Awaitable[None]]


async def points_lie_in_the_space(subject: Subject, name: str, space: SearchSpace) -> None:
    """Ranges, steps and lists; trials that failed, were killed, or are pending are borne."""
    for point in await search(subject, problem_of(space, name), 12):
        if not space.contains(point):
            raise Broken(f"{dict(point)} is outside the search space")


async def counts_are_kept(subject: Subject, name: str, space: SearchSpace) -> None:
    """No points for 0, one for 1, and no more than were asked for."""
    trials = Trials()
    async with asking(subject, trials) as suggester:
        for count in (0, 1, 5):
            found = len((await ask(suggester, problem_of(space, name), trials, count)).proposals)
            if found > count:
                raise Broken(f"{found} points for {count}")


async def a_thousand_points_are_given_at_once(
    subject: Subject, name: str, space: SearchSpace
) -> None:
    """As many as the space has, where it has fewer; or fewer, with the reason."""
    size = space.cardinality
    wanted = 1000 if size is None else min(size, 1000)
    trials = Trials()
    async with asking(subject, trials) as suggester:
        suggestion = await ask(suggester, problem_of(space, name, uid="many"), trials, 1000)
    found = len(suggestion.proposals)
    if found > 1000 or (found < wanted and suggestion.state is SearchState.MORE):
        raise Broken(f"{found} points for 1000, of {wanted} that there are, and no reason")


async def it_is_no_worse_than_chance(subject: Subject, name: str, space: SearchSpace) -> None:
    """The better of two searches finds what the worst of ten random ones finds in half as many."""
    rounds = 15
    found = []
    for seed in (1, 2):
        await subject.begin()
        found.append(best(await search(subject, problem_of(space, name, seed=seed), rounds)))
    chance = max(best(random_points(space, seed, rounds)) for seed in range(10))
    if min(found) > chance:
        raise Broken(f"the best loss is {min(found):.3g}; random search finds {chance:.3g}")


async def no_point_comes_twice(subject: Subject, name: str, space: SearchSpace) -> None:
    """A finite space is walked to its end without a repetition, and then said to be done."""
    size = space.cardinality
    if size is None or size > 100:
        return
    problem, trials = problem_of(space, name), Trials()
    async with asking(subject, trials) as suggester:
        for _ in range(size):
            suggestion = await ask(suggester, problem, trials, 1)
            if not suggestion.proposals:
                raise Broken(f"no point after {len(trials.points)} of {size}")
            trials.propose(suggestion.proposals)
            trials.finish(len(trials.points) - 1, loss_of(trials.points[-1]))
        if len({tuple(point.items()) for point in trials.points}) < size:
            raise Broken("a point came twice while others were unseen")
        last = await ask(suggester, problem, trials, 1)
        if last.proposals or last.state is not SearchState.EXHAUSTED:
            raise Broken("a space whose points were all seen is not said to be exhausted")


async def a_batch_is_diverse(subject: Subject, name: str, space: SearchSpace) -> None:
    """Points of one answer differ while the space has enough of them."""
    size = space.cardinality or 8
    problem, trials = problem_of(space, name), Trials()
    async with asking(subject, trials) as suggester:
        for _ in range(2):
            count = min(8, size - len(trials.points))
            suggestion = await ask(suggester, problem, trials, count)
            points = {tuple(proposal.point.items()) for proposal in suggestion.proposals}
            if len(points) < len(suggestion.proposals):
                raise Broken("points of one batch are alike")
            trials.propose(suggestion.proposals)
            for index, point in enumerate(trials.points):
                trials.finish(index, loss_of(point))


async def the_same_history_gives_the_same_points(
    subject: Subject, name: str, space: SearchSpace
) -> None:
    """Two searches of one seed go one way."""
    problem = problem_of(space, name)
    first = await search(subject, problem, 9)
    await subject.restart()
    if first != await search(subject, problem, 9):
        raise Broken("two searches with one seed and one order of events went different ways")


async def a_restart_changes_nothing(subject: Subject, name: str, space: SearchSpace) -> None:
    """A search that is begun anew before every call goes the way of one that never was."""
    problem = problem_of(space, name)
    whole = await search(subject, problem, 9)
    await subject.restart()
    if whole != await search(subject, problem, 9, forgetful=True):
        raise Broken("restarted before every call, the search went another way")


async def a_long_history_is_borne(subject: Subject, name: str, space: SearchSpace) -> None:
    """10,000 trials of random points (100 where the space has few) and one question."""
    size = space.cardinality
    trials = Trials()
    count = 10_000 if size is None or size > 20_000 else size // 2
    trials.propose([Proposal(point) for point in random_points(space, 5, count)])
    for index in range(count):
        trials.finish(index, loss_of(trials.points[index]))
    async with asking(subject, trials, stateless=True) as suggester:
        suggestion = await ask(suggester, problem_of(space, name, uid="long"), trials, 1)
        if not suggestion.proposals and suggestion.state is SearchState.MORE:
            raise Broken("no point and no reason")


RULES: Mapping[str, Rule] = {
    "points lie in the space": points_lie_in_the_space,
    "counts are kept": counts_are_kept,
    "a thousand points are given at once": a_thousand_points_are_given_at_once,
    "it is no worse than chance": it_is_no_worse_than_chance,
    "no point comes twice": no_point_comes_twice,
    "a batch is diverse": a_batch_is_diverse,
    "the same history gives the same points": the_same_history_gives_the_same_points,
    "a restart changes nothing": a_restart_changes_nothing,
    "a long history is borne": a_long_history_is_borne,
}
RESTART_RULES = frozenset({"the same history gives the same points", "a restart changes nothing"})
STATELESS_RULES = RESTART_RULES | {"a long history is borne"}
"""What a stateful algorithm need not keep."""
