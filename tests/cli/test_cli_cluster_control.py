"""Changing a cluster's experiments: by edits of their spec, and by wishes for the operator."""

import asyncio
import time
from dataclasses import replace

import pytest
from support.actors import Fate
from support.apiserver import NEEDED
from support.operated import experiment
from tunewright.api.errors import NotFound
from tunewright.api.identity import ExperimentKey
from tunewright.controller.edits import NOTE
from tunewright.controller.kube.labels import WISHES
from tunewright.controller.kube.resources import EXPERIMENTS
from tunewright.controller.kube.session import Context, connect
from tunewright.sdk.sources.there import There

pytestmark = NEEDED


def waiting(point, attempt):
    return Fate(stays=True)


async def started(play):
    return len(play.jobs.active) == 2


async def stopped(play):
    return not play.jobs.active


def wishes(document):
    return (document["metadata"].get("annotations") or {}).get(WISHES)


def test_a_pause_starts_nothing_more_and_resume_goes_on(on_cluster):
    gate = {"stays": True}

    async def scenario(play, tunewright):
        await play.create(experiment())
        await play.until(lambda: started(play))
        paused = await tunewright("pause", "e")
        gate["stays"] = False
        suspended = (await play.get())["spec"]["suspend"]
        resumed = await tunewright("resume", "e")
        return paused, suspended, resumed, await play.ends()

    paused, suspended, resumed, ended = on_cluster(scenario, lambda *_: Fate(**gate))
    assert (paused.code, resumed.code) == (0, 0), paused.err + resumed.err
    assert suspended is True
    assert "e Succeeded after" in resumed.out
    assert ended["status"]["trialsSucceeded"] == 4


def test_a_pause_at_once_stops_what_runs(on_cluster):
    async def scenario(play, tunewright):
        await play.create(experiment())
        await play.until(lambda: started(play))
        paused = await tunewright("pause", "e", "--now")
        await play.until(lambda: stopped(play))
        return paused, await play.get()

    paused, document = on_cluster(scenario, waiting)
    assert paused.code == 0, paused.err
    assert (document["spec"]["suspend"], wishes(document)) == (True, None)


def test_a_stop_ends_the_experiment_and_its_wish_is_struck_off(on_cluster):
    async def scenario(play, tunewright):
        await play.create(experiment())
        await play.until(lambda: started(play))
        asked = await tunewright("stop", "e")
        ended = await play.ends()

        async def struck_off():
            return wishes(await play.get()) is None

        await play.until(struck_off)
        return asked, ended, await tunewright("stop", "e")

    asked, ended, again = on_cluster(scenario, waiting)
    assert asked.code == 0, asked.err
    assert ended["status"]["conditions"][-1]["reason"] == "ExperimentStopped"
    assert ended["status"]["trialsKilled"] == 2
    assert "has ended already" in again.err


def test_a_trial_is_stopped_and_the_others_go_on(on_cluster):
    async def scenario(play, tunewright):
        await play.create(experiment(maxTrialCount=2))
        await play.until(lambda: started(play))
        asked = await tunewright("trials", "stop", "e", "0")

        async def killed():
            return (await play.get())["status"].get("trialsKilled")

        await play.until(killed)
        return asked, await play.state()

    asked, state = on_cluster(scenario, waiting)
    assert (asked.code, state) == (0, "Running"), asked.err


def test_a_refused_wish_is_an_error_that_says_why(on_cluster):
    async def scenario(play, tunewright):
        await play.create(experiment())
        await play.ends()
        refused = await tunewright("trials", "stop", "e", "0")
        return refused, await play.get()

    refused, document = on_cluster(scenario)
    assert (refused.code, "the trial has ended already" in refused.err) == (2, True)
    assert wishes(document) is None


class Slow:
    """A clock that is some minutes behind."""

    def now(self):
        return time.time() - 300.0


def test_a_refusal_is_heard_of_an_operator_whose_clock_is_slow(on_cluster):
    async def scenario(play, tunewright):
        await play.leave(play.running[-1])
        play.parts = replace(play.parts, clock=Slow())
        play.operate()
        await play.create(experiment())
        await play.ends()
        return [await tunewright("trials", "stop", "e", "0") for _ in range(2)]

    assert [refused.code for refused in on_cluster(scenario)] == [2, 2]


