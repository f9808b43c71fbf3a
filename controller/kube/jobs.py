"""What runs for the trials of one experiment: found, created, told to end, taken away."""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...api.errors import Conflict, Forbidden, NotFound
from ...api.experiment import API_VERSION
from ...db.records import ExperimentRecord, TrialRecord
from ..brief import Brief
from ..render import TrialIdentity, render
from . import labels
from .accounts import check_account, user_of
from .cache import Cache, Key
from .fields import owner
from .port import Document, Kube, Resource, Selection
from .resources import EVENTS
from .workloads.checkpoints import PATH as CHECKPOINT
from .workloads.checkpoints import Kept
from .workloads.collector import Settings
from .workloads.injection import Injection, Way, instrument
from .workloads.lasting import keep_until_seen
from .workloads.stopping import stop_patch
from .writing import check_ours


@dataclass(frozen=True, slots=True)
class Jobs:
    """`cache` follows the kind that the template names; what is made here is put into it.

    `impersonates`: it is created as an account of the experiment's namespace.
    """

    kube: Kube
    cache: Cache
    resource: Resource
    settings: Settings
    impersonates: bool = False

    def get(self, experiment: ExperimentRecord, trial: str) -> Document | None:
        return self.cache.get(Key(experiment.key.namespace, trial))

    async def is_gone(self, experiment: ExperimentRecord, trial: str) -> bool:
        """Ask the server itself: a cache may lag behind."""
        try:
            found = await self.kube.get(self.resource, experiment.key.namespace, trial)
        except NotFound:
            return True
        self.cache.put(found)
        return False

    async def create(
        self,
        experiment: ExperimentRecord,
        brief: Brief,
        record: TrialRecord,
        uid: str,
        *,
        spare: Sequence[str] = (),
    ) -> None:
        """Create the workload of the last attempt, or find it created before.

        It removes the checkpoints of the trials that are `spare`.

        Raises:
            Conflict: the one of the attempt before is still there, or a stranger's.
            Invalid, Forbidden: the cluster refuses it.
        """
        wanted = self.manifest(experiment, brief, record, uid, spare=spare)
        try:
            made = await self.kube.create(
                self.resource, experiment.key.namespace, wanted, user=self._user(experiment)
            )
        except Conflict:
            made = await self.kube.get(self.resource, experiment.key.namespace, record.name)
            check_ours(made, wanted)
            is_going = made["metadata"].get("deletionTimestamp")
            if is_going or attempt_of(made) != attempt_of(wanted):
                await self.remove(made)
                raise Conflict(f"{record.name} of before is still being deleted") from None
        self.cache.put(made)

    async def try_out(
        self, experiment: ExperimentRecord, brief: Brief, record: TrialRecord
    ) -> None:
        """Ask the server what it would say to this workload, and create nothing.

        It is asked about the workload as people wrote it first: what is put beside that is
        made on the word that lists are lists in it, and tables are tables.

        What is forbidden passes: a quota or a webhook may change its mind, and a trial that is
        refused waits for that, and says so.

        Raises:
            Invalid, NotFound: what it refuses, with a fault for each field.
            Forbidden: the operator may not act as the account of the trials.
        """
        if self.impersonates:
            await check_account(self.kube, experiment, self.resource)
        await self._try(experiment, rendered(experiment, brief, record))
        await self._try(experiment, self.manifest(experiment, brief, record, experiment.uid))

    async def _try(self, experiment: ExperimentRecord, wanted: Document) -> None:
        namespace, user = experiment.key.namespace, self._user(experiment)
        with contextlib.suppress(Forbidden):
            await self.kube.create(self.resource, namespace, wanted, dry=True, user=user)

    def _user(self, experiment: ExperimentRecord) -> str | None:
        return user_of(experiment) if self.impersonates else None

    def manifest(
        self,
        experiment: ExperimentRecord,
        brief: Brief,
        record: TrialRecord,
        uid: str,
        *,
        spare: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Return the workload of a trial's last attempt, whole."""
        made, _ = self._instrumented(experiment, brief, record, spare)
        if not brief.policy.retain:
            keep_until_seen(made)
        metadata = {
            **made["metadata"],
            "ownerReferences": [owner("Trial", record.name, uid)],
        }
        return {**made, "metadata": metadata}

    def way(self, experiment: ExperimentRecord, brief: Brief, record: TrialRecord) -> Way:
        """Say how the metrics of a trial come: all trials of an experiment are alike in that."""
        return self._instrumented(experiment, brief, record)[1]

    def _instrumented(
        self,
        experiment: ExperimentRecord,
        brief: Brief,
        record: TrialRecord,
        spare: Sequence[str] = (),
    ) -> tuple[dict[str, Any], Way]:
        injection = injection_of(experiment, brief, record, self.settings)
        kept = _kept(brief, record, spare)
        return instrument(rendered(experiment, brief, record), replace(injection, kept=kept))

    async def events(self, document: Document, pods: Sequence[Document]) -> list[Document]:
        """Return what the cluster said of a workload and of its pods."""
        namespace = document["metadata"]["namespace"]
        found: list[Document] = []
        for each in (document, *pods):
            fields = f"involvedObject.uid={each['metadata']['uid']}"
            found += (await self.kube.list(Selection(EVENTS, namespace, fields=fields))).documents
        return found

    async def stop(self, document: Document, *, retain: bool) -> None:
        """Make it end within its pods' grace; it is gone, or stands still, when it has."""
        patch = stop_patch(document, retain=retain)
        if patch is None:
            await self.remove(document, foreground=True)
            return
        metadata = document["metadata"]
        try:
            await self.kube.merge(self.resource, metadata["namespace"], metadata["name"], patch)
        except NotFound:
            return

    async def remove(self, document: Document, *, foreground: bool = False) -> None:
        """Delete it; what has gone before, or was made again under its name, is left alone."""
        metadata = document["metadata"]
        if metadata.get("deletionTimestamp"):
            return
        try:
            await self.kube.delete(
                self.resource,
                metadata["namespace"],
                metadata["name"],
                uid=metadata["uid"],
                foreground=foreground,
            )
        except (NotFound, Conflict):
            return


def rendered(experiment: ExperimentRecord, brief: Brief, record: TrialRecord) -> dict[str, Any]:
    identity = TrialIdentity(record.name, experiment.key.namespace)
    return render(brief.template, record.proposal.point, identity)


def injection_of(
    experiment: ExperimentRecord, brief: Brief, record: TrialRecord, settings: Settings
) -> Injection:
    """Return what the pods of a trial's last attempt get, but for its checkpoint."""
    attempt = record.attempt
    return Injection(
        experiment=experiment.key.name,
        trial=record.name,
        namespace=experiment.key.namespace,
        attempt=attempt.attempt if attempt else 1,
        container=brief.primary_container,
        metrics=brief.objective.metric_names,
        parameters=json.dumps(brief.problem.space.natives(record.proposal.point)),
        settings=settings,
        collector=brief.collector_document,
        primary_labels=brief.primary_labels,
        environment={"TUNEWRIGHT_REPEAT": str(len(record.earlier))},
        reads_logs=_asks_for_logs(experiment.document),
    )


def _kept(brief: Brief, record: TrialRecord, spare: Sequence[str]) -> Kept | None:
    """Return where the trial's checkpoint lies: nowhere without a volume that lasts."""
    asked, attempt, run = brief.checkpoint, record.attempt, len(record.earlier)
    if asked is None or asked.volume is None:
        return None
    name, parent = f"{record.name}-{run}" if run else record.name, record.proposal.parent
    return Kept(
        volume=asked.volume,
        path=asked.path or CHECKPOINT,
        own=f"{asked.folder}{name}",
        parent=None if parent is None else f"{asked.folder}{parent}",
        is_retried=attempt is not None and attempt.attempt > run + 1,
        spare=[f"{asked.folder}{each}" for each in spare],
    )


def _asks_for_logs(experiment: Document) -> bool:
    annotations = experiment["metadata"].get("annotations") or {}
    return bool(annotations.get(labels.READS_LOGS) == "true")


def is_of_a_trial(document: Document) -> bool:
    """Whether a workload was made for a trial, and does not only say so in its labels."""
    owners = document["metadata"].get("ownerReferences") or ()
    return any((each["apiVersion"], each["kind"]) == (API_VERSION, "Trial") for each in owners)


def attempt_of(document: Document) -> int:
    """Return the attempt that an object belongs to, 0 where it says none."""
    written = (document["metadata"].get("labels") or {}).get(labels.ATTEMPT, "")
    return int(written) if written.isdigit() else 0
