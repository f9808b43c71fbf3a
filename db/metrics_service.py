"""Metrics over the wire: Katib's `DBManager`, and `tunewright.v1` `Metrics`.

Katib's calls name a trial alone: it is looked for where its caller lives. Where
trials of several namespaces have that name and any could be meant, the call is
refused, never answered for the wrong one. An unknown trial has an empty log, which
can be deleted, as with Katib's service: Katib's controller relies on both. Rows without
a sequence are appended: each call is numbered behind what its source holds.
"""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import takewhile

import grpc

from ..api.errors import Fault, Invalid, NotFound, StoreUnavailable
from ..api.observation import LONGEST_NAME, Batch, Sample, TextValue
from ..api.space import format_value
from ..proto import api_pb2, api_pb2_grpc, tunewright_pb2, tunewright_pb2_grpc
from ..proto.serving import Tls, start
from .archive_service import ArchiveService
from .authority import Authority, Caller, Trusting, calling
from .records import Ack, Reporter
from .store import Store

HEALTH = ("", "grpc.health.v1.Health", "api.v1.beta1.DBManager", "tunewright.v1.Metrics")
THREADS = 256
"""A stream holds a thread until it ends; collectors end theirs when they have nothing to say.

Where others do not, those that have been silent for longest are ended; see `proto.waiting`."""

LARGEST = 128 << 20
"""Bytes of a request. A gigabyte is the memory of its pod, and anybody could send it."""

STREAMS = 8
"""How many of them a pod may hold: its collector has one, and at a reconnect two."""

_MOST_SEEN = 100
"""Names that a reporter may say it has seen: the operator is shown them for every trial."""

NEVER = "0001-01-01T00:00:00Z"
"""Katib's time of a value whose line had none."""


def serve(
    store: Store,
    address: str,
    *,
    authority: Authority | None = None,
    tls: Tls | None = None,
    token: str | None = None,
    clock: Callable[[], float] = time.time,
) -> tuple[grpc.Server, str]:
    """Serve both protocols, the archive and health on `address`; see `proto.serving.start`.

    With an `authority`, which knows each caller, it may listen to the world.
    """
    knows = authority or Trusting()

    def register(server: grpc.Server) -> None:
        katib, metrics = _DBManager(store, clock, knows), _Metrics(store, clock, knows)
        api_pb2_grpc.add_DBManagerServicer_to_server(katib, server)
        tunewright_pb2_grpc.add_MetricsServicer_to_server(metrics, server)
        archive = ArchiveService(store, clock, knows)
        tunewright_pb2_grpc.add_ArchiveServicer_to_server(archive, server)

    return start(
        address,
        register,
        health=HEALTH,
        check=store.pending_stops,
        tls=tls,
        token=token,
        open_to_all=authority is not None,
        threads=THREADS,
        largest=LARGEST,
    )


class _DBManager(api_pb2_grpc.DBManagerServicer):
    def __init__(self, store: Store, clock: Callable[[], float], authority: Authority) -> None:
        self._store = store
        self._clock = clock
        self._authority = authority

    def ReportObservationLog(  # noqa: N802 # the protocol's name
        self, request: api_pb2.ReportObservationLogRequest, context: grpc.ServicerContext
    ) -> api_pb2.ReportObservationLogReply:
        namespace = calling(self._authority, context).to_report(request.trial_name)
        uid, index = self._store.find_trial(request.trial_name, namespace)
        samples = tuple(_samples(request.observation_log))
        attempt = self._store.trial(uid, index).attempt
        if samples:
            batch = Batch(uid, index, attempt.attempt if attempt else 0, "katib", 0, samples)
            self._store.append(batch, now=self._clock())
        return api_pb2.ReportObservationLogReply()

    def GetObservationLog(  # noqa: N802 # the protocol's name
        self, request: api_pb2.GetObservationLogRequest, context: grpc.ServicerContext
    ) -> api_pb2.GetObservationLogReply:
        namespace = calling(self._authority, context).to_read()
        since = _time("start_time", request.start_time) if request.start_time else None
        until = _time("end_time", request.end_time) if request.end_time else None
        reply = api_pb2.GetObservationLogReply()
        try:
            uid, index = self._store.find_trial(request.trial_name, namespace)
        except NotFound:
            return reply
        metric = request.metric_name or None
        add = reply.observation_log.metric_logs.add
        samples = self._store.samples(uid, index, metric=metric, since=since, until=until)
        for name, value, moment, _ in samples:
            # Filled in place: made apart and copied, a row costs three times as much.
            entry = add(time_stamp=_stamp(moment)).metric
            entry.name, entry.value = name, format_value(value)
        return reply

    def DeleteObservationLog(  # noqa: N802 # the protocol's name
        self, request: api_pb2.DeleteObservationLogRequest, context: grpc.ServicerContext
    ) -> api_pb2.DeleteObservationLogReply:
        calling(self._authority, context).to_remove()
        with suppress(NotFound):
            self._store.forget_samples(*self._store.find_trial(request.trial_name))
        return api_pb2.DeleteObservationLogReply()


