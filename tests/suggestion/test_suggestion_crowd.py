"""A crowd of suggesters: workers for those that were asked last, the same points for all."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from support.search import Log, double, problem
from support.waiting import until
from support.workers import by_forks, children
from tunewright.api.history import Proposal
from tunewright.suggestion.crowd import Crowd
from tunewright.suggestion.inline import InlineSuggester

pytestmark = pytest.mark.needs("linux")

SPACE = (double("x", -1, 1), double("y", 0, 1))


def told(number):
    """The log of one experiment among several, in which five trials have ended."""
    log = Log()
    for index in range(5):
        log.propose(Proposal({"x": 0.1 * index, "y": 0.2 * number}))
        log.finish(index, float(index + number))
    return log


async def ask(suggester, number):
    task = problem(*SPACE, algorithm="tpe", seed=number)
    return await suggester.suggest(task, 5, 1, position=told(number).position)


@asynccontextmanager
async def crowd_of(count, workers, *, most):
    """Open one for each experiment, of which `most` may keep a worker."""
    crowd = Crowd(workers.start, most)
    opened = [crowd.open(problem(*SPACE, algorithm="tpe"), told(n).after) for n in range(count)]
    try:
        yield opened
    finally:
        for each in opened:
            await each.close()


def test_of_many_those_asked_last_keep_a_worker_and_all_go_on():
    async def run(workers):
        def few():
            return len(children(workers.nursery_number)) <= 2

        answers = []
        async with crowd_of(4, workers, most=2) as opened:
            for number in (0, 1, 2, 3, 0, 0, 2):
                answers.append((number, await ask(opened[number], number)))
                await asyncio.to_thread(until, few)
        return answers

    for number, answer in by_forks(run):
        alone = InlineSuggester(told(number).after)
        assert answer == asyncio.run(ask(alone, number))


def test_all_that_are_asked_at_once_are_answered():
    async def run(workers):
        async with crowd_of(5, workers, most=1) as opened:
            return await asyncio.gather(*(ask(each, n) for n, each in enumerate(opened)))

    assert [len(answer.proposals) for answer in by_forks(run)] == [1] * 5
