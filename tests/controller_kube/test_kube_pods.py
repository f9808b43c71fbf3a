"""What the pods of a trial say while it runs, and what is kept of them when it ends."""

import asyncio

import pytest
from support.actors import Fate
from support.apiserver import NEEDED
from support.operated import Passing, experiment, scene
from tunewright.controller.kube import labels
from tunewright.controller.kube.accounts import ACCOUNTS
from tunewright.controller.kube.resources import EXPERIMENTS, PODS
from tunewright.db.sql import open_store

pytestmark = NEEDED


class WithLogs(Passing):
    """An API server whose pods have written something: here no kubelet runs them."""

    def __init__(self, kube, log):
        super().__init__(kube)
        self._log = log

    async def log_end(self, _namespace, _pod, container, *, previous=False):
        del previous
        assert container == "main"
        return self._log


@pytest.fixture
def within(api_server, tmp_path):
    """Play a scenario with one trial that runs until it is let go; it has one pod."""

    def play(scenario, log=b"", **spec):
        over = asyncio.Event()

        async def run():
            store = open_store(tmp_path / "store.db")
            try:
                async with scene(
                    api_server, store, lambda point, attempt: Fate(stays=not over.is_set())
                ) as played:
                    played.operate(WithLogs(played.kube, log))
                    await played.create(experiment(maxTrialCount=1, parallelTrialCount=1, **spec))
                    return await scenario(played, await running(played), over)
            finally:
                store.close()

        return asyncio.run(run())

    return play


async def running(play):
    """Wait until the trial runs; return its name."""

    async def runs():
        for trial in await play.trials():
            if (trial.get("status") or {}).get("conditions", [{}])[-1].get("type") == "Running":
                return trial["metadata"]["name"]
        return None

    return await play.until(runs)


async def make_pod(play, trial, **state):
    """Make a pod of the trial, whose container is as it is said."""
    account = {"metadata": {"name": "default"}}
    await play.kube.create(ACCOUNTS, play.namespace, account)
    metadata = {
        "name": f"{trial}-abcde",
        "labels": {labels.TRIAL: trial, labels.EXPERIMENT: "e"},
    }
    spec = {"containers": [{"name": "main", "image": "trainer:1"}]}
    made = await play.kube.create(PODS, play.namespace, {"metadata": metadata, "spec": spec})
    container = {"name": "main", "image": "trainer:1", "imageID": "", "ready": False}
    container |= {"restartCount": 0, "state": state}
    status = {"phase": "Running", "containerStatuses": [container]}
    await play.kube.replace(PODS, play.namespace, {**made, "status": status}, "status")


def test_a_crashed_pod_is_told_at_once_with_its_last_lines(within):
    async def scenario(play, trial, over):
        await make_pod(play, trial, terminated={"exitCode": 1})

        async def told():
            (found,) = await play.trials()
            last = found["status"]["conditions"][-1]
            return last if last["reason"] == "PodCrashed" else None

        condition = await play.until(told)
        over.set()
        return condition, await play.ends()

    log = b"epoch 1\nTraceback\n  File x\n\nKeyError: 'lr'\n"
    condition, ended = within(scenario, log)
    assert (condition["type"], condition["status"]) == ("Running", "True")
    assert "exited with 1: Traceback | File x | KeyError: 'lr'" in condition["message"]
    assert ended["status"]["trialsSucceeded"] == 1


def test_how_long_a_trial_ran_is_a_metric_that_nobody_has_to_print(within):
    ran = {"startedAt": "2026-01-01T00:00:05Z", "finishedAt": "2026-01-01T00:00:17Z"}

    async def scenario(play, trial, over):
        await make_pod(play, trial, terminated={"exitCode": 0, **ran})
        over.set()
        await play.ends()
        (found,) = await play.trials()
        return found["status"]

    objective = {"type": "minimize", "objectiveMetricName": "loss"}
    asked = objective | {"additionalMetricNames": ["wall_seconds", "cpu_seconds"]}
    status = within(scenario, objective=asked)
    observed = {each["name"]: each["latest"] for each in status["observation"]["metrics"]}
    assert (status["attempt"]["wallSeconds"], observed["wall_seconds"]) == (12, "12.0")
    assert "cpu_seconds" not in observed


def test_the_end_of_what_a_trial_wrote_is_in_the_store_when_it_has_ended(within):
    async def scenario(play, trial, over):
        await make_pod(play, trial, running={})
        over.set()
        await play.ends()
        return play.store.output(*play.store.find_trial(trial, play.namespace), 1, "stdout")

    assert within(scenario, b"loss=0.1\n") == b"loss=0.1\n"


def test_a_trial_that_is_stopped_keeps_what_it_wrote_until_then(within):
    async def scenario(play, trial, over):
        await make_pod(play, trial, running={})
        wish = '[{"id": 1, "verb": "stop"}]'
        patch = {"metadata": {"annotations": {labels.WISHES: wish}}}
        await play.kube.merge(EXPERIMENTS, play.namespace, "e", patch)
        await play.ends()
        return play.store.output(*play.store.find_trial(trial, play.namespace), 1, "stdout")

    assert within(scenario, b"epoch=1\n") == b"epoch=1\n"
