"""What a nursery adds to the contract of workers: a life of its own, and what they share."""

import asyncio
import functools
import os
import signal
from pathlib import Path

import pytest
from support.command import start
from support.packages import install
from support.search import Log
from support.waiting import until
from support.workers import by_forks, children, is_gone
from tunewright.api.errors import PluginUnavailable
from tunewright.suggestion import held
from tunewright.suggestion.client import RemoteSuggester
from tunewright.suggestion.held import GREATEST, Experiments
from tunewright.suggestion.interpreter import start_interpreter
from tunewright.suggestion.nursery_process import FIRST
from tunewright.suggestion.plugin.probe import SPACES, problem_of

pytestmark = pytest.mark.needs("linux")

OBSERVER = """
import os

from tunewright.api.history import SearchState, Suggestion
from tunewright.suggestion.algorithm import Algorithm, Fold

IMPORTED_IN = os.getpid()


class Observer(Algorithm):
    name = "observer"
    description = "knows which process has imported it"

    def start(self, problem):
        return Observed()


class Observed(Fold):
    def observe(self, entry):
        pass

    def suggest(self, first_index, count):
        return Suggestion((), SearchState.WAIT, f"{IMPORTED_IN} {os.getpid()}")
"""


def task_of(algorithm, uid="uid-1"):
    return problem_of(SPACES["every kind"], algorithm, uid=uid)


async def asked(suggester, algorithm="tpe"):
    return await suggester.suggest(task_of(algorithm), 0, 1, position=0)


async def searched(suggester, log, algorithm):
    """Search until points are a model's."""
    for index in range(14):
        answer = await suggester.suggest(task_of(algorithm), index, 1, position=log.position)
        log.propose(*answer.proposals)
        log.finish(index, float(index))


def libraries(number):
    """Return the files of compiled code that a process has loaded."""
    lines = Path(f"/proc/{number}/maps").read_text().splitlines()
    return {line.split()[-1] for line in lines if ".so" in line}


def threads(number):
    return len([*Path(f"/proc/{number}/task").iterdir()])


@functools.cache
def second(algorithm):
    """Return what a nursery's second worker has loaded for itself, and the nursery's threads."""

    async def run(forks):
        await asked(forks.suggester(), algorithm)
        [first] = children(forks.nursery_number)
        log = Log()
        await searched(forks.suggester(log.after), log, algorithm)
        [worker] = set(children(forks.nursery_number)) - {first}
        own = libraries(worker) - libraries(forks.nursery_number)
        return own, threads(forks.nursery_number)

    return by_forks(run)


each_search = pytest.mark.parametrize(
    "algorithm",
    [
        pytest.param(name, marks=pytest.mark.xdist_group(f"nursery-{name}"))
        for name in sorted(FIRST.keys() - {"enas"})  # it searches architectures, with numpy alone
    ],
)


@each_search
def test_a_worker_finds_every_library_loaded(algorithm):
    assert second(algorithm)[0] == set()


@each_search
def test_no_thread_runs_where_workers_are_forked(algorithm):
    assert second(algorithm)[1] == 1


def test_a_plug_in_is_imported_in_its_worker_alone(tmp_path, monkeypatch):
    install(tmp_path, "observer", OBSERVER, {"observer": "observer:Observer"})
    monkeypatch.syspath_prepend(tmp_path)

    async def run(forks):
        suggesters = [forks.suggester() for _ in range(2)]
        return [await asked(each, "observer") for each in suggesters]

    for answer in by_forks(run):
        imported_in, worker = answer.note.split()
        assert imported_in == worker


def test_a_nursery_that_was_killed_is_replaced_for_the_next_worker():
    async def run(forks):
        first = await asked(forks.suggester())
        os.kill(forks.nursery_number, signal.SIGKILL)
        await forks.nursery._process.wait()
        return first, await asked(forks.suggester())

    first, then = by_forks(run)
    assert then == first


def test_a_nursery_that_dies_with_a_request_is_told_as_the_death_of_its_worker():
    async def run(forks):
        await asked(forks.suggester())
        os.kill(forks.nursery_number, signal.SIGSTOP)
        asking = asyncio.create_task(asked(forks.suggester()))
        await asyncio.sleep(0)
        os.kill(forks.nursery_number, signal.SIGKILL)
        with pytest.raises(PluginUnavailable, match="was killed by signal 9"):
            await asking

    by_forks(run)


def test_a_worker_outlives_its_nursery():
    async def run(forks):
        suggester = forks.suggester()
        before = await asked(suggester)
        worker = forks.number(suggester)
        os.kill(forks.nursery_number, signal.SIGKILL)
        await forks.nursery._process.wait()
        after = await asked(suggester)
        is_there = not is_gone(worker)
        await suggester.close()
        await asyncio.to_thread(until, lambda: is_gone(worker))
        return before, after, is_there

    before, after, is_there = by_forks(run)
    assert is_there
    assert after == before


def test_how_a_worker_ended_is_not_guessed_when_its_nursery_is_gone():
    """Nor is it waited for: none of those that were forked later could still tell."""

    async def run(forks):
        suggester = forks.suggester()
        await asked(suggester)
        worker = forks.number(suggester)
        await asked(forks.suggester())
        os.kill(forks.nursery_number, signal.SIGKILL)
        await forks.nursery._process.wait()
        os.kill(worker, signal.SIGKILL)
        with pytest.raises(PluginUnavailable, match="tpe ended, and nobody was left to see how"):
            await asked(suggester)

    by_forks(run)


def test_a_worker_is_ended_with_its_suggester_whatever_others_there_are():
    """None of those that were forked later holds its input open."""

    async def run(forks):
        first, later = (forks.suggester() for _ in range(2))
        await asked(first)
        worker = forks.number(first)
        await asked(later)
        os.kill(forks.nursery_number, signal.SIGKILL)  # which would end it, too
        await first.close()
        await asyncio.to_thread(until, lambda: is_gone(worker))

    by_forks(run)


def test_a_nursery_ends_with_its_workers_when_it_is_closed():
    async def run(forks):
        for _ in range(3):
            await asked(forks.suggester())
        family = [forks.nursery_number, *children(forks.nursery_number)]
        await forks.nursery.close()
        return family

    assert all(map(is_gone, by_forks(run)))


def test_no_worker_outlives_a_service_that_is_killed(tmp_path):
    async def ask_both(address):
        for algorithm in ("tpe", "sobol"):
            remote = RemoteSuggester(address, Log().after)
            await remote.suggest(task_of(algorithm, uid=algorithm), 0, 1, position=0)
            await remote.close()

    with start(tmp_path, "serve", "suggestion", "--port", "0", cwd=tmp_path) as service:
        try:
            asyncio.run(ask_both(service.stdout.readline().split()[-1]))
            [nursery] = children(service.pid)
            workers = children(nursery)
        finally:
            service.kill()

    assert len(workers) == 2
    until(lambda: all(map(is_gone, [nursery, *workers])))


def test_the_service_starts_interpreters_where_there_can_be_no_nursery(monkeypatch):
    monkeypatch.setattr(held, "is_possible", lambda: False)
    experiments = Experiments()
    experiments.close()
    assert experiments._start is start_interpreter


def test_of_workers_that_load_their_own_libraries_fewer_are_held():
    experiments = Experiments()
    for number in range(GREATEST):
        with experiments.of(task_of("of a plug-in", uid=str(number)), "v1"):
            pass
    kept = [uid for _, uid in experiments._held]
    experiments.close()
    assert kept == [str(number) for number in range(GREATEST)][-GREATEST // 4 :]
