"""A worker and its owner: one contract, whichever way the worker's process is started."""

import asyncio
import os
import signal

import pytest
from support.packages import install
from support.search import Log, double, listed, problem, whole
from support.waiting import until
from support.workers import FORMS, is_gone
from tunewright.api.errors import Invalid, PluginBroken, PluginUnavailable
from tunewright.api.space import format_value
from tunewright.suggestion import entry_points
from tunewright.suggestion.inline import InlineSuggester
from tunewright.suggestion.suggester import open_suggester

SPACE = (double("x", -1, 1), whole("n", 1, 9))

either = pytest.mark.parametrize("form", FORMS)


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


@either
@pytest.mark.parametrize("algorithm", ["random", "tpe", "gp", "cmaes"])
def test_a_search_goes_the_same_way_wherever_it_is_asked(form, algorithm):
    task = problem(*SPACE, algorithm=algorithm)

    async def here():
        log = Log()
        return await search(InlineSuggester(log.after), task, log, 14)

    async def there(workers):
        log = Log()
        return await search(workers.suggester(log.after), task, log, 14)

    assert form(there) == asyncio.run(here())


@either
def test_a_worker_that_was_killed_is_followed_by_one_that_gives_the_same_points(form):
    async def run(workers):
        log, task = Log(), problem(*SPACE, algorithm="cmaes")
        suggester = workers.suggester(log.after)
        log.propose(*(await suggester.suggest(task, 0, 4, position=0)).proposals)
        log.finish(0, 1.0)
        before = await suggester.suggest(task, 4, 2, position=log.position)
        os.kill(workers.number(suggester), signal.SIGKILL)
        with pytest.raises(PluginUnavailable, match=r"signal 9, perhaps for lack of memory$"):
            await suggester.suggest(task, 4, 2, position=log.position)
        return before, await suggester.suggest(task, 4, 2, position=log.position)

    before, after = form(run)
    assert before == after


@either
def test_a_worker_that_cannot_begin_is_given_up_with_its_last_words(form, tmp_path, monkeypatch):
    (tmp_path / "random.py").write_text("raise ImportError('no random here')")
    monkeypatch.syspath_prepend(tmp_path)

    async def run(workers):
        suggester = workers.suggester()
        for _ in range(2):
            with pytest.raises(PluginUnavailable, match="ended with status 1"):
                await suggester.suggest(problem(*SPACE), 0, 1, position=0)
        with pytest.raises(PluginBroken, match="ended with status 1: ImportError: no random here"):
            await suggester.suggest(problem(*SPACE), 0, 1, position=0)

    form(run)


@either
def test_a_worker_that_is_killed_again_and_again_is_given_up_and_may_be_asked_again(
    form, monkeypatch
):
    killed = ("sh", "-c", "kill -9 $$")

    async def run(workers):
        suggester = workers.suggester()
        with monkeypatch.context() as patched:
            patched.setattr(workers.program, killed)
            for _ in range(2):
                with pytest.raises(PluginUnavailable, match="killed by signal 9"):
                    await suggester.suggest(problem(*SPACE), 0, 1, position=0)
            with pytest.raises(PluginBroken, match="for lack of memory: give it more, or"):
                await suggester.suggest(problem(*SPACE), 0, 1, position=0)
            with pytest.raises(PluginUnavailable, match="killed by signal 9"):
                await suggester.suggest(problem(*SPACE), 0, 1, position=0)
        answer = await suggester.suggest(problem(*SPACE), 0, 1, position=0)
        return answer.proposals

    assert len(form(run)) == 1


@either
def test_a_worker_that_has_not_begun_is_ended_at_its_time_out(form):
    async def run(workers):
        suggester = workers.suggester(timeout=0.01)
        with pytest.raises(PluginUnavailable, match=r"took longer than 0\.01 s"):
            await suggester.suggest(problem(*SPACE, algorithm="tpe"), 0, 1, position=0)
        assert suggester._process is None

    form(run)


@either
def test_a_worker_that_does_not_answer_is_ended_at_its_time_out(form):
    async def run(workers):
        suggester, task = workers.suggester(), problem(*SPACE)
        await suggester.suggest(task, 0, 1, position=0)
        number = workers.number(suggester)
        os.kill(number, signal.SIGSTOP)
        suggester._timeout = 0.01
        with pytest.raises(PluginUnavailable, match=r"took longer than 0\.01 s"):
            await suggester.suggest(task, 0, 1, position=0)
        await asyncio.to_thread(until, lambda: is_gone(number))

    form(run)


