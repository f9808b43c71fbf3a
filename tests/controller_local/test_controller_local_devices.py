"""Devices are handed out whole, and taken back from whoever nobody drives."""

import asyncio
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from support.runtime import Runtime, container, job, start_stray
from tunewright.api.errors import Retryable, StoreUnavailable, Unsupported
from tunewright.api.history import Proposal
from tunewright.api.identity import ExperimentKey
from tunewright.controller.local.devices import VENDORS, Devices, inventory
from tunewright.controller.plan.view import EndReason
from tunewright.db.sql import open_store

ONE_GPU = {"limits": {"nvidia.com/gpu": 1}}


@pytest.fixture
def machine(tmp_path: Path, options):
    """A machine whose vendor's tool tells of two devices."""
    tools = tmp_path / "tools"
    tools.mkdir()
    tool = tools / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: A (UUID: x)'\necho 'GPU 1: A (UUID: y)'\n")
    tool.chmod(0o755)
    path = f"{tools}:{options.environ['PATH']}"
    return replace(options, environ={**options.environ, "PATH": path})


def test_the_vendors_tool_is_asked(machine):
    assert inventory(VENDORS[0], machine.environ) == ("0", "1")


@pytest.mark.parametrize("written", ["3,5", "3, 5 ", "3,5,3,"])
def test_what_a_batch_system_gave_is_all_there_is(machine, written: str):
    given = {**machine.environ, "CUDA_VISIBLE_DEVICES": written}
    assert inventory(VENDORS[0], given) == ("3", "5")


def test_what_a_container_was_given_is_counted_anew_in_it(machine):
    given = {**machine.environ, "NVIDIA_VISIBLE_DEVICES": "6,7"}
    assert inventory(VENDORS[0], given) == ("0", "1")


@pytest.mark.parametrize(
    ("given", "handed"),
    [
        ({"ROCR_VISIBLE_DEVICES": "5"}, {"ROCR_VISIBLE_DEVICES": "5"}),
        (
            {"ROCR_VISIBLE_DEVICES": "4,5", "HIP_VISIBLE_DEVICES": "1"},
            {"HIP_VISIBLE_DEVICES": "1", "CUDA_VISIBLE_DEVICES": "1"},
        ),
    ],
    ids=["one layer", "two layers"],
)
def test_a_device_is_named_in_one_numbering_alone(tmp_path: Path, options, given, handed):
    options = replace(options, environ={**options.environ, **given})
    store = open_store(tmp_path / "store.db")
    try:
        devices = Devices(store, options, lambda: 1.0, lambda _: True)
        assert devices.handed(devices.take("token", {"amd.com/gpu": 1})) == handed
    finally:
        store.close()


def test_each_replica_sees_its_own_devices_and_one_that_asks_for_none_sees_none(run, machine):
    told = "echo $TASK${CUDA_VISIBLE_DEVICES-all} >> seen"
    waits = "while [ $(cat seen | wc -l) -lt 3 ]; do sleep 0.01; done; cat seen"

    def replicas(count: int, task: str, **more):
        main = container(
            "sh", "-c", f"{told}; {waits}", env=[{"name": "TASK", "value": task}], **more
        )
        return {"replicas": count, "template": {"spec": {"containers": [main]}}}

    specs = {"Chief": replicas(1, "chief"), "Worker": replicas(2, "worker", resources=ONE_GPU)}
    manifest = {"kind": "TFJob", "spec": {"tfReplicaSpecs": specs}}
    seen = run(manifest, options=machine).output().decode().split()
    assert sorted(seen) == ["chief", "worker0", "worker1"]


def test_what_runs_first_leaves_its_device_to_the_rest_of_its_pod(run, machine):
    both = {"limits": {"nvidia.com/gpu": 2}}
    first = container("sh", "-c", "echo $CUDA_VISIBLE_DEVICES > first", name="i", resources=ONE_GPU)
    main = container("sh", "-c", "cat first; echo $CUDA_VISIBLE_DEVICES", resources=both)
    assert run(job(main, initContainers=[first]), options=machine).output() == b"0\n0,1\n"


