"""An operator on the tests' API server, with a store of its own, and whatever else acts there."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tunewright.api.errors import NotFound
from tunewright.controller.kube import client
from tunewright.controller.kube.archive import StoreArchive
from tunewright.controller.kube.figures import Figures
from tunewright.controller.kube.lease import Elector
from tunewright.controller.kube.operator import Operator
from tunewright.controller.kube.port import Kube, Resource, Selection
from tunewright.controller.kube.resources import EXPERIMENTS, TRIALS
from tunewright.controller.kube.workloads.collector import Settings
from tunewright.controller.kube.world import Parts
from tunewright.controller.ports import WallClock
from tunewright.db.sql import open_store
from tunewright.db.store import Store
from tunewright.suggestion.suggester import open_suggester

from .actors import JOBS, JobController, Script, quadratic

client.FAREWELL_SECONDS = 0.1  # the API server is on this machine

SETTINGS = Settings(image="collector:1", metrics="metrics:6789")


def experiment(name: str = "e", **spec: Any) -> dict[str, Any]:
    """An Experiment of Jobs; what is given stands in its spec."""
    template = {
        "spec": {
            "template": {
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [
                        {
                            "name": "main",
                            "image": "trainer:1",
                            "command": ["train", "--x=${trialParameters.x}"],
                        }
                    ],
                }
            }
        }
    }
    space = {"min": "0", "max": "1"}
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": name},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "algorithm": {"algorithmName": "random"},
            "parameters": [{"name": "x", "parameterType": "double", "feasibleSpace": space}],
            "parallelTrialCount": 2,
            "maxTrialCount": 4,
            "trialTemplate": {
                "primaryContainerName": "main",
                "trialParameters": [{"name": "x", "reference": "x"}],
                "trialSpec": {"apiVersion": "batch/v1", "kind": "Job", **template},
            },
            **spec,
        },
    }


@dataclass
class Scene:
    """A namespace in which an operator and a Job controller act."""

    kube: Kube
    namespace: str
    store: Store
    jobs: JobController
    parts: Parts
    running: list[asyncio.Task[None]] = field(default_factory=list)

    async def create(self, document: dict[str, Any]) -> dict[str, Any]:
        return dict(await self.kube.create(EXPERIMENTS, self.namespace, document))

    async def get(self, name: str = "e") -> dict[str, Any]:
        return dict(await self.kube.get(EXPERIMENTS, self.namespace, name))

    async def edit(self, name: str = "e", **spec: Any) -> None:
        await self.kube.merge(EXPERIMENTS, self.namespace, name, {"spec": spec})

    async def state(self, name: str = "e") -> str:
        conditions = (await self.get(name)).get("status", {}).get("conditions") or [{}]
        return str(conditions[-1].get("type", ""))

    async def conditions(self, kind: str, name: str = "e") -> Sequence[Any]:
        """Return an experiment's conditions of one type."""
        found = (await self.get(name)).get("status", {}).get("conditions") or ()
        return [each for each in found if each["type"] == kind]

    async def started(self, count: int = 1) -> bool:
        """Whether so many Jobs have run by now."""
        return len(self.jobs.runs) >= count

    async def all(self, resource: Resource) -> Sequence[Any]:
        return (await self.kube.list(Selection(resource, self.namespace))).documents

    async def trials(self) -> Sequence[Any]:
        found = await self.all(TRIALS)
        return sorted(found, key=lambda trial: trial["spec"]["index"])

    async def until(self, happened: Callable[[], Awaitable[Any]], seconds: float = 20.0) -> Any:
        """Wait until something is so, and return it; what ends the operator ends the waiting."""
        async with asyncio.timeout(seconds):
            while True:
                for task in self.running:
                    if task.done():
                        task.result()
                with contextlib.suppress(NotFound):
                    found = await happened()
                    if found:
                        return found
                await asyncio.sleep(0.03)

    async def ends(self, name: str = "e", seconds: float = 20.0) -> dict[str, Any]:
        """Wait for the end of an experiment, and of all that it ran."""

        async def ended() -> bool:
            return await self.state(name) in {"Succeeded", "Failed"} and not await self.all(JOBS)

        await self.until(ended, seconds)
        return await self.get(name)

    def operate(
        self, kube: Kube | None = None, elector: Elector | None = None
    ) -> "asyncio.Task[None]":
        """Start an operator; `kube` is what it sees of the cluster."""
        parts = replace(self.parts, kube=kube or self.kube)
        task = asyncio.create_task(Operator(parts, Figures()).run(elector))
        self.running.append(task)
        return task

    async def leave(self, task: "asyncio.Task[None]") -> None:
        """End an operator."""
        self.running.remove(task)
        task.cancel()
        with contextlib.suppress(BaseException):
            await task


class Passing:
    """A cluster that passes everything on to another; a test overrides what it changes."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kube, name)


async def played(
    server: Any,
    database: Path,
    scenario: Callable[[Scene], Awaitable[Any]],
    script: Script = quadratic,
    **parts: Any,
) -> Any:
    """Play a scenario over a store of its own; `parts` are those of its operators."""
    store = open_store(database)
    try:
        async with scene(server, store, script) as made:
            made.parts = replace(made.parts, **parts)
            return await scenario(made)
    finally:
        store.close()


@contextlib.asynccontextmanager
async def scene(server: Any, store: Store, script: Script = quadratic) -> AsyncIterator[Scene]:
    kube = await client.connect(kubeconfig=str(server.kubeconfig))
    namespace = server.namespace()
    clock = WallClock()
    parts = Parts(
        kube=kube,
        archive=StoreArchive(store, clock.now),
        open_suggester=open_suggester,
        settings=SETTINGS,
        clock=clock,
        chance=random.random,
        namespaces=(namespace,),
    )
    jobs = JobController(kube, namespace, store, script)
    acting = asyncio.create_task(jobs.run())
    made = Scene(kube, namespace, store, jobs, parts)
    try:
        yield made
    finally:
        for task in [acting, *made.running]:
            task.cancel()
        await asyncio.gather(acting, *made.running, return_exceptions=True)
        await kube.close()
