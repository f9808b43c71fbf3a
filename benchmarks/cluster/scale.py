"""Trials of a kind that is done at once, against the API server's own rate for the same writes.

An etcd and an API server on loopback; no pods. The operator runs as `tunewright
serve all` over SQLite. An actor stands for the kind's controller and for its pods:
it reports a value for each new object and marks it done. The rival is one client
that does the same writes for each trial, as many trials at once.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc.aio

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from support.apiserver import ApiServer, api_server
from support.waiting import until
from tunewright.controller.kube.client import KubeClient, connect
from tunewright.controller.kube.port import Change, Resource, Selection
from tunewright.controller.kube.resources import EXPERIMENTS, TRIALS
from tunewright.proto import api_pb2, api_pb2_grpc

SIZES = ((300, 30), (3_000, 60))
QUICK = ((100, 30),)
INSTANTS = Resource("bench.tunewright.dev", "v1", "instants")
KIND = {"apiVersion": "bench.tunewright.dev/v1", "kind": "Instant"}
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "instants.bench.tunewright.dev"},
    "spec": {
        "group": "bench.tunewright.dev",
        "scope": "Namespaced",
        "names": {"kind": "Instant", "plural": "instants"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}


def experiment(trials: int, parallel: int) -> dict[str, Any]:
    space = {"min": "0", "max": "1"}
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": "bench"},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "algorithm": {"algorithmName": "random"},
            "parameters": [{"name": "x", "parameterType": "double", "feasibleSpace": space}],
            "maxTrialCount": trials,
            "parallelTrialCount": parallel,
            "metricsCollectorSpec": {"collector": {"kind": "Push"}},
            "trialTemplate": {
                "primaryContainerName": "main",
                "trialParameters": [{"name": "x", "reference": "x"}],
                "successCondition": 'status.[@this].#(phase=="Done")#',
                "failureCondition": 'status.[@this].#(phase=="Failed")#',
                "trialSpec": {**KIND, "spec": {"x": "${trialParameters.x}"}},
            },
        },
    }


@contextmanager
def operator(server: ApiServer, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the product; yield its process and the port of its metrics service."""
    command = [sys.executable, "-m", "tunewright", "serve", "all", "--plain-port", "0"]
    options = ["--kubeconfig", str(server.kubeconfig), "--store", str(folder / "store.db")]
    where = ["--host", "127.0.0.1", "--http", "127.0.0.1:0"]
    process = subprocess.Popen(
        [*command, *options, *where],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TUNEWRIGHT_OPEN": "1"},
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().removeprefix("serving on ").strip()
    finally:
        process.terminate()
        process.wait()


class Actor:
    """The kind's controller, and the pods that it would make."""

    def __init__(self, kube: KubeClient, namespace: str, metrics: grpc.aio.Channel) -> None:
        self._kube = kube
        self._namespace = namespace
        self._report = api_pb2_grpc.DBManagerStub(metrics).ReportObservationLog
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        selection = Selection(INSTANTS, self._namespace)
        async with self._kube.watch(selection, since=None, seconds=3600, silence=600) as events:
            async for event in events:
                if event.change is Change.ADDED:
                    task = asyncio.create_task(self._finish(event.document["metadata"]["name"]))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)

    async def _finish(self, name: str) -> None:
        at = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime())}Z"
        value = api_pb2.Metric(name="loss", value=str(hash(name) % 1000 / 1000))
        log = api_pb2.ObservationLog(metric_logs=[api_pb2.MetricLog(time_stamp=at, metric=value)])
        await self._report(
            api_pb2.ReportObservationLogRequest(trial_name=name, observation_log=log)
        )
        await self._kube.apply(
            INSTANTS,
            self._namespace,
            {**KIND, "metadata": {"name": name}, "status": {"phase": "Done"}},
            manager="actor",
            subresource="status",
        )


async def ours(server: ApiServer, metrics: str, trials: int, parallel: int) -> float:
    """Return seconds from the Experiment's creation to its success."""
    kube = await connect(kubeconfig=str(server.kubeconfig))
    namespace = server.namespace()
    async with grpc.aio.insecure_channel(metrics) as channel:
        acting = asyncio.create_task(Actor(kube, namespace, channel).run())
        try:
            started = time.perf_counter()
            await kube.create(EXPERIMENTS, namespace, experiment(trials, parallel))
            while not _has_succeeded(await kube.get(EXPERIMENTS, namespace, "bench")):
                if acting.done():
                    acting.result()
                await asyncio.sleep(0.2)
            return time.perf_counter() - started
        finally:
            acting.cancel()
            await kube.close()


