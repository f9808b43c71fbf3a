"""Bad days of an operator: whatever goes away in the middle, the end is the same."""

import asyncio
import contextlib
from dataclasses import replace

import pytest
from support.actors import Fate
from support.apiserver import NEEDED
from support.killing import Killing
from support.operated import Passing, experiment, scene
from tunewright.api.errors import Conflict, StoreUnavailable
from tunewright.controller.kube import resources
from tunewright.controller.kube.resources import EVENTS, EXPERIMENTS
from tunewright.db.sql import open_store

pytestmark = [*NEEDED, pytest.mark.timeout(240)]

TRIALS = 4
AT_ONCE = 4  # scenarios, each in a namespace of its own


async def played(server, folder, last):
    """Kill an operator after its write number `last`; return the end that another one reaches."""
    store = open_store(folder / f"{last}.db")
    try:
        async with scene(server, store) as play:
            killing = Killing(play.kube, last)
            first = play.operate(killing)
            spec = {"seed": 7, "maxTrialCount": TRIALS, "parallelTrialCount": 2}
            await play.create(experiment(**spec))
            was_killed = await killed_or_done(play, first, killing)
            if was_killed:
                play.operate()
            ended = await play.ends(seconds=60)
            return was_killed, ended["status"], await play.trials(), play.jobs.runs
    finally:
        store.close()


async def killed_or_done(play, first, killing):
    async def over():
        return first.done() or await play.state() == "Succeeded"

    play.running.remove(first)
    await play.until(over)
    if not first.done():
        play.running.append(first)
        return False
    await killing.ends(first)
    return True


def test_an_operator_killed_after_any_write_leaves_the_same_end(api_server, tmp_path):
    async def every():
        """Try one number of writes after the other, until one is never reached."""
        outcomes, last, going = [], 0, True
        while going:
            numbers = range(last + 1, last + 1 + AT_ONCE)
            found = await asyncio.gather(*(played(api_server, tmp_path, each) for each in numbers))
            outcomes += found
            last += AT_ONCE
            going = all(was_killed for was_killed, *_ in found)
        return outcomes

    outcomes = asyncio.run(every())
    assert len(outcomes) > 4 * TRIALS  # a trial takes that many writes
    for _, status, trials, runs in outcomes:
        ends = [trial["status"]["conditions"][-1] for trial in trials]
        assert (status["trials"], status["trialsSucceeded"]) == (TRIALS, TRIALS), (status, ends)
        assert [trial["spec"]["index"] for trial in trials] == list(range(TRIALS))
        assert len(set(runs)) == len(runs) == TRIALS, "a trial ran twice"
        assert {attempt for _, attempt in runs} == {1}
    points = {str(points_of(trials)) for _, _, trials, _ in outcomes}
    assert len(points) == 1, "the same seed gave other points"


class Slow(Passing):
    """A cluster on whose way the creation of one trial is held up for ever."""

    def __init__(self, kube, index):
        super().__init__(kube)
        self._index = index
        self.sent = []

    async def create(self, resource, namespace, document, **options):
        if resource == resources.TRIALS and document["spec"]["index"] == self._index:
            self.sent.append(document)
            await asyncio.Event().wait()
        return await self._kube.create(resource, namespace, document, **options)


class Landing(Passing):
    """A cluster on which what another operator had sent lands before this one's own."""

    def __init__(self, kube, late):
        super().__init__(kube)
        self._late = late

    async def create(self, resource, namespace, document, **options):
        name = self._late["metadata"]["name"]
        if resource == resources.TRIALS and document["metadata"]["name"] == name:
            with contextlib.suppress(Conflict):
                await self._kube.create(resource, namespace, self._late)
        return await self._kube.create(resource, namespace, document, **options)


