"""Real pods: an Experiment from `apply` to its success, against the same pods as one bare Job.

On the cluster of `make cluster-install`, or the one that TUNEWRIGHT_TEST_KUBECONFIG
names. A pod sleeps two seconds and prints a metric; the rivals are a Job of as many
completions, without and with an idle native sidecar in its pods.
"""

import asyncio
import os
import secrets
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunewright.controller.kube.client import KubeClient, connect
from tunewright.controller.kube.labels import READS_LOGS
from tunewright.controller.kube.port import Resource
from tunewright.controller.kube.resources import EXPERIMENTS

SIZES = ((12, 3), (30, 6))
QUICK = ((6, 3),)
ROUNDS = 2
"""Each runs so often, by turns, and its least time counts: pods begin on the kubelet's beat."""

JOBS = Resource("batch", "v1", "jobs")
NAMESPACES = Resource("", "v1", "namespaces")
IMAGE = "python:3.11-slim"
PROGRAM = 'sleep 2; python3 -c "print(\\"loss=0.5\\")"'
OURS = Path(__file__).parents[2] / ".cluster" / "kubeconfig"


def pod(*beside: Mapping[str, Any]) -> dict[str, Any]:
    main = {"name": "main", "image": IMAGE, "command": ["sh", "-c", PROGRAM]}
    spec: dict[str, Any] = {"restartPolicy": "Never", "containers": [main]}
    if beside:
        spec["initContainers"] = list(beside)
    return {"spec": spec}


IDLE = {
    "name": "idle",
    "image": IMAGE,
    "command": ["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"],
    "restartPolicy": "Always",
}


def bare(count: int, parallel: int, *beside: Mapping[str, Any]) -> dict[str, Any]:
    counts = {"completions": count, "parallelism": parallel, "backoffLimit": 0}
    spec = {**counts, "template": pod(*beside)}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "bench"}, "spec": spec}


def experiment(count: int, parallel: int, *, reads_logs: bool) -> dict[str, Any]:
    space = {"min": "0", "max": "1"}
    job = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"backoffLimit": 0, "template": pod()}}
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": "bench", "annotations": {READS_LOGS: str(reads_logs).lower()}},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "algorithm": {"algorithmName": "random"},
            "parameters": [{"name": "x", "parameterType": "double", "feasibleSpace": space}],
            "maxTrialCount": count,
            "parallelTrialCount": parallel,
            "trialTemplate": {
                "primaryContainerName": "main",
                "trialParameters": [],
                "trialSpec": job,
            },
        },
    }


async def timed(kube: KubeClient, resource: Resource, document: Mapping[str, Any]) -> float:
    """Return seconds from the creation of an object in a namespace of its own to its end."""
    namespace = f"bench-{secrets.token_hex(4)}"
    head = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    await kube.create(NAMESPACES, None, head)
    await asyncio.sleep(2)  # its service account is made
    try:
        started = time.perf_counter()
        await kube.create(resource, namespace, document)
        while not _has_ended(await kube.get(resource, namespace, "bench")):  # noqa: ASYNC110 -- an API server is asked
            await asyncio.sleep(0.2)
        return time.perf_counter() - started
    finally:
        await kube.delete(NAMESPACES, None, namespace)


def _has_ended(document: Mapping[str, Any]) -> bool:
    ends = {each["type"] for each in document.get("status", {}).get("conditions") or ()}
    assert "Failed" not in ends, document["status"]
    return bool(ends & {"Complete", "Succeeded"})


async def measured(sizes: tuple[tuple[int, int], ...], rounds: int) -> list[str]:
    kubeconfig = os.environ.get("TUNEWRIGHT_TEST_KUBECONFIG") or str(OURS)
    kube = await connect(kubeconfig=kubeconfig)
    rows = []
    for count, parallel in sizes:
        runs = {
            "job": (JOBS, bare(count, parallel)),
            "beside": (JOBS, bare(count, parallel, IDLE)),
            "collected": (EXPERIMENTS, experiment(count, parallel, reads_logs=False)),
            "read": (EXPERIMENTS, experiment(count, parallel, reads_logs=True)),
        }
        tries = [
            {name: await timed(kube, *what) for name, what in runs.items()} for _ in range(rounds)
        ]
        took = {name: min(each[name] for each in tries) for name in runs}
        rows.append(
            f"| {count} at {parallel} | {took['job']:.1f} s | {took['beside']:.1f} s "
            f"| {took['collected']:.1f} s, {took['collected'] / took['beside']:.2f} × "
            f"| {took['read']:.1f} s, {took['read'] / took['job']:.2f} × |"
        )
    await kube.close()
    return rows


def main(*, quick: bool) -> str:
    titles = (
        *("trials", "a Job", "a Job with an idle sidecar"),
        *("Tunewright with its collector, of the latter", "reading logs, of a Job"),
    )
    rows = asyncio.run(measured(QUICK, 1) if quick else measured(SIZES, ROUNDS))
    head = [
        "The goals are 1.15 × a Job with a sidecar, and 1.2 × a Job where logs are read.",
        f"The least of {ROUNDS} times, which ran by turns.",
        "",
        f"| {' | '.join(titles)} |",
        f"|{'---|' * len(titles)}",
    ]
    return "\n".join([*head, *rows])


if __name__ == "__main__":
    print(main(quick="--quick" in sys.argv))