def test_no_two_trials_share_a_device_and_a_third_waits(tmp_path: Path, machine):
    script = "echo $CUDA_VISIBLE_DEVICES; sleep 600"
    manifest = job(container("sh", "-c", script, resources=ONE_GPU))

    async def drive():
        runtime = Runtime(tmp_path, machine)
        try:
            workloads = [runtime.workload(manifest, f"t{n}") for n in range(3)]
            runtime.record(workloads)
            for workload in workloads[:2]:
                await runtime.workloads.start(workload)
            with pytest.raises(Retryable, match="all are taken"):
                await runtime.workloads.start(workloads[2])
            for trial in ("t0", "t1"):
                await runtime.until(lambda t=trial: runtime.said[t].output())
            seen = {runtime.said[trial].output() for trial in ("t0", "t1")}
            await runtime.workloads.stop(workloads[0].ref, grace=5)
            await runtime.end_of("t0")
            await runtime.workloads.start(workloads[2])
            return seen
        finally:
            await runtime.close()

    assert asyncio.run(drive()) == {b"0\n", b"1\n"}


def test_who_waits_for_one_vendors_device_holds_none_of_another(tmp_path: Path, machine):
    there = {"CUDA_VISIBLE_DEVICES": "0", "ROCR_VISIBLE_DEVICES": "0"}
    store = open_store(tmp_path / "store.db")
    try:
        options = replace(machine, environ={**machine.environ, **there})
        devices = Devices(store, options, lambda: 1.0, lambda _: True)
        uid = store.create_experiment(ExperimentKey("n", "e"), {}, seed=1, workdir="/", now=1.0).uid
        for index, token in enumerate(("first", "waits")):
            store.propose(uid, index, [(f"e-{index}", Proposal({}))], made_from=0, now=1.0)
            store.start_attempt(uid, index, 1, token=token, now=1.0)
        devices.take("first", {"amd.com/gpu": 1})
        with pytest.raises(Retryable):
            devices.take("waits", {"nvidia.com/gpu": 1, "amd.com/gpu": 1})
        assert devices.take("third", {"nvidia.com/gpu": 1}) == {"nvidia.com/gpu": ["0"]}
    finally:
        store.close()


@pytest.mark.needs("linux")
@pytest.mark.parametrize("fate", ["its engine is dead", "it was deleted"])
def test_what_an_attempt_held_that_nobody_drives_is_taken_back(tmp_path: Path, machine, fate: str):
    both = {"limits": {"nvidia.com/gpu": 2}}

    async def drive():
        runtime = Runtime(tmp_path, machine, is_driven=lambda _: False)
        try:
            left, new = (
                runtime.workload(job(container("true", resources=both)), trial)
                for trial in ("t0", "t1")
            )
            uid = runtime.record([left])
            names = ("nvidia.com/gpu/0", "nvidia.com/gpu/1")
            owner = f"{left.ref.token}/nvidia.com/gpu"
            runtime.store.lease_devices(owner, 2, inventory=names, shares=1, now=1.0)
            stray = start_stray(left.ref.token)
            if fate == "it was deleted":
                runtime.store.delete_experiment(uid)
            await runtime.workloads.start(new)
            return (await runtime.end_of("t1")).ended.reason, stray.wait()
        finally:
            await runtime.close()

    assert asyncio.run(drive()) == (EndReason.COMPLETED, -signal.SIGKILL)


def test_an_end_is_told_though_the_store_is_away_and_the_device_is_free_when_it_is_back(
    tmp_path: Path, machine, monkeypatch
):
    async def drive():
        runtime = Runtime(tmp_path, machine)
        loop, freed, away = asyncio.get_running_loop(), asyncio.Event(), [1, 2, 3]

        def release(_: str) -> None:
            if away:
                away.pop()
                raise StoreUnavailable("away", after=0.01)
            loop.call_soon_threadsafe(freed.set)

        monkeypatch.setattr(runtime.store, "release_devices", release)
        try:
            manifest = job(container("true", resources=ONE_GPU))
            await runtime.workloads.start(runtime.workload(manifest))
            ended = (await runtime.end_of()).ended
            await asyncio.wait_for(freed.wait(), 30)
            return ended.reason
        finally:
            await runtime.close()

    assert asyncio.run(drive()) is EndReason.COMPLETED


def test_more_than_the_machine_has_is_refused_with_the_numbers(run, machine):
    many = {"limits": {"nvidia.com/gpu": 4}}
    with pytest.raises(Unsupported, match=r"4 × nvidia\.com/gpu asked for, 2 on this machine"):
        run(job(container("true", resources=many)), options=machine)