@either
def test_a_worker_is_out_of_reach_of_a_ctrl_c_at_the_terminal(form):
    async def run(workers):
        suggester = workers.suggester()
        await suggester.suggest(problem(*SPACE), 0, 1, position=0)
        number = workers.number(suggester)
        return os.getpgid(number) == number

    assert form(run)


@either
def test_an_error_of_the_problem_comes_back_from_the_worker_as_it_is(form):
    async def run(workers):
        task = problem(double("x", 0, 1), algorithm="cmaes")
        with pytest.raises(Invalid, match="two or more dimensional"):
            await workers.suggester().suggest(task, 0, 1, position=0)

    form(run)


def test_an_answer_is_made_from_the_log_up_to_the_position_and_no_further():
    async def run():
        log, task = Log(), problem(whole("n", 1, 3), algorithm="grid")
        suggester = open_suggester(task, log.after)
        log.propose(*(await suggester.suggest(task, 0, 2, position=0)).proposals)
        early = await suggester.suggest(task, 1, 1, position=1)
        late = await suggester.suggest(task, 2, 1, position=2)
        return early.proposals[0].point, late.proposals[0].point

    assert asyncio.run(run()) == ({"n": 2}, {"n": 3})


NUMBERS = """
import numpy as np
from tunewright.api.history import Proposal, Suggestion
from tunewright.suggestion.algorithm import Algorithm, Fold

class Drawn(Fold):
    def observe(self, entry):
        pass

    def suggest(self, first_index, count):
        if first_index:
            return self.nothing
        point = {"x": np.float32(0.25), "n": np.int64(3), "o": np.str_("a")}
        return Suggestion([Proposal(point)])

class Numpy(Algorithm):
    name = "numpy"
    description = "draws with numpy"

    def start(self, problem):
        return Drawn()

class Quick(Numpy):
    is_quick = True

class Unsure(Numpy):
    def validate(self, problem):
        return problem.nothing

class Rounded(Drawn):
    def suggest(self, first_index, count):
        return Suggestion([Proposal({"x": 0.25, "n": np.round(3.2), "o": "a"})])

class Rounding(Quick):
    def start(self, problem):
        return Rounded()
"""


@pytest.fixture
def numpy_plugin(tmp_path, monkeypatch):
    install(
        tmp_path,
        "drawn",
        NUMBERS,
        {each.lower(): f"drawn:{each}" for each in ("Numpy", "Quick", "Unsure", "Rounding")},
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(entry_points, "entries", entry_points.entries.__wrapped__)


def ask(algorithm, first_index):
    """Ask an algorithm for a point, wherever it is asked."""
    task = problem(*SPACE, listed("o", "a", "b"), algorithm=algorithm)

    async def run():
        suggester = open_suggester(task, Log().after)
        try:
            return await suggester.suggest(task, first_index, 1, position=0)
        finally:
            await suggester.close()

    return asyncio.run(run())


@pytest.mark.usefixtures("numpy_plugin")
@pytest.mark.parametrize("algorithm", ["numpy", "quick"])
def test_the_numbers_of_a_plugin_s_library_become_python_s(algorithm):
    (proposal,) = ask(algorithm, 0).proposals
    assert [type(value) for value in proposal.point.values()] == [float, int, str]


@pytest.mark.usefixtures("numpy_plugin")
def test_a_rounded_number_of_a_plugin_is_a_whole_one_where_the_parameter_is_whole():
    """A program that takes whole numbers refuses `--n=3.0`."""
    (proposal,) = ask("rounding", 0).proposals
    assert format_value(proposal.point["n"]) == "3"


@pytest.mark.usefixtures("numpy_plugin")
@pytest.mark.parametrize("algorithm", ["numpy", "quick"])
def test_what_a_plugin_raises_is_its_own_failure_and_says_where(algorithm):
    said = rf"{algorithm} fails: AttributeError: .*nothing.* \(drawn.py, line 12\)$"
    with pytest.raises(PluginBroken, match=said):
        ask(algorithm, 1)


@pytest.mark.usefixtures("numpy_plugin")
def test_a_plugin_that_cannot_check_an_experiment_refuses_it():
    with pytest.raises(Invalid, match=r"unsure cannot say .* validate\(\) fails: AttributeError"):
        ask("unsure", 0)
