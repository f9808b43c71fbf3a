"""Jobs that Kueue manages: it suspends them when they are created, and says when they may run."""

import asyncio
import contextlib

import pytest
from support.actors import JOBS
from support.apiserver import NEEDED
from support.elsewhere import DEFINITIONS, Kind, definition
from support.operated import experiment, scene
from tunewright.api.errors import Conflict
from tunewright.controller.kube import waiting
from tunewright.controller.kube.workloads.queueing import WORKLOADS
from tunewright.db.sql import open_store

pytestmark = NEEDED


def queued(**spec):
    """An experiment of one Job as Kueue's webhook leaves it."""
    made = experiment(maxTrialCount=1, parallelTrialCount=1, **spec)
    job = made["spec"]["trialTemplate"]["trialSpec"]
    job["metadata"] = {"labels": {"kueue.x-k8s.io/queue-name": "team"}}
    job["spec"]["suspend"] = True
    return made


@pytest.fixture
def within(api_server, tmp_path):
    def play(scenario):
        async def run():
            store = open_store(tmp_path / "store.db")
            try:
                async with scene(api_server, store) as played:
                    played.operate()
                    return await scenario(played)
            finally:
                store.close()

        return asyncio.run(run())

    return play


async def waits(play, word="Kueue"):
    """Wait until the trial says what it waits for; return the Job and what it says."""

    async def said():
        conditions = [
            condition["message"]
            for trial in await play.trials()
            for condition in trial.get("status", {}).get("conditions", ())
        ]
        return next((each for each in conditions if word in each), None)

    message = await play.until(said)
    (job,) = await play.all(JOBS)
    return job, message


def test_a_job_that_is_not_admitted_says_so_and_is_left_as_it_is(within):
    async def scenario(play):
        await play.create(queued())
        return await waits(play)

    job, message = within(scenario)
    assert message == "Trial waits for Kueue to admit it: queue team"
    assert job["spec"]["suspend"] is True
    assert job["metadata"]["generation"] == 1


NO_ROOM = "insufficient unused quota for cpu in flavor default, 1 more needed"


async def refuse(play, job):
    """Say of a Job what Kueue says when there is no room for it."""
    kind = Kind("Workload", WORKLOADS, experiment, lambda _: (), {})
    with contextlib.suppress(Conflict):
        await play.kube.create(DEFINITIONS, None, definition(kind))

    async def served():
        return kind.name in await play.kube.kinds(WORKLOADS.api_version)

    await play.until(served)
    metadata = {"name": "w", "labels": {"kueue.x-k8s.io/job-uid": job["metadata"]["uid"]}}
    document = {"apiVersion": WORKLOADS.api_version, "kind": "Workload", "metadata": metadata}
    made = await play.kube.create(WORKLOADS, play.namespace, document)
    pending = {"type": "QuotaReserved", "status": "False", "message": NO_ROOM}
    told = {**made, "status": {"conditions": [pending]}}
    await play.kube.replace(WORKLOADS, play.namespace, told, "status")


def test_a_job_that_is_not_admitted_says_why_when_kueue_does(within, monkeypatch):
    monkeypatch.setattr(waiting, "EVENTS_SECONDS", 0.1)

    async def scenario(play):
        await play.create(queued())
        job, _ = await waits(play)
        await refuse(play, job)
        return await waits(play, "insufficient")

    _, message = within(scenario)
    assert message == f"Trial waits for Kueue to admit it: queue team: {NO_ROOM}"


def test_a_job_that_is_admitted_runs_and_is_never_suspended_by_us(within):
    async def scenario(play):
        await play.create(queued())
        job, _ = await waits(play)
        admitted = {"spec": {"suspend": False}}
        await play.kube.merge(JOBS, play.namespace, job["metadata"]["name"], admitted)
        return await play.ends()

    assert within(scenario)["status"]["trialsSucceeded"] == 1


def test_a_job_that_is_to_stop_is_deleted_though_it_is_retained(within):
    document = queued(trialPolicy={"pendingDeadlineSeconds": 4})
    document["spec"]["trialTemplate"]["retain"] = True

    async def scenario(play):
        await play.create(document)

        async def over():
            trials = await play.trials()
            return trials if trials and trials[0].get("status", {}).get("completionTime") else None

        return await play.until(over), await play.all(JOBS)

    (trial,), jobs = within(scenario)
    last = trial["status"]["conditions"][-1]
    assert last["reason"] == "PendingDeadlineExceeded"
    assert "Kueue" in last["message"]
    assert jobs == []
