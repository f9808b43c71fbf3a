"""Engines over a real store in a folder, with an algorithm in process and workloads by script."""

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tunewright.api.identity import ExperimentKey
from tunewright.api.states import TrialState
from tunewright.controller.engine import Engine, Outcome
from tunewright.controller.ports import WallClock, Workload
from tunewright.db.records import ExperimentRecord
from tunewright.db.sql import open_store
from tunewright.db.store import Store
from tunewright.suggestion.early_stopping.registry import Rules
from tunewright.suggestion.inline import InlineSuggester

from .scripted import Script, Scripted

KEY = ExperimentKey("default", "engine")


def document(name: str = KEY.name, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": name, "namespace": KEY.namespace},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "algorithm": {"algorithmName": "random"},
            "parallelTrialCount": 2,
            "maxTrialCount": 5,
            "parameters": [
                {
                    "name": "x",
                    "parameterType": "double",
                    "feasibleSpace": {"min": "0", "max": "1"},
                }
            ],
            "trialTemplate": {
                "primaryContainerName": "main",
                "trialParameters": [{"name": "x", "reference": "x"}],
                "trialSpec": {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "spec": {
                        "template": {
                            "spec": {
                                "containers": [
                                    {"name": "main", "command": ["try", "${trialParameters.x}"]}
                                ]
                            }
                        }
                    },
                },
            },
        }
        | spec,
    }


def seconds() -> Callable[[], float]:
    """A clock by which a second passes between any two looks."""
    count = itertools.count()
    return lambda: float(next(count))


class House:
    """A store in a folder, and engines over it one after another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store: Store = open_store(folder / "store.db", evaluator=Rules(seconds()))
        self.runtime: Scripted | None = None

    def create(self, name: str = KEY.name, **spec: Any) -> ExperimentRecord:
        key = ExperimentKey(KEY.namespace, name)
        return self.store.create_experiment(
            key, document(name, **spec), seed=3, workdir=str(self.folder), now=1.0
        )

    def engine(self, script: Script, home: Path | None = None, *, name: str = KEY.name) -> Engine:
        uid = self.store.experiment(ExperimentKey(KEY.namespace, name)).uid

        def runtime(on_change: Callable[[Any], None]) -> Scripted:
            self.runtime = Scripted(script, on_change)
            return self.runtime

        return Engine(
            store=self.store,
            uid=uid,
            workloads=runtime,
            suggester=InlineSuggester(lambda after: self.store.history(uid, after, 1000)),
            clock=WallClock(),
            home=home or self.folder,
        )

    def run(self, script: Script, name: str = KEY.name) -> Outcome:
        async def drive() -> Outcome:
            return await self.engine(script, name=name).run()

        return asyncio.run(drive())

    @property
    def record(self) -> ExperimentRecord:
        return self.store.experiment(KEY)

    def states(self) -> list[TrialState]:
        return [trial.state for trial in self.store.trials(self.record.uid)]


def x_of(workload: Workload) -> float:
    containers = workload.manifest["spec"]["template"]["spec"]["containers"]
    return float(containers[0]["command"][1])