def _has_succeeded(found: Mapping[str, Any]) -> bool:
    conditions = found.get("status", {}).get("conditions") or [{}]
    assert conditions[-1].get("type") != "Failed", conditions
    return conditions[-1].get("type") == "Succeeded"


async def same_writes(
    server: ApiServer, example: Mapping[str, Any], trials: int, parallel: int
) -> float:
    """Return seconds for the writes of as many trials by one client."""
    kube = await connect(kubeconfig=str(server.kubeconfig))
    namespace, slots = server.namespace(), asyncio.Semaphore(parallel)
    spec, status = example["spec"], example["status"]

    async def one(index: int) -> None:
        name = f"bench-{index:08d}"
        head = {"apiVersion": "kubeflow.org/v1beta1", "kind": "Trial", "metadata": {"name": name}}
        running = {**status, "conditions": status["conditions"][:2]}
        async with slots:
            await kube.create(TRIALS, namespace, {**head, "spec": spec})
            made = await kube.create(
                INSTANTS, namespace, {**KIND, "metadata": {"name": name}, "spec": {"x": "0.5"}}
            )
            for told in (running, status):
                await kube.apply(
                    TRIALS, namespace, {**head, "status": told}, manager="b", subresource="status"
                )
            done = {**KIND, "metadata": {"name": name}, "status": {"phase": "Done"}}
            await kube.apply(INSTANTS, namespace, done, manager="actor", subresource="status")
            await kube.delete(INSTANTS, namespace, name, uid=made["metadata"]["uid"])

    started = time.perf_counter()
    await asyncio.gather(*(one(index) for index in range(trials)))
    seconds = time.perf_counter() - started
    await kube.close()
    return seconds


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> float:
    """Return MiB at the most."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024


def pid_of(program: str, server: ApiServer) -> int:
    """Return the process of the server that lives in this server's folder."""
    for path in Path("/proc").glob("[0-9]*/cwd"):
        with_name = (path.parent / "comm").read_text(encoding="ascii").strip()
        if with_name == program[:15] and path.resolve() == server.folder.resolve():
            return int(path.parent.name)
    raise AssertionError(program)


async def example_of(server: ApiServer) -> Mapping[str, Any]:
    kube = await connect(kubeconfig=str(server.kubeconfig))
    (first, *_) = (await kube.list(Selection(TRIALS))).documents
    await kube.close()
    return first


@contextmanager
def with_instants() -> Iterator[ApiServer]:
    """Run an API server that knows our resources and the kind."""
    with api_server() as server:
        server.install()
        server.kubectl("apply", "-f", "-", given=json.dumps(DEFINITION))
        server.kubectl("wait", "--for=condition=established", "crd", "--all")
        path = f"/apis/{KIND['apiVersion']}/instants"
        until(lambda: server.ask("GET", path, resourceVersion="0")[0] == 200)
        yield server


def main(*, quick: bool) -> str:
    rows = []
    with (
        with_instants() as server,
        tempfile.TemporaryDirectory() as folder,
        operator(server, Path(folder)) as (process, metrics),
    ):
        api = pid_of("kube-apiserver", server)
        for trials, parallel in QUICK if quick else SIZES:
            before = (cpu_of(process.pid), cpu_of(api))
            seconds = asyncio.run(ours(server, metrics, trials, parallel))
            used = (cpu_of(process.pid) - before[0], cpu_of(api) - before[1])
            example = asyncio.run(example_of(server))
            bare = asyncio.run(same_writes(server, example, trials, parallel))
            rows.append(
                f"| {trials} at {parallel} | {trials / bare:.0f} | {trials / seconds:.0f} "
                f"| {bare / seconds:.0%} | {used[0] / trials * 1000:.0f} ms "
                f"| {used[1] / trials * 1000:.0f} ms | {memory_of(process.pid):.0f} MB |"
            )
    titles = (
        *("trials", "the same writes, trials a second", "Tunewright", "of it"),
        *("CPU a trial, Tunewright", "API server", "memory at most"),
    )
    head = [
        "The operator with its services as one process. The goal is 80 % of the same writes, and",
        "20 trials a second.",
        "",
        f"| {' | '.join(titles)} |",
        f"|{'---|' * len(titles)}",
    ]
    return "\n".join([*head, *rows])


if __name__ == "__main__":
    print(main(quick="--quick" in sys.argv))
