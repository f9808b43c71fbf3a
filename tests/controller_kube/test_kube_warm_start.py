"""`spec.warmStartFrom` on a cluster, by a real API server."""

from support.apiserver import NEEDED
from support.killing import Killing
from support.operated import experiment
from tunewright.api.history import WARM_START
from tunewright.controller.kube.resources import EXPERIMENTS
from tunewright.controller.warm_start import LABEL

pytestmark = NEEDED

FROM = {"warmStartFrom": [{"name": "before"}]}


def of(trials, name):
    return [trial for trial in trials if trial["metadata"]["name"].startswith(f"{name}-")]


def point(trial):
    return {each["name"]: each["value"] for each in trial["spec"]["parameterAssignments"]}


def test_it_tries_the_best_point_of_another_experiment_first(within):
    async def scenario(play):
        play.operate()
        await play.create(experiment("before"))
        ended = await play.ends("before")
        await play.create(experiment("after", **FROM))
        await play.ends("after")
        return ended, await play.trials()

    ended, trials = within(scenario)
    best = ended["status"]["currentOptimalTrial"]["parameterAssignments"]
    first, *others = of(trials, "after")
    assert point(first) == {each["name"]: each["value"] for each in best}
    assert first["spec"]["origin"] == WARM_START
    assert first["metadata"]["labels"][LABEL] == "before"
    assert len(others) == 3
    assert not any(trial["spec"].get("origin") for trial in others)


def test_another_operator_goes_on_without_the_source(within):
    async def scenario(play):
        first = play.operate()
        await play.create(experiment("before"))
        await play.ends("before")
        await play.create(experiment("after", parallelTrialCount=1, maxTrialCount=5, **FROM))

        async def begun():
            return of(await play.trials(), "after")

        await play.until(begun)
        await play.leave(first)
        await play.kube.delete(EXPERIMENTS, play.namespace, "before")
        play.operate()
        return await play.ends("after"), await play.trials()

    ended, trials = within(scenario)
    points = [point(trial)["x"] for trial in of(trials, "after")]
    assert ended["status"]["trialsSucceeded"] == 5
    assert len(set(points)) == 5


def test_an_operator_killed_after_any_write_leaves_no_point_of_the_source_out(within):
    async def scenario(play):
        begins = play.operate()
        await play.create(experiment("before", maxTrialCount=12, parallelTrialCount=4))
        await play.ends("before")
        await play.leave(begins)
        given = []
        for last in range(1, 9):  # the first trials are written within so many
            name = f"after{last}"
            killing = Killing(play.kube, last)
            first = play.operate(killing)
            play.running.remove(first)
            spec = {"seed": 3, "maxTrialCount": 8, "parallelTrialCount": 4}
            await play.create(experiment(name, **spec, **FROM))
            await killing.ends(first)
            then = play.operate()
            await play.ends(name)
            await play.leave(then)
            given.append([point(each) for each in of(await play.trials(), name) if is_warm(each)])
        return given

    first, *others = within(scenario)
    assert len(first) == 2
    assert all(each == first for each in others)


def is_warm(trial):
    return trial["spec"].get("origin") == WARM_START


def test_one_that_is_not_there_fails_it_with_the_place_before_any_trial(within):
    async def scenario(play):
        play.operate()
        await play.create(experiment("after", **FROM))
        return await play.ends("after"), await play.trials()

    ended, trials = within(scenario)
    (*_, condition) = ended["status"]["conditions"]
    assert (condition["type"], condition["reason"]) == ("Failed", "InvalidSpec")
    assert "spec.warmStartFrom[0].name: there is no experiment before" in condition["message"]
    assert trials == []