class _Metrics(tunewright_pb2_grpc.MetricsServicer):
    def __init__(self, store: Store, clock: Callable[[], float], authority: Authority) -> None:
        self._store = store
        self._clock = clock
        self._authority = authority
        self._streams = _Streams()

    def Report(  # noqa: N802 # the protocol's name
        self,
        request_iterator: Iterator[tunewright_pb2.ReportRequest],
        context: grpc.ServicerContext,
    ) -> Iterator[tunewright_pb2.ReportReply]:
        caller = calling(self._authority, context)
        # Before the first request is waited for, which need not ever come.
        caller.to_stream()
        with self._streams.one_of(caller):
            yield from self._replies(caller, request_iterator)

    def _replies(
        self, caller: Caller, requests: Iterator[tunewright_pb2.ReportRequest]
    ) -> Iterator[tunewright_pb2.ReportReply]:
        found: dict[tuple[str, str], tuple[str, int]] = {}
        for request in requests:
            name = (request.namespace, request.trial)
            if name not in found:
                namespace = caller.to_report(request.trial, request.namespace)
                found[name] = self._store.find_trial(request.trial, namespace)
            ack = self._keep(*found[name], request)
            yield tunewright_pb2.ReportReply(
                last_sequence=ack.last_sequence,
                stop=ack.stop is not None,
                reason=ack.stop.reason if ack.stop else "",
            )

    def _keep(self, uid: str, index: int, request: tunewright_pb2.ReportRequest) -> Ack:
        attempt, source, now = request.attempt, request.source, self._clock()
        samples = tuple(map(_sample, request.samples))
        if request.HasField("note"):
            said = request.note
            seen = tuple(name[:LONGEST_NAME] for name in said.seen[:_MOST_SEEN])
            reporter = Reporter(source, seen=seen, dropped=said.dropped, done=said.done)
            ack = self._store.note_reporter(uid, index, attempt, reporter, now=now)
            if not samples:
                return ack
        batch = Batch(uid, index, attempt, source, request.first_sequence, samples)
        return self._store.record([batch], now=now)[0]


class _Streams:
    """Counts the open streams of each pod, so that none takes the threads of all."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def one_of(self, caller: Caller) -> Iterator[None]:
        """Hold one for a caller.

        Raises:
            StoreUnavailable: it holds as many as a pod may.
        """
        if caller.everywhere or caller.operates:
            yield
            return
        with self._lock:
            if self._open[caller.name] >= STREAMS:
                raise StoreUnavailable(f"{caller.name} holds {STREAMS} streams already")
            self._open[caller.name] += 1
        try:
            yield
        finally:
            with self._lock:
                self._open[caller.name] -= 1
                if not self._open[caller.name]:
                    del self._open[caller.name]


def _sample(sent: tunewright_pb2.Sample) -> Sample:
    if not math.isfinite(sent.time):
        remedy = "send seconds since 1970, UTC"
        raise Invalid([Fault("samples.time", f"{sent.time} is not a time", remedy)])
    value = TextValue(sent.text) if sent.HasField("text") else sent.value
    return Sample(sent.metric, value, sent.time, sent.step if sent.HasField("step") else None)


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
    whole, _, rest = text.partition(".")
    fraction = "".join(takewhile(str.isdecimal, rest))
    try:
        moment = datetime.fromisoformat(whole + rest.removeprefix(fraction).upper())
        nanoseconds = int(fraction.ljust(9, "0")[:9])
    except ValueError:
        fault = Fault(field, f"{text!r} is not a time", "write it as 2026-01-31T12:00:00Z")
        raise Invalid([fault]) from None
    return _in_zone(moment).timestamp() + nanoseconds / 1e9


def _in_zone(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _stamp(seconds: float) -> str:
    """Write an RFC 3339 time; a number that is none, milliseconds say, is never."""
    if not math.isfinite(seconds) or seconds == 0:
        return NEVER
    try:
        text = datetime.fromtimestamp(seconds, UTC).isoformat().removesuffix("+00:00")
    except (ValueError, OverflowError, OSError):
        return NEVER
    return (text.rstrip("0") if "." in text else text) + "Z"
