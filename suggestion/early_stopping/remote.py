"""Rules at an endpoint that speaks tunewright.v1: reports are sent, stops come back.

The store never waits: reports are sent in another thread, those of one experiment
together, and a stop that comes back is told of when it does. The service is stateless:
it is sent what is new, and everything when it holds nothing.
"""

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

import grpc

from ...api.errors import PluginBroken, TunewrightError
from ...api.objective import Objective
from ...api.stopping import CurveLog, Progress, Stop, StoppingRule
from ...proto import convert_stopping, tunewright_pb2, tunewright_pb2_grpc
from ...proto.convert_stopping import Ended, Question, Running
from .curves import COUNTS, KEPT_SECONDS
from .stubs import Stubs, told

_Key = tuple[int, int]  # a trial's index, and its attempt


@dataclass(slots=True)
class _Known:
    """What is known of one experiment: what was sent, what waits, and what came back."""

    position: int = 0
    sent: dict[_Key, int] = field(default_factory=dict)
    waiting: dict[_Key, list[Progress]] = field(default_factory=dict)
    stops: dict[_Key, Stop] = field(default_factory=dict)
    asking: bool = False
    reported_at: float = -math.inf
    trouble: TunewrightError | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def forget(self, index: int) -> None:
        """Drop what was kept of a trial that ended."""
        self.sent = {key: count for key, count in self.sent.items() if key[0] != index}
        with self.lock:
            self.stops = {key: stop for key, stop in self.stops.items() if key[0] != index}


@dataclass(frozen=True, slots=True)
class _About:
    """The experiment that reports belong to, with its rule, and its log."""

    uid: str
    rule: StoppingRule
    objective: Objective
    log: CurveLog

    def question(self, known: _Known, waiting: Mapping[_Key, Sequence[Progress]]) -> Question:
        """Ask about what waits; what the service does not hold is read from the log."""
        position, ended = _ended(self.log, self.uid, known.position)
        running = [
            _running(self.log, self.uid, known.sent.get(key, 0), reports)
            for key, reports in waiting.items()
        ]
        return Question(
            self.uid, self.rule, self.objective, known.position, position, ended, running
        )


class RemoteStopping:
    """Evaluates rules of tunewright.v1 services, for any number of experiments.

    `clock` gives monotonic seconds; `executor` runs the calls; `tell` is given an experiment's
    uid and a stop as soon as it comes; `timeout` is in seconds, for one call. `unknown_to` are
    the endpoints that do not know the protocol: what they were sent is forgotten.
    """

    def __init__(
        self,
        stubs: Stubs,
        clock: Callable[[], float],
        executor: Executor,
        tell: Callable[[str, Stop], None] = lambda _uid, _stop: None,
        *,
        timeout: float = 60.0,
    ) -> None:
        self._stubs = stubs
        self._clock = clock
        self._executor = executor
        self._tell = tell
        self._timeout = timeout
        self._known: dict[str, _Known] = {}
        self._found: set[str | None] = set()
        self.unknown_to: set[str | None] = set()

    def evaluate(
        self,
        experiment_uid: str,
        rule: StoppingRule,
        objective: Objective,
        reports: Sequence[Progress],
        log: CurveLog,
    ) -> Sequence[Stop]:
        if experiment_uid not in self._known:
            self._forget(self._clock() - KEPT_SECONDS)
        known = self._known.setdefault(experiment_uid, _Known())
        known.reported_at = self._clock()
        with known.lock:
            for report in reports:
                known.waiting.setdefault((report.index, report.attempt), []).append(report)
            begins, known.asking = not known.asking, True
        if begins:
            about = _About(experiment_uid, rule, objective, log)
            self._executor.submit(self._ask, known, about)
        with known.lock:
            trouble, known.trouble = known.trouble, None
            keys = {(report.index, report.attempt) for report in reports}
            stops = [known.stops.pop(key) for key in keys if key in known.stops]
        if trouble is not None and not stops:
            raise trouble
        return stops

    def _forget(self, before: float) -> None:
        """Forget the experiments that reported nothing since then."""
        for uid, known in [*self._known.items()]:
            if known.reported_at < before and not known.asking:
                self._known.pop(uid, None)

    def _ask(self, known: _Known, about: _About) -> None:
        """Send what waits until nothing does; what could not be sent waits for the next report."""
        while True:
            with known.lock:
                waiting, known.waiting = known.waiting, {}
                if not waiting:
                    known.asking = False
                    return
            try:
                stops = self._judged(known, about, waiting)
            except Exception as error:  # noqa: BLE001  # told at the next report
                with known.lock:
                    for key, reports in waiting.items():
                        known.waiting[key] = [*reports, *known.waiting.get(key, [])]
                    known.trouble = told(about.rule, error)
                    known.asking = False
                return
            with known.lock:
                known.stops |= {(stop.index, stop.attempt): stop for stop in stops}
            for stop in stops:
                self._tell(about.uid, stop)

    def _judged(
        self, known: _Known, about: _About, waiting: Mapping[_Key, Sequence[Progress]]
    ) -> Sequence[Stop]:
        stub = self._stubs.of(about.rule, tunewright_pb2_grpc.EarlyStoppingStub)
        if not self._is_known(about.rule, stub):
            return ()
        for _ in range(2):
            question = about.question(known, waiting)
            try:
                reply = stub.Judge(
                    convert_stopping.question_to_wire(question), timeout=self._timeout
                )
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                    raise
                known.position, known.sent = 0, {}  # it was restarted, or forgot: send all
                continue
            known.position = question.position
            known.sent |= {key: reports[-1].reports for key, reports in waiting.items()}
            for trial in question.ended:
                known.forget(trial.index)
            return convert_stopping.stops_from_wire(reply)
        raise PluginBroken(f"{about.rule.endpoint} does not take the log from its start")

    def _is_known(self, rule: StoppingRule, stub: tunewright_pb2_grpc.EarlyStoppingStub) -> bool:
        """Find out, once for each endpoint, whether the protocol is known there."""
        if rule.endpoint not in self._found:
            try:
                stub.DescribeRules(tunewright_pb2.DescribeRulesRequest(), timeout=self._timeout)
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                    raise
                self.unknown_to.add(rule.endpoint)
            self._found.add(rule.endpoint)
        return rule.endpoint not in self.unknown_to


def _ended(log: CurveLog, uid: str, position: int) -> tuple[int, Sequence[Ended]]:
    """Return the log's end, and the trials that ended behind a position."""
    end, ended = log.ended_since(uid, position, early_stopped=True)
    succeeded = set(log.ended_since(uid, position)[1]) if ended else ()
    return end, [
        Ended(index, index not in succeeded, log.running_means(uid, index, COUNTS))
        for index in ended
    ]


def _running(log: CurveLog, uid: str, sent: int, reports: Sequence[Progress]) -> Running:
    """Return what a trial has reported behind the `sent` reports that the service holds."""
    first, own = reports[0], {report.reports: report.mean for report in reports}
    missing = range(sent + 1, first.reports)
    older = log.running_means(uid, first.index, missing) if missing else {}
    averages = {**older, **own}
    means = [averages.get(count, math.nan) for count in range(sent + 1, max(own) + 1)]
    return Running(first.index, first.attempt, sent + 1, means, reports)