@pytest.mark.parametrize(
    "late",
    [
        pytest.param({}, id="as it is made again"),
        pytest.param({"parameterAssignments": [{"name": "x", "value": "0.75"}]}, id="another"),
    ],
)
def test_a_trial_that_a_killed_operator_had_sent_is_run_as_it_was_sent(within, late):
    async def scenario(play):
        slow = Slow(play.kube, index=1)
        first = play.operate(slow)
        await play.create(experiment(seed=7, maxTrialCount=TRIALS, parallelTrialCount=3))

        async def is_sent():
            return slow.sent

        await play.until(is_sent)
        await play.leave(first)
        sent = slow.sent[0]
        play.operate(Landing(play.kube, {**sent, "spec": {**sent["spec"], **late}}))
        return await play.ends(), await play.trials(), play.jobs.runs, sent

    ended, trials, runs, sent = within(scenario)
    assert ended["status"]["trialsSucceeded"] == ended["status"]["trials"] == TRIALS
    assert [trial["spec"]["index"] for trial in trials] == list(range(TRIALS))
    assert len(set(runs)) == len(runs) == TRIALS
    wanted = {**sent["spec"], **late}["parameterAssignments"]
    assert trials[1]["spec"]["parameterAssignments"] == wanted
    assert losses_of(trials) == [(float(x) - 0.5) ** 2 for x in points_of(trials)]


def losses_of(trials):
    return [float(trial["status"]["observation"]["metrics"][0]["latest"]) for trial in trials]


def test_trials_that_are_made_by_hand_neither_block_nor_burden_an_experiment(within):
    started = []

    async def scenario(play):
        play.operate()
        await play.create(experiment(maxTrialCount=TRIALS, parallelTrialCount=2))
        await play.until(lambda: play.started(2))
        (first, _) = await play.trials()
        for name, changes in BY_HAND.items():
            metadata = {"name": name, **{k: first["metadata"][k] for k in INHERITED}}
            strange = {**first, "metadata": metadata, "spec": {**first["spec"], **changes}}
            await play.kube.create(resources.TRIALS, play.namespace, strange)
        started.append(True)
        return await play.ends()

    ended = within(scenario, lambda point, attempt: Fate(stays=not started))
    assert ended["status"]["trialsSucceeded"] == ended["status"]["trials"] == TRIALS


BY_HAND = {
    "again": {},
    "vast": {"index": 10**12, "position": 10**15},
    "outside": {"index": 2, "parameterAssignments": [{"name": "x", "value": "9.5"}]},
}
INHERITED = ("labels", "ownerReferences")


def test_a_trial_that_katib_s_service_stops_while_no_operator_runs_is_stopped_early(within):
    async def scenario(play):
        first = play.operate()
        await play.create(experiment(maxTrialCount=1, parallelTrialCount=1))

        async def runs():
            return [each for each in await play.trials() if "startTime" in each.get("status", {})]

        (trial,) = await play.until(runs)
        await play.leave(first)
        said = {"type": "EarlyStopped", "status": "True", "reason": "TrialEarlyStopped"}
        conditions = [*trial["status"]["conditions"], {**said, "message": ""}]
        stopped = {**trial, "status": {**trial["status"], "conditions": conditions}}
        await play.kube.replace(resources.TRIALS, play.namespace, stopped, "status")
        play.operate()
        return await play.ends(), await play.trials()

    ended, (trial,) = within(scenario, lambda point, attempt: Fate(stays=True))
    assert ended["status"].get("trialsEarlyStopped") == 1
    assert {"completionTime", "position"} <= trial["status"].keys()


def test_an_edit_that_was_refused_is_mended_under_another_operator(within):
    started = []

    async def scenario(play):
        first = play.operate()
        await play.create(experiment(maxTrialCount=TRIALS, parallelTrialCount=2))
        await play.until(lambda: play.started(2))
        await play.edit(maxDuration="nonsense")
        await play.until(lambda: play.conditions("EditRefused"))
        await play.leave(first)
        play.operate()
        await play.until(lambda: was_read_anew(play))
        started.append(True)
        await play.edit(maxDuration=None)
        return await play.ends()

    ended = within(scenario, lambda point, attempt: Fate(stays=not started))
    assert ended["status"]["trialsSucceeded"] == ended["status"]["trials"] == TRIALS
    assert "EditRefused" not in [each["type"] for each in ended["status"]["conditions"]]


