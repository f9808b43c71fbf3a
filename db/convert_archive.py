"""Between the wire and the records of the archive, for both ends of tunewright.v1's `Archive`."""

import json
from collections.abc import Sequence
from typing import Any

from ..api.errors import Fault, Invalid
from ..api.identity import ExperimentKey
from ..api.observation import Observation, Summary, TextValue, as_text
from ..api.states import ExperimentState, TrialState
from ..proto import tunewright_pb2 as pb
from ..proto.convert import VERDICTS, VERDICTS_BACK, proposal_from_wire, proposal_to_wire
from .archive import Looked
from .records import (
    AttemptRecord,
    AttemptState,
    ExperimentRecord,
    Missing,
    PendingStop,
    Totals,
    TrialRecord,
    Usage,
)


def keep_request(experiment: ExperimentRecord, trials: Sequence[TrialRecord]) -> pb.KeepRequest:
    return pb.KeepRequest(
        experiment=_experiment_to_wire(experiment), trials=map(_trial_to_wire, trials)
    )


def kept(request: pb.KeepRequest) -> tuple[ExperimentRecord, list[TrialRecord]]:
    """Read what is to be kept.

    Raises:
        Invalid: a state or a verdict is unknown, or the document is none.
    """
    try:
        return (
            _experiment_from_wire(request.experiment),
            [_trial_from_wire(trial) for trial in request.trials],
        )
    except (ValueError, KeyError) as error:
        raise Invalid([Fault("experiment", f"is not a record of this version: {error}")]) from error


def look_reply(found: Sequence[tuple[int, Looked]]) -> pb.LookReply:
    return pb.LookReply(
        found=[
            pb.Looked(
                index=index,
                observation=_observation_to_wire(one.observation),
                last_sign_at=one.last_sign_at,
                metrics_seen=one.metrics_seen,
                dropped=one.dropped,
                done=one.done,
            )
            for index, one in found
        ]
    )


def looked(reply: pb.LookReply) -> dict[int, Looked]:
    return {
        one.index: Looked(
            observation=_observation_from_wire(one.observation),
            last_sign_at=one.last_sign_at if one.HasField("last_sign_at") else None,
            metrics_seen=tuple(one.metrics_seen),
            dropped=one.dropped,
            done=one.done,
        )
        for one in reply.found
    }


def stops_reply(pending: Sequence[PendingStop]) -> pb.StopsReply:
    return pb.StopsReply(
        stops=[
            pb.PendingStop(uid=one.uid, index=one.index, attempt=one.attempt, reason=one.reason)
            for one in pending
        ]
    )


def pending(reply: pb.StopsReply) -> list[PendingStop]:
    return [PendingStop(one.uid, one.index, one.attempt, one.reason) for one in reply.stops]


def missing_reply(found: Sequence[Missing]) -> pb.MissingReply:
    return pb.MissingReply(
        missing=[pb.Missing(uid=one.uid, namespace=one.namespace, since=one.since) for one in found]
    )


def missing(reply: pb.MissingReply) -> list[Missing]:
    return [Missing(one.uid, one.namespace, one.since) for one in reply.missing]


def _experiment_to_wire(record: ExperimentRecord) -> pb.ExperimentRecord:
    return pb.ExperimentRecord(
        uid=record.uid,
        namespace=record.key.namespace,
        name=record.key.name,
        document=json.dumps(record.document, ensure_ascii=False),
        version=record.version,
        state=record.state,
        reason=record.reason,
        message=record.message,
        seed=record.seed,
        workdir=record.workdir,
        suspended=record.suspended,
        created_at=record.created_at,
        started_at=record.started_at,
        finished_at=record.finished_at,
        active_seconds=record.active_seconds,
    )


def _experiment_from_wire(wire: pb.ExperimentRecord) -> ExperimentRecord:
    return ExperimentRecord(
        uid=wire.uid,
        key=ExperimentKey(wire.namespace, wire.name),
        document=_document(wire.document),
        version=wire.version,
        state=ExperimentState(wire.state),
        reason=wire.reason,
        message=wire.message,
        seed=wire.seed,
        workdir=wire.workdir,
        suspended=wire.suspended,
        created_at=wire.created_at,
        started_at=wire.started_at if wire.HasField("started_at") else None,
        finished_at=wire.finished_at if wire.HasField("finished_at") else None,
        active_seconds=wire.active_seconds,
        totals=Totals(),
    )


