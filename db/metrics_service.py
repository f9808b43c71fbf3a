"""Metrics over the wire: Katib's `DBManager`, and `tunewright.v1` `Metrics`.

Katib's calls name a trial alone; where trials of several namespaces have that
name the call is refused, never answered for the wrong one. Rows without a
sequence are appended: each call is numbered behind what its source holds.
"""

import math
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import grpc

from ..api.errors import Fault, Invalid
from ..api.observation import Batch, Sample
from ..api.space import format_value
from ..proto import api_pb2, api_pb2_grpc, tunewright_pb2, tunewright_pb2_grpc
from ..proto.serving import Tls, start
from .archive_service import ArchiveService
from .store import Store

HEALTH = ("", "grpc.health.v1.Health", "api.v1.beta1.DBManager", "tunewright.v1.Metrics")
NEVER = "0001-01-01T00:00:00Z"
"""Katib's time of a value whose line had none."""


def serve(
    store: Store,
    address: str,
    *,
    tls: Tls | None = None,
    token: str | None = None,
    open_to_all: bool = False,
    clock: Callable[[], float] = time.time,
) -> tuple[grpc.Server, str]:
    """Serve both protocols and health on `address`; see `proto.serving.start`."""

    def register(server: grpc.Server) -> None:
        api_pb2_grpc.add_DBManagerServicer_to_server(_DBManager(store, clock), server)
        tunewright_pb2_grpc.add_MetricsServicer_to_server(_Metrics(store, clock), server)
        tunewright_pb2_grpc.add_ArchiveServicer_to_server(ArchiveService(store, clock), server)

    return start(address, register, health=HEALTH, tls=tls, token=token, open_to_all=open_to_all)


class _DBManager(api_pb2_grpc.DBManagerServicer):
    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    def ReportObservationLog(  # noqa: N802 # the protocol's name
        self, request: api_pb2.ReportObservationLogRequest, _context: grpc.ServicerContext
    ) -> api_pb2.ReportObservationLogReply:
        uid, index = self._store.find_trial(request.trial_name)
        samples = tuple(_samples(request.observation_log))
        attempt = self._store.trial(uid, index).attempt
        if samples:
            batch = Batch(uid, index, attempt.attempt if attempt else 0, "katib", 0, samples)
            self._store.append(batch, now=self._clock())
        return api_pb2.ReportObservationLogReply()

    def GetObservationLog(  # noqa: N802 # the protocol's name
        self, request: api_pb2.GetObservationLogRequest, _context: grpc.ServicerContext
    ) -> api_pb2.GetObservationLogReply:
        uid, index = self._store.find_trial(request.trial_name)
        samples = self._store.samples(
            uid,
            index,
            metric=request.metric_name or None,
            since=_time("start_time", request.start_time) if request.start_time else None,
            until=_time("end_time", request.end_time) if request.end_time else None,
        )
        reply = api_pb2.GetObservationLogReply()
        reply.observation_log.metric_logs.extend(
            api_pb2.MetricLog(
                time_stamp=_stamp(sample.time),
                metric=api_pb2.Metric(name=sample.metric, value=format_value(sample.value)),
            )
            for sample in samples
        )
        return reply

    def DeleteObservationLog(  # noqa: N802 # the protocol's name
        self, request: api_pb2.DeleteObservationLogRequest, _context: grpc.ServicerContext
    ) -> api_pb2.DeleteObservationLogReply:
        self._store.forget_samples(*self._store.find_trial(request.trial_name))
        return api_pb2.DeleteObservationLogReply()


class _Metrics(tunewright_pb2_grpc.MetricsServicer):
    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    def Report(  # noqa: N802 # the protocol's name
        self,
        request_iterator: Iterator[tunewright_pb2.ReportRequest],
        _context: grpc.ServicerContext,
    ) -> Iterator[tunewright_pb2.ReportReply]:
        for request in request_iterator:
            uid, index = self._store.find_trial(request.trial, request.namespace or None)
            samples = tuple(map(_sample, request.samples))
            batch = Batch(
                uid, index, request.attempt, request.source, request.first_sequence, samples
            )
            ack = self._store.record([batch], now=self._clock())[0]
            yield tunewright_pb2.ReportReply(
                last_sequence=ack.last_sequence,
                stop=ack.stop is not None,
                reason=ack.stop.reason if ack.stop else "",
            )


def _sample(sent: tunewright_pb2.Sample) -> Sample:
    if not math.isfinite(sent.time):
        remedy = "send seconds since 1970, UTC"
        raise Invalid([Fault("samples.time", f"{sent.time} is no time", remedy)])
    return Sample(sent.metric, sent.value, sent.time, sent.step if sent.HasField("step") else None)


def _samples(log: api_pb2.ObservationLog) -> Iterator[Sample]:
    """Read what is a number; `unavailable` and rows without a time say nothing, as in Katib."""
    for entry in log.metric_logs:
        if not entry.time_stamp:
            continue
        try:
            value = float(entry.metric.value)
        except ValueError:
            continue
        yield Sample(entry.metric.name, value, _time("time_stamp", entry.time_stamp))


def _time(field: str, text: str) -> float:
    """Read an RFC 3339 time of up to nanoseconds, UTC."""
    if text == NEVER:
        return 0.0
    whole, dot, rest = text.partition(".")
    digits = rest.rstrip("Zz") if dot else ""
    fraction, zone = digits, "Z"
    for sign in "+-":
        if dot and sign in digits:
            fraction, _, offset = digits.partition(sign)
            zone = sign + offset
    try:
        moment = datetime.fromisoformat(whole + (zone if dot else ""))
        nanoseconds = int(fraction.ljust(9, "0")[:9]) if fraction else 0
    except ValueError:
        fault = Fault(field, f"{text!r} is no time", "write it as 2026-01-31T12:00:00Z")
        raise Invalid([fault]) from None
    return _in_zone(moment).timestamp() + nanoseconds / 1e9


def _in_zone(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _stamp(seconds: float) -> str:
    if not math.isfinite(seconds) or seconds == 0:
        return NEVER
    moment = datetime.fromtimestamp(seconds, UTC)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{moment.microsecond:06d}".rstrip("0").rstrip(".") + "Z"