async def was_read_anew(play):
    return [each for each in await play.all(EVENTS) if each["reason"] == "ReconcileError"]


def points_of(trials):
    return [trial["spec"]["parameterAssignments"][0]["value"] for trial in trials]


class Away:
    """An archive that does not answer while `away`."""

    def __init__(self, archive):
        self.archive = archive
        self.away = False

    def __getattr__(self, name):
        async def ask(*arguments):
            if self.away:
                raise StoreUnavailable("the database is away", after=0.1)
            return await getattr(self.archive, name)(*arguments)

        return ask


def test_while_the_database_is_away_nothing_starts_and_the_trials_say_why(within):
    async def scenario(play):
        away = Away(play.parts.archive)
        away.away = True
        play.parts = replace(play.parts, archive=away)
        play.operate()
        await play.create(experiment())
        await play.until(lambda: all_wait_for_the_store(play))
        before = list(play.jobs.runs)
        away.away = False
        return before, await play.ends()

    before, ended = within(scenario)
    assert before == []
    assert ended["status"]["trialsSucceeded"] == 4


async def all_wait_for_the_store(play):
    found = [trial.get("status", {}).get("conditions", [{}]) for trial in await play.trials()]
    return found and all(each[-1].get("reason") == "MetricsServiceUnavailable" for each in found)


class SetClock:
    """A clock that somebody sets by some seconds."""

    def __init__(self, clock):
        self._clock = clock
        self.by = 0.0

    def now(self):
        return self._clock.now() + self.by


def test_a_clock_that_is_set_back_holds_nothing_up(within):
    async def scenario(play):
        clock, away = SetClock(play.parts.clock), Away(play.parts.archive)
        away.away = True
        play.parts = replace(play.parts, archive=away, clock=clock)
        play.operate()
        await play.create(experiment())
        await play.until(lambda: all_wait_for_the_store(play))
        clock.by = -3600.0
        away.away = False
        return await play.ends()

    assert within(scenario)["status"]["trialsSucceeded"] == 4


def test_a_clock_that_is_set_forward_uses_up_no_time_of_an_experiment(within):
    set_forward = []

    async def scenario(play):
        clock = SetClock(play.parts.clock)
        play.parts = replace(play.parts, clock=clock)
        play.operate()
        await play.create(experiment(maxDuration="30m"))

        async def is_running():
            return play.jobs.active

        await play.until(is_running)
        clock.by = 3600.0
        set_forward.append(True)
        return await play.ends()

    status = within(scenario, lambda *_: Fate(stays=not set_forward))["status"]
    assert status["trialsSucceeded"] == 4
    assert status["activeSeconds"] < 60


def test_an_experiment_is_deleted_while_the_database_is_away(within):
    async def scenario(play):
        away = Away(play.parts.archive)
        play.parts = replace(play.parts, archive=away)
        task = play.operate()
        await play.create(experiment())

        async def started():
            return play.jobs.runs

        await play.until(started)
        away.away = True
        await play.kube.delete(EXPERIMENTS, play.namespace, "e")

        async def gone():
            return not await play.all(EXPERIMENTS)

        await play.until(gone)
        return task.done()

    assert within(scenario, lambda point, attempt: Fate(stays=True)) is False


def test_two_operators_at_once_do_nothing_twice(within):
    async def scenario(play):
        play.operate()
        play.operate()
        await play.create(experiment(maxTrialCount=TRIALS, parallelTrialCount=3))
        ended = await play.ends(seconds=60)

        async def both_have_told():  # one may have seen a trial of the other's late
            return (await play.get())["status"].get("trialsSucceeded") == TRIALS

        await play.until(both_have_told)
        return ended, await play.trials(), play.jobs.runs

    ended, trials, runs = within(scenario)
    assert ended["status"]["trials"] == TRIALS
    assert [trial["spec"]["index"] for trial in trials] == list(range(TRIALS))
    assert len(set(runs)) == len(runs) == TRIALS