def _document(text: str) -> dict[str, Any]:
    """Read a document.

    Raises:
        ValueError: it is no JSON.
        Invalid: it is none of an experiment.
    """
    document = json.loads(text)
    if not isinstance(document, dict):
        raise Invalid([Fault("experiment.document", "is no object", "send that of an Experiment")])
    return document


def _trial_to_wire(record: TrialRecord) -> pb.TrialRecord:
    return pb.TrialRecord(
        index=record.index,
        name=record.name,
        state=record.state,
        reason=record.reason,
        message=record.message,
        proposal=proposal_to_wire(record.proposal),
        made_from=record.made_from,
        created_at=record.created_at,
        started_at=record.started_at,
        finished_at=record.finished_at,
        attempt=None if record.attempt is None else _attempt_to_wire(record.attempt),
        retries=record.retries,
        retry_at=record.retry_at,
        dropped=record.dropped,
        observation=_observation_to_wire(record.observation or {}),
        earlier=map(_observation_to_wire, record.earlier),
        verdict=None if record.verdict is None else VERDICTS[record.verdict],
    )


def _trial_from_wire(wire: pb.TrialRecord) -> TrialRecord:
    return TrialRecord(
        index=wire.index,
        name=wire.name,
        state=TrialState(wire.state),
        reason=wire.reason,
        message=wire.message,
        proposal=proposal_from_wire(wire.proposal),
        made_from=wire.made_from,
        created_at=wire.created_at,
        started_at=wire.started_at if wire.HasField("started_at") else None,
        finished_at=wire.finished_at if wire.HasField("finished_at") else None,
        value=None,
        attempt=_attempt_from_wire(wire.attempt) if wire.HasField("attempt") else None,
        retries=wire.retries,
        retry_at=wire.retry_at if wire.HasField("retry_at") else None,
        dropped=wire.dropped,
        observation=_observation_from_wire(wire.observation),
        earlier=tuple(map(_observation_from_wire, wire.earlier)),
        verdict=VERDICTS_BACK[wire.verdict] if wire.HasField("verdict") else None,
    )


def _attempt_to_wire(record: AttemptRecord) -> pb.AttemptRecord:
    usage = record.usage
    return pb.AttemptRecord(
        attempt=record.attempt,
        state=record.state,
        token=record.token,
        started_at=record.started_at,
        ran_at=record.ran_at,
        ended_at=record.ended_at,
        exit_code=record.exit_code,
        reason=record.reason,
        message=record.message,
        usage=pb.Usage(
            wall_seconds=usage.wall_seconds,
            cpu_seconds=usage.cpu_seconds,
            peak_memory_bytes=usage.peak_memory_bytes,
            device_seconds=usage.device_seconds,
        ),
    )


def _attempt_from_wire(wire: pb.AttemptRecord) -> AttemptRecord:
    usage = wire.usage
    return AttemptRecord(
        attempt=wire.attempt,
        state=AttemptState(wire.state),
        token=wire.token,
        started_at=wire.started_at if wire.HasField("started_at") else None,
        ran_at=wire.ran_at if wire.HasField("ran_at") else None,
        ended_at=wire.ended_at if wire.HasField("ended_at") else None,
        exit_code=wire.exit_code if wire.HasField("exit_code") else None,
        reason=wire.reason,
        message=wire.message,
        usage=Usage(
            usage.wall_seconds, usage.cpu_seconds, usage.peak_memory_bytes, usage.device_seconds
        ),
    )


def _observation_to_wire(observation: Observation) -> pb.Observation:
    return pb.Observation(
        summaries=[
            pb.Summary(
                metric=metric,
                min=summary.min,
                max=summary.max,
                latest=summary.latest,
                count=summary.count,
                sum=summary.sum,
                latest_time=summary.latest_time,
                min_step=summary.min_step,
                max_step=summary.max_step,
                latest_step=summary.latest_step,
                numbers=summary.numbers,
                latest_text=as_text(summary.latest),
            )
            for metric, summary in observation.items()
        ]
    )


def _observation_from_wire(wire: pb.Observation) -> Observation:
    return {
        one.metric: Summary(
            min=one.min,
            max=one.max,
            latest=TextValue(one.latest_text) if one.HasField("latest_text") else one.latest,
            count=one.count,
            sum=one.sum,
            latest_time=one.latest_time,
            min_step=one.min_step if one.HasField("min_step") else None,
            max_step=one.max_step if one.HasField("max_step") else None,
            latest_step=one.latest_step if one.HasField("latest_step") else None,
            numbers=one.numbers,
        )
        for one in wire.summaries
    }
