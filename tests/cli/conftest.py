"""The real command, as a process of its own, in a home of its own."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.actors import quadratic
from support.command import Command, Result
from support.operated import scene
from tunewright.db.sql import open_store


@pytest.fixture
def tunewright(tmp_path):
    return Command(tmp_path)


@dataclass(frozen=True)
class Typed:
    """`tunewright … --cluster`, as a person types it in a scene of a cluster."""

    command: Command
    play: Any
    kubeconfig: Path

    async def __call__(self, *words, env=()) -> Result:
        there = ("--cluster", "-n", self.play.namespace)
        given = {"KUBECONFIG": str(self.kubeconfig), **dict(env)}
        return await asyncio.to_thread(self.command, *words, *there, env=given)

    async def file(self, document, name="experiment.yaml") -> Path:
        path = self.command.folder / name
        path.write_text(json.dumps(document))
        return path


@pytest.fixture
def on_cluster(api_server, tunewright, tmp_path):
    """Play a scenario in a namespace where an operator and a Job controller act."""

    def play(scenario, script=quadratic):
        async def run():
            store = open_store(tmp_path / "store.db")
            try:
                async with scene(api_server, store, script) as played:
                    played.operate()
                    return await scenario(played, Typed(tunewright, played, api_server.kubeconfig))
            finally:
                store.close()

        return asyncio.run(run())

    return play


@pytest.fixture
def experiment(tmp_path):
    """Writes an Experiment file whose trials are one `echo`, changed by a function."""
    import yaml

    def write(change=lambda document: None, name="experiment.yaml"):
        document = yaml.safe_load(EXPERIMENT)
        change(document)
        path = tmp_path / name
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return path

    return write


EXPERIMENT = """
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: echo}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: random}
  maxTrialCount: 3
  parallelTrialCount: 1
  seed: 1
  parameters:
    - {name: x, parameterType: double, feasibleSpace: {min: "0", max: "1"}}
  trialTemplate:
    primaryContainerName: training
    trialParameters: [{name: x, reference: x}]
    trialSpec:
      apiVersion: batch/v1
      kind: Job
      spec:
        template:
          spec:
            restartPolicy: Never
            containers:
              - name: training
                image: none
                command: [sh, -c, "echo loss=${trialParameters.x}"]
"""
