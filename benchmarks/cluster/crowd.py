"""Many experiments at once, and an operator that starts where ten thousand trials are.

As `scale`: an API server on loopback, a kind that is done at once, `tunewright serve
all` over SQLite.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import grpc.aio

sys.path.insert(0, str(Path(__file__).parents[1]))

from cluster.scale import Actor, experiment, memory_of, operator, with_instants
from support.apiserver import ApiServer
from tunewright.controller.kube.client import connect
from tunewright.controller.kube.port import Selection
from tunewright.controller.kube.resources import EXPERIMENTS, TRIALS

EXPERIMENTS_AT_ONCE, QUICK_EXPERIMENTS = 200, 20
TRIALS_THERE, QUICK_TRIALS = 10_000, 500
AT_ONCE = 50
ALGORITHMS = ("random", "tpe")
"""One that is asked in the operator itself, and one that has a worker for each experiment."""


async def crowd(server: ApiServer, metrics: str, algorithm: str, count: int) -> float:
    """Return seconds from the first experiment's creation to the last one's success."""
    kube = await connect(kubeconfig=str(server.kubeconfig))
    namespace = server.namespace()
    async with grpc.aio.insecure_channel(metrics) as channel:
        acting = asyncio.create_task(Actor(kube, namespace, channel).run())
        try:
            started = time.perf_counter()
            for index in range(count):
                document = experiment(2, 2)
                document["metadata"]["name"] = f"bench-{index}"
                document["spec"]["algorithm"] = {"algorithmName": algorithm}
                await kube.create(EXPERIMENTS, namespace, document)
            while True:
                found = (await kube.list(Selection(EXPERIMENTS, namespace))).documents
                if all(map(_has_succeeded, found)):
                    return time.perf_counter() - started
                await asyncio.sleep(0.5)
        finally:
            acting.cancel()
            await kube.close()


def _has_succeeded(document: Any) -> bool:
    conditions = document.get("status", {}).get("conditions") or [{}]
    return conditions[-1].get("type") == "Succeeded"


async def fill(server: ApiServer, example: Any, count: int) -> None:
    """Make an experiment that has ended, with its trials."""
    kube = await connect(kubeconfig=str(server.kubeconfig))
    namespace, slots = server.namespace(), asyncio.Semaphore(AT_ONCE)
    document = experiment(count, 60)
    made = await kube.create(EXPERIMENTS, namespace, document)
    owner = {**example["metadata"]["ownerReferences"][0], "uid": made["metadata"]["uid"]}
    ended = {"type": "Succeeded", "status": "True", "reason": "ExperimentMaxTrialsReached"}

    async def one(index: int) -> None:
        head = {"apiVersion": "kubeflow.org/v1beta1", "kind": "Trial"}
        metadata = {
            "name": f"bench-{index:08d}",
            "labels": example["metadata"]["labels"],
            "ownerReferences": [owner],
        }
        spec = {**example["spec"], "index": index, "position": 2 * index + 1}
        status = {**example["status"], "position": 2 * index + 2}
        async with slots:
            await kube.create(TRIALS, namespace, {**head, "metadata": metadata, "spec": spec})
            told = {**head, "metadata": {"name": metadata["name"]}, "status": status}
            await kube.apply(TRIALS, namespace, told, manager="b", subresource="status")

    await asyncio.gather(*(one(index) for index in range(count)))
    head = {key: made[key] for key in ("apiVersion", "kind")}
    status = {"conditions": [ended], "observedGeneration": made["metadata"]["generation"]}
    told = {**head, "metadata": {"name": "bench"}, "status": status}
    await kube.apply(EXPERIMENTS, namespace, told, manager="tunewright", subresource="status")
    await kube.close()


async def first_action(server: ApiServer, process: "subprocess.Popen[str]", since: float) -> float:
    """Return seconds from `since` to the first trial of a waiting experiment."""
    kube = await connect(kubeconfig=str(server.kubeconfig))
    try:
        while not (await kube.list(Selection(TRIALS, "waiting"))).documents:
            assert process.poll() is None
            await asyncio.sleep(0.05)
        return time.perf_counter() - since
    finally:
        await kube.close()


async def example_of(server: ApiServer) -> Any:
    kube = await connect(kubeconfig=str(server.kubeconfig))
    found = (await kube.list(Selection(TRIALS))).documents
    await kube.close()
    return next(each for each in found if "verdict" in each.get("status", {}))


async def wait_for_work(server: ApiServer) -> None:
    """Create an experiment that nobody has looked at yet."""
    kube = await connect(kubeconfig=str(server.kubeconfig))
    server.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "waiting"}})
    await kube.create(EXPERIMENTS, "waiting", experiment(2, 2))
    await kube.close()


def main(*, quick: bool) -> str:
    count = QUICK_EXPERIMENTS if quick else EXPERIMENTS_AT_ONCE
    trials = QUICK_TRIALS if quick else TRIALS_THERE
    with with_instants() as server, tempfile.TemporaryDirectory() as folder:
        with operator(server, Path(folder)) as (process, metrics):
            crowds = []
            for algorithm in ALGORITHMS:
                seconds = asyncio.run(crowd(server, metrics, algorithm, count))
                what = f"{count} experiments of 2 trials at once, {algorithm}"
                took = f"{seconds:.1f} s, {2 * count / seconds:.0f} trials a second"
                crowds.append((what, took, f"{memory_of(process.pid):.0f} MB", "–"))
        example = asyncio.run(example_of(server))
        asyncio.run(fill(server, example, trials))
        asyncio.run(wait_for_work(server))
        since = time.perf_counter()
        with operator(server, Path(folder)) as (process, _):
            cold = asyncio.run(first_action(server, process, since))
            cold_memory = memory_of(process.pid)
    there = trials + len(ALGORITHMS) * 2 * count
    rows = (
        ("", "", "memory at most", "goal"),
        ("---",) * 4,
        *crowds,
        (
            f"a start where {there} trials are, to the first action",
            *(f"{cold:.1f} s", f"{cold_memory:.0f} MB", "5 s, 200 MB"),
        ),
    )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    print(main(quick="--quick" in sys.argv))
