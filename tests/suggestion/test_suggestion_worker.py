import asyncio
import os
import signal

import pytest
from support.search import Log, double, problem, whole
from tunewright.api.errors import Invalid, PluginBroken, PluginUnavailable
from tunewright.suggestion.inline import InlineSuggester
from tunewright.suggestion.suggester import open_suggester
from tunewright.suggestion.worker import WorkerSuggester

SPACE = (double("x", -1, 1), whole("n", 1, 9))


async def search(suggester, task, log, trials):
    """Run trials two by two; return the points."""
    for _ in range(trials // 2):
        first = log.trials
        answer = await suggester.suggest(task, first, 2, position=log.position)
        log.propose(*answer.proposals)
        for index in (first, first + 1):
            log.finish(index, value=float(log.trials - index))
    await suggester.close()
    return [entry.proposal.point for entry in log.entries if hasattr(entry, "proposal")]


@pytest.mark.parametrize("kind", [InlineSuggester, WorkerSuggester])
def test_a_search_goes_the_same_way_wherever_it_is_asked(kind):
    async def run(make):
        log = Log()
        return await search(make(log.after), problem(*SPACE, algorithm="random"), log, 6)

    assert asyncio.run(run(kind)) == asyncio.run(run(InlineSuggester))


def test_a_worker_that_was_killed_is_followed_by_one_that_gives_the_same_points():
    async def run():
        log, task = Log(), problem(*SPACE, algorithm="cmaes")
        suggester = WorkerSuggester(log.after)
        log.propose(*(await suggester.suggest(task, 0, 4, position=0)).proposals)
        log.finish(0, 1.0)
        before = await suggester.suggest(task, 4, 2, position=log.position)
        os.kill(suggester._process.pid, signal.SIGKILL)
        with pytest.raises(PluginUnavailable, match=r"signal 9, perhaps for want of memory$"):
            await suggester.suggest(task, 4, 2, position=log.position)
        after = await suggester.suggest(task, 4, 2, position=log.position)
        await suggester.close()
        return before, after

    before, after = asyncio.run(run())
    assert before == after


def test_a_worker_that_cannot_begin_is_given_up_with_its_last_words(tmp_path, monkeypatch):
    (tmp_path / "random.py").write_text("raise ImportError('no random here')")
    monkeypatch.syspath_prepend(tmp_path)

    async def run():
        suggester = WorkerSuggester(Log().after)
        for _ in range(2):
            with pytest.raises(PluginUnavailable, match="ended with status 1"):
                await suggester.suggest(problem(*SPACE), 0, 1, position=0)
        with pytest.raises(PluginBroken, match="ended with status 1: ImportError: no random here"):
            await suggester.suggest(problem(*SPACE), 0, 1, position=0)

    asyncio.run(run())


def test_a_worker_that_is_killed_again_and_again_is_given_up_and_may_be_asked_again(monkeypatch):
    killed = ("sh", "-c", "kill -9 $$")

    async def run():
        suggester = WorkerSuggester(Log().after)
        with monkeypatch.context() as patched:
            patched.setattr("tunewright.suggestion.worker._PROGRAM", killed)
            for _ in range(2):
                with pytest.raises(PluginUnavailable, match="killed by signal 9"):
                    await suggester.suggest(problem(*SPACE), 0, 1, position=0)
            with pytest.raises(PluginBroken, match="for want of memory: give it more, or"):
                await suggester.suggest(problem(*SPACE), 0, 1, position=0)
            with pytest.raises(PluginUnavailable, match="killed by signal 9"):
                await suggester.suggest(problem(*SPACE), 0, 1, position=0)
        answer = await suggester.suggest(problem(*SPACE), 0, 1, position=0)
        await suggester.close()
        return answer.proposals

    assert len(asyncio.run(run())) == 1


def test_a_worker_is_ended_at_its_time_out():
    async def run():
        suggester = WorkerSuggester(Log().after, timeout=0.01)
        with pytest.raises(PluginUnavailable, match=r"took longer than 0\.01 s"):
            await suggester.suggest(problem(*SPACE, algorithm="tpe"), 0, 1, position=0)
        assert suggester._process is None

    asyncio.run(run())


def test_an_answer_is_made_from_the_log_up_to_the_position_and_no_further():
    async def run():
        log, task = Log(), problem(whole("n", 1, 3), algorithm="grid")
        suggester = open_suggester(task, log.after)
        log.propose(*(await suggester.suggest(task, 0, 2, position=0)).proposals)
        early = await suggester.suggest(task, 1, 1, position=1)
        late = await suggester.suggest(task, 2, 1, position=2)
        return early.proposals[0].point, late.proposals[0].point

    assert asyncio.run(run()) == ({"n": 2}, {"n": 3})


def test_an_error_of_the_problem_comes_back_from_the_worker_as_it_is():
    async def run():
        suggester = WorkerSuggester(Log().after)
        task = problem(double("x", 0, 1), algorithm="cmaes")
        try:
            with pytest.raises(Invalid, match="two or more dimensional"):
                await suggester.suggest(task, 0, 1, position=0)
        finally:
            await suggester.close()

    asyncio.run(run())
