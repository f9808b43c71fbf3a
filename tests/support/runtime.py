"""Trials that really run: a runtime in a folder, and what it said."""

import asyncio
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunewright.api.history import Proposal
from tunewright.api.identity import ExperimentKey
from tunewright.controller.local.options import LocalOptions
from tunewright.controller.local.runner import LocalWorkloads
from tunewright.controller.ports import AttemptRef, Change, Ended, Output, Started, Workload
from tunewright.db.sql import open_store


def job(*containers: Mapping[str, Any], kind: str = "Job", **pod: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "metadata": {"name": "trial"},
        "spec": {"template": {"spec": {"containers": list(containers), **pod}}},
    }


def container(*command: str, name: str = "main", **more: Any) -> dict[str, Any]:
    return {"name": name, "command": list(command), **more}


def start_stray(token: str) -> "subprocess.Popen[bytes]":
    """Start what an attempt left behind."""
    return subprocess.Popen(["/bin/sleep", "600"], env={"TUNEWRIGHT_TOKEN": token})


@dataclass
class Said:
    """What a runtime told of one attempt."""

    changes: list[Change] = field(default_factory=list)

    @property
    def started(self) -> Started:
        return next(each for each in self.changes if isinstance(each, Started))

    @property
    def ended(self) -> Ended:
        return next(each for each in self.changes if isinstance(each, Ended))

    def output(self, stream: str = "stdout") -> bytes:
        return b"".join(
            each.data for each in self.changes if isinstance(each, Output) and each.stream == stream
        )


class Runtime:
    """Runs attempts one after another, or at once, each to its end."""

    def __init__(self, folder: Path, options: LocalOptions, **more: Any) -> None:
        self.folder = folder
        self.options = options
        self.said: defaultdict[str, Said] = defaultdict(Said)
        self._changed = asyncio.Event()
        self.store = open_store(folder / "store.db")
        self.workloads = LocalWorkloads(options, self.store, self._note, **more)

    def _note(self, change: Change) -> None:
        self.said[change.ref.trial].changes.append(change)
        self._changed.set()

    def workload(self, manifest: Mapping[str, Any], trial: str = "t0", **more: Any) -> Workload:
        (self.folder / trial).mkdir(exist_ok=True)
        return Workload(
            ref=AttemptRef("uid", 0, trial, 1, f"token-{trial}-{self.folder.name}"),
            manifest=manifest,
            primary_container=more.pop("primary", "main"),
            directory=self.folder / trial,
            workdir=more.pop("workdir", self.folder),
            **more,
        )

    def record(self, workloads: Sequence[Workload]) -> str:
        """Record what is started as an engine does; return the uid of its experiment."""
        spec = {"objective": {"type": "minimize", "objectiveMetricName": "loss"}}
        key = ExperimentKey("default", "e")
        uid = self.store.create_experiment(key, {"spec": spec}, seed=1, workdir="/", now=1.0).uid
        points = [(each.ref.trial, Proposal({"x": 0.0})) for each in workloads]
        self.store.propose(uid, 0, points, made_from=0, now=1.0)
        for index, each in enumerate(workloads):
            self.store.start_attempt(uid, index, 1, token=each.ref.token, now=1.0)
        return uid

    async def until(self, happened: Any) -> None:
        while not happened():
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), 30)

    async def end_of(self, trial: str = "t0") -> Said:
        await self.until(lambda: any(isinstance(c, Ended) for c in self.said[trial].changes))
        return self.said[trial]

    async def close(self) -> None:
        await self.workloads.close()
        self.store.close()