def test_a_dropped_trial_leaves_the_best_of_an_experiment_that_has_ended(on_cluster):
    async def scenario(play, tunewright):
        await play.create(experiment())
        before = (await play.ends())["status"]["currentOptimalTrial"]["bestTrialName"]
        await tunewright("trials", "drop", "e", "best")

        async def another():
            now = (await play.get())["status"]["currentOptimalTrial"]["bestTrialName"]
            return now != before

        await play.until(another)
        return before, (await tunewright("best", "e", "-o", "json")).json["name"]

    before, after = on_cluster(scenario)
    assert before != after


def test_a_point_of_ones_own_runs_once(on_cluster):
    async def scenario(play, tunewright):
        await play.create(experiment(parallelTrialCount=1, suspend=True))
        asked = await tunewright("trials", "add", "e", "x=0.5")
        await play.edit(suspend=False)
        await play.ends()
        return asked, await play.trials()

    asked, trials = on_cluster(scenario)
    assert asked.code == 0, asked.err
    assert [trial["spec"].get("origin") for trial in trials].count("user") == 1


def test_a_raised_budget_goes_on_by_itself(on_cluster):
    async def scenario(play, tunewright):
        await play.create(experiment())
        await play.ends()
        await tunewright("edit", "e", "--trials", "6")

        async def more():
            return (await play.get())["status"].get("trialsSucceeded") == 6

        await play.until(more)
        return await play.get()

    assert on_cluster(scenario)["spec"]["maxTrialCount"] == 6


def test_labels_and_a_note_stand_in_the_metadata(on_cluster):
    async def scenario(play, tunewright):
        await play.create(experiment(suspend=True))
        words = ("--label", "team=vision", "--label", "kind=try", "--note", "no dropout")
        await tunewright("edit", "e", *words)
        await tunewright("edit", "e", "--label", "kind-", "--trials", "5")
        return await play.get(), await tunewright("get", "-l", "team=vision", "-o", "json")

    document, found = on_cluster(scenario)
    metadata = document["metadata"]
    assert metadata["labels"] == {"team": "vision"}
    assert metadata["annotations"]["tunewright.dev/note"] == "no dropout"
    assert document["spec"]["maxTrialCount"] == 5
    assert [each["note"] for each in found.json] == ["no dropout"]


def test_less_at_once_stops_the_newest_when_it_is_asked_for(on_cluster):
    async def scenario(play, tunewright):
        await play.create(experiment())
        await play.until(lambda: started(play))
        asked = await tunewright("edit", "e", "--parallel", "1", "--now")

        async def one():
            return len(play.jobs.active) == 1

        await play.until(one)
        return asked, await play.get()

    asked, document = on_cluster(scenario, waiting)
    assert asked.code == 0, asked.err
    assert (document["spec"]["parallelTrialCount"], wishes(document)) == (1, None)


def test_an_edit_that_is_wrong_is_refused_before_it_is_sent(on_cluster):
    async def scenario(play, tunewright):
        await play.create(experiment(suspend=True))
        return await tunewright("edit", "e", "--trials", "-1"), await play.get()

    refused, document = on_cluster(scenario)
    assert (refused.code, document["spec"]["maxTrialCount"]) == (2, 4)


def test_a_deleted_experiment_is_gone_while_it_runs(on_cluster):
    async def scenario(play, tunewright):
        await play.create(experiment())
        await play.until(lambda: started(play))
        deleted = await tunewright("delete", "e", "--yes")
        return deleted, await play.all(EXPERIMENTS)

    deleted, left = on_cluster(scenario, waiting)
    assert (deleted.code, left) == (0, [])


def test_what_was_asked_of_an_experiment_is_not_done_to_its_namesake(on_cluster, api_server):
    def change(there, record):
        changes = [
            lambda: there.stop(record),
            lambda: there.edit(record, {"maxTrialCount": 9}, now=False),
            lambda: there.edit(record, {NOTE: "mine"}, now=False),
        ]
        for each in changes:
            with pytest.raises(NotFound, match="created again"):
                each()

    async def scenario(play, tunewright):
        await play.create(experiment(suspend=True))
        there = There(connect(Context(kubeconfig=str(api_server.kubeconfig))), play.namespace)
        key = ExperimentKey(play.namespace, "e")
        record = await asyncio.to_thread(there.records.experiment, key)
        await play.kube.delete(EXPERIMENTS, play.namespace, "e")
        await play.create(experiment(suspend=True))
        await asyncio.to_thread(change, there, record)
        return await play.get()

    found = on_cluster(scenario)
    assert (wishes(found), found["spec"]["maxTrialCount"]) == (None, 4)
