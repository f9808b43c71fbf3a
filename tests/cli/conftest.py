"""The real command, as a process of its own, in a home of its own."""

import asyncio
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.actors import quadratic
from support.forked import herd
from support.operated import scene
from tunewright.db.sql import open_store
from tunewright.sdk.commands import COMMAND

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Command:
    """`tunewright`, with its home and working directory below `folder`.

    `site` is a folder of further packages.
    """

    folder: Path
    site: Path | None = None

    @property
    def environ(self):
        inherited = {key: os.environ[key] for key in ("PATH", "PYTHONPATH") if key in os.environ}
        first = [] if self.site is None else [str(self.site)]
        package = str(REPOSITORY / ".types")
        path = os.pathsep.join(filter(None, [*first, package, inherited.pop("PYTHONPATH", "")]))
        return {
            **inherited,
            "PYTHONPATH": path,
            "HOME": str(self.folder),
            "TUNEWRIGHT_HOME": str(self.folder / "home"),
            "COLUMNS": "120",
        }

    def __call__(self, *words, stdin="", cwd=None, env=(), timeout=60) -> Result:
        environ = {**self.environ, **dict(env)}
        done = herd(environ["PYTHONPATH"]).run(
            [*map(str, words)],
            cwd=cwd or self.folder,
            env=environ,
            stdin=stdin,
            timeout=timeout,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def start(self, *words, cwd=None, env=(), **options) -> subprocess.Popen:
        return subprocess.Popen(
            [*COMMAND, *map(str, words)],
            cwd=cwd or self.folder,
            env={**self.environ, **dict(env)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )


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

    async def file(self, document) -> Path:
        path = self.command.folder / "experiment.yaml"
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
