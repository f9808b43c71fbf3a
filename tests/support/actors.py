"""Who else acts on a cluster: a Job controller that runs nothing, and who deletes what is owned.

On the tests' API server no controller runs. This one does what the real one
would to a Job's status; what its pods would report goes to the store, as by a
collector.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tunewright.api.errors import Conflict, NotFound
from tunewright.api.observation import Batch, Sample
from tunewright.controller.kube import labels
from tunewright.controller.kube.port import Kube, Resource, Selection
from tunewright.db.records import Reporter
from tunewright.db.store import Store

JOBS = Resource("batch", "v1", "jobs")
AT = "2026-01-01T00:00:00Z"


@dataclass(frozen=True)
class Fate:
    """What a Job does: report a loss and succeed, fail, stay until it is ended, or never run."""

    loss: float | None = 1.0
    fails: bool = False
    stays: bool = False
    waits: bool = False


Script = Callable[[dict[str, Any], int], Fate]
"""Says a Job's fate by its point and attempt."""


def quadratic(point: dict[str, Any], attempt: int) -> Fate:
    del attempt
    return Fate(loss=(float(point["x"]) - 0.5) ** 2)


@dataclass
class JobController:
    """Looks at the Jobs of a namespace every few milliseconds; `runs` tells which it saw run."""

    kube: Kube
    namespace: str
    store: Store
    script: Script = quadratic
    runs: list[tuple[str, int]] = field(default_factory=list)
    active: set[str] = field(default_factory=set)
    most: int = 0

    async def run(self) -> None:
        while True:
            for job in (await self.kube.list(Selection(JOBS, self.namespace))).documents:
                try:
                    await self._act(job)
                except (Conflict, NotFound):
                    continue  # it changed meanwhile
            await asyncio.sleep(0.02)

    async def _act(self, job: dict[str, Any]) -> None:
        name, status = job["metadata"]["name"], job.get("status") or {}
        if job["metadata"].get("deletionTimestamp"):
            if name in self.active:
                self._report(job, Fate(loss=None))
            self.active.discard(name)
            bare = {**job, "metadata": {**job["metadata"], "finalizers": []}}
            await self.kube.replace(JOBS, self.namespace, bare)
        elif job["spec"].get("suspend") and not status.get("startTime"):
            return  # Kueue has not admitted it
        elif not status.get("startTime"):
            self.active.add(name)
            self.most = max(self.most, len(self.active))
            self.runs.append((name, attempt_of(job)))
            waits = self.script(point_of(job), attempt_of(job)).waits
            await self._write(job, {"startTime": AT, "active": 1, "ready": 0 if waits else 1})
        elif status.get("active"):
            await self._go_on(job)

    async def _go_on(self, job: dict[str, Any]) -> None:
        fate = self.script(point_of(job), attempt_of(job))
        if (fate.stays or fate.waits) and not job["spec"].get("suspend"):
            return
        self._report(job, fate)
        self.active.discard(job["metadata"]["name"])
        if job["spec"].get("suspend"):
            await self._write(job, {"conditions": [condition("Suspended", "JobSuspended")]})
        elif fate.fails:
            kinds = ["FailureTarget", "Failed"]
            ends = [condition(kind, "BackoffLimitExceeded") for kind in kinds]
            await self._write(job, {"startTime": AT, "failed": 1, "conditions": ends})
        else:
            kinds = ["SuccessCriteriaMet", "Complete"]
            ends = [condition(kind, "CompletionsReached") for kind in kinds]
            await self._write(
                job, {"startTime": AT, "completionTime": AT, "succeeded": 1, "conditions": ends}
            )

    def _report(self, job: dict[str, Any], fate: Fate) -> None:
        """Report as the collector of the Job's pod would: a value if there is one, and the end."""
        uid, index = self.store.find_trial(job["metadata"]["name"], self.namespace)
        attempt = attempt_of(job)
        if fate.loss is not None:
            samples = (Sample("loss", fate.loss, 1.0),)
            self.store.record([Batch(uid, index, attempt, "stdout", 0, samples)], now=1.0)
        over = Reporter("stdout", done=True)
        self.store.note_reporter(uid, index, attempt, over, now=1.0)

    async def _write(self, job: dict[str, Any], status: dict[str, Any]) -> None:
        await self.kube.replace(JOBS, self.namespace, {**job, "status": status}, "status")


def condition(kind: str, reason: str) -> dict[str, str]:
    times = {"lastProbeTime": AT, "lastTransitionTime": AT}
    return {"type": kind, "status": "True", "reason": reason, "message": "it said so", **times}


def attempt_of(job: dict[str, Any]) -> int:
    return int(job["metadata"]["labels"][labels.ATTEMPT])


def point_of(job: dict[str, Any]) -> dict[str, Any]:
    (container,) = job["spec"]["template"]["spec"]["containers"]
    written = {each["name"]: each.get("value") for each in container["env"]}
    return json.loads(written["TUNEWRIGHT_PARAMETERS"])
