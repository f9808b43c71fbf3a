"""The suggestion service: every algorithm over tunewright.v1 and over Katib's api.v1.beta1.

Stateless: what it holds of an experiment is a fold at a position, which may be
forgotten at any time. A tunewright.v1 client sends what is behind the position;
Katib's sends all, of which a log is made, and the fold goes on where the log of
the last request is the beginning of this one.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from ..api.errors import Codes, Invalid, Terminal
from ..api.history import Entry, SearchState
from ..api.problem import Problem
from ..proto import (
    api_pb2,
    api_pb2_grpc,
    convert,
    convert_katib,
    serving,
    tunewright_pb2,
    tunewright_pb2_grpc,
)
from . import registry
from .session import Session

HEALTH_SERVICES = ("manager.v1beta1.Suggestion", "")
_GREATEST = 64
"""Experiments whose folds are kept; beyond it the one not asked for longest is forgotten."""


class _SendAll(Terminal):
    """The service does not hold the position that the request starts from."""

    codes = Codes(exit=1, http=409, grpc="FAILED_PRECONDITION")


class _NoMore(Terminal):
    """The search has no more points; Katib's protocol has no other word for it."""

    codes = Codes(exit=1, http=409, grpc="OUT_OF_RANGE")


class _Refused(Terminal):
    """`Invalid` for a caller who shows the text as it is."""

    codes = Invalid.codes


@dataclass(slots=True)
class _Held:
    """One experiment's fold, and the log that it was made from when Katib sends it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    session: Session | None = None
    entries: Sequence[Entry] = ()


class Folds:
    """Folds by experiment, each used by one call at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[str, str], _Held] = OrderedDict()

    def of(self, problem: Problem, api: str) -> _Held:
        with self._lock:
            held = self._held.setdefault((api, problem.uid), _Held())
            self._held.move_to_end((api, problem.uid))
            while len(self._held) > _GREATEST:
                self._held.popitem(last=False)
            return held


class SuggestionService(tunewright_pb2_grpc.SuggestionServicer):
    """tunewright.v1."""

    def __init__(self, folds: Folds) -> None:
        self._folds = folds

    def Suggest(  # noqa: N802  # the protocol's name
        self, request: tunewright_pb2.SuggestRequest, _context: Any
    ) -> tunewright_pb2.SuggestReply:
        return self._suggest(request)

    def Validate(  # noqa: N802  # the protocol's name
        self, request: tunewright_pb2.ValidateRequest, _context: Any
    ) -> tunewright_pb2.ValidateReply:
        return self._validate(request)

    def Describe(  # noqa: N802  # the protocol's name
        self, request: tunewright_pb2.DescribeRequest, _context: Any
    ) -> tunewright_pb2.DescribeReply:
        return self._describe(request)

    def _suggest(self, request: tunewright_pb2.SuggestRequest) -> tunewright_pb2.SuggestReply:
        problem = convert.problem_from_wire(request.problem)
        held = self._folds.of(problem, "v1")
        with held.lock:
            session = held.session
            if session is None or not session.serves(problem) or request.after == 0:
                if request.after > 0:
                    raise _SendAll(f"position {request.after} is not held here: send from 0")
                session = held.session = Session(problem)
            if session.position != request.after:
                raise _SendAll(f"position {session.position} is held here: send from 0")
            session.observe(convert.entry_from_wire(entry) for entry in request.entries)
            suggestion = session.suggest(request.first_index, request.count)
            return convert.suggestion_to_wire(suggestion, session.position)

    def _validate(self, request: tunewright_pb2.ValidateRequest) -> tunewright_pb2.ValidateReply:
        faults = registry.validate_problem(convert.problem_from_wire(request.problem))
        if faults:
            raise Invalid(faults)
        return tunewright_pb2.ValidateReply()

    def _describe(self, request: tunewright_pb2.DescribeRequest) -> tunewright_pb2.DescribeReply:
        del request
        found = [(name, registry.find(name)) for name in registry.names()]
        return tunewright_pb2.DescribeReply(
            algorithms=[
                tunewright_pb2.Algorithm(
                    name=name,
                    description=algorithm.description,
                    settings=[
                        tunewright_pb2.Setting(
                            name=setting.name,
                            type=setting.type_name,
                            default=setting.default,
                            rule=setting.rule,
                            description=setting.description,
                        )
                        for setting in algorithm.settings
                    ],
                )
                for name, algorithm in found
            ]
        )


class KatibService(api_pb2_grpc.SuggestionServicer):
    """api.v1.beta1. Katib's controller wants exactly the points that it asked for."""

    def __init__(self, folds: Folds) -> None:
        self._folds = folds

    def GetSuggestions(  # noqa: N802  # the protocol's name
        self, request: api_pb2.GetSuggestionsRequest, _context: Any
    ) -> api_pb2.GetSuggestionsReply:
        with _in_katibs_words():
            return self._suggest(request)

    def ValidateAlgorithmSettings(  # noqa: N802  # the protocol's name
        self, request: api_pb2.ValidateAlgorithmSettingsRequest, _context: Any
    ) -> api_pb2.ValidateAlgorithmSettingsReply:
        with _in_katibs_words():
            return self._validate(request)

    def _suggest(self, request: api_pb2.GetSuggestionsRequest) -> api_pb2.GetSuggestionsReply:
        problem = convert_katib.problem_from_katib(request.experiment)
        entries = convert_katib.log_from_katib(problem, request.trials)
        count = request.current_request_number
        first_index = max(request.total_request_number - count, 0)
        held = self._folds.of(problem, "katib")
        with held.lock:
            known = len(held.entries)
            if held.session is None or list(held.entries) != entries[:known]:
                held.session = Session(problem)
            held.entries = entries
            held.session.observe(entries)
            suggestion = held.session.suggest(first_index, count)
        if len(suggestion.proposals) < count:
            if suggestion.state is SearchState.EXHAUSTED:
                raise _NoMore(suggestion.note)
            raise _NoMore("fewer points than asked for can be given now")
        return convert_katib.proposals_to_katib(suggestion.proposals)

    def _validate(
        self, request: api_pb2.ValidateAlgorithmSettingsRequest
    ) -> api_pb2.ValidateAlgorithmSettingsReply:
        faults = registry.validate_problem(convert_katib.problem_from_katib(request.experiment))
        if faults:
            raise Invalid(faults)
        return api_pb2.ValidateAlgorithmSettingsReply()


@contextmanager
def _in_katibs_words() -> Iterator[None]:
    """Tell what is wrong by Katib's messages alone, one a line."""
    try:
        yield
    except Invalid as error:
        raise _Refused("\n".join(fault.message for fault in error.faults)) from error


def start_service(
    address: str,
    *,
    tls: serving.Tls | None = None,
    token: str | None = None,
    open_to_all: bool = False,
) -> tuple[grpc.Server, str]:
    """Start serving; return the server and the address that it listens on.

    Raises:
        Unsupported: the address is taken, or reachable by callers that nobody would know.
    """

    def register(server: grpc.Server) -> None:
        folds = Folds()
        tunewright_pb2_grpc.add_SuggestionServicer_to_server(SuggestionService(folds), server)
        api_pb2_grpc.add_SuggestionServicer_to_server(KatibService(folds), server)

    return serving.start(
        address, register, health=HEALTH_SERVICES, tls=tls, token=token, open_to_all=open_to_all
    )
