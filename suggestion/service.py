"""The suggestion service: every algorithm over tunewright.v1 and over Katib's api.v1.beta1.

Stateless: what it holds of an experiment is a fold at a position, which may be
forgotten at any time. A tunewright.v1 client sends what is behind the position;
Katib's sends all, of which a log is made, and the fold goes on where the log of
the last request is the beginning of this one.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc

from ..api.errors import Codes, Fault, Invalid, Terminal
from ..api.history import Entry, SearchState
from ..api.problem import Problem
from ..proto import (
    api_pb2,
    api_pb2_grpc,
    convert,
    convert_katib,
    health_pb2_grpc,
    tunewright_pb2,
    tunewright_pb2_grpc,
)
from ..proto.serving import Health, Tls, answer, listen, server
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
        self, request: tunewright_pb2.SuggestRequest, context: Any
    ) -> tunewright_pb2.SuggestReply:
        return answer(context, self._suggest, request)

    def Validate(  # noqa: N802  # the protocol's name
        self, request: tunewright_pb2.ValidateRequest, context: Any
    ) -> tunewright_pb2.ValidateReply:
        return answer(context, self._validate, request)

    def Describe(  # noqa: N802  # the protocol's name
        self, request: tunewright_pb2.DescribeRequest, context: Any
    ) -> tunewright_pb2.DescribeReply:
        return answer(context, self._describe, request)

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
        self, request: api_pb2.GetSuggestionsRequest, context: Any
    ) -> api_pb2.GetSuggestionsReply:
        return answer(context, self._suggest, request)

    def ValidateAlgorithmSettings(  # noqa: N802  # the protocol's name
        self, request: api_pb2.ValidateAlgorithmSettingsRequest, context: Any
    ) -> api_pb2.ValidateAlgorithmSettingsReply:
        return answer(context, self._validate, request)

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


def start_service(
    address: str = "0.0.0.0:6789", *, tls: Tls | None = None
) -> tuple[grpc.Server, int]:
    """Start serving; return the server and its port.

    Raises:
        TunewrightError: the address cannot be bound.
    """
    grpc_server = server()
    folds = Folds()
    tunewright_pb2_grpc.add_SuggestionServicer_to_server(SuggestionService(folds), grpc_server)
    api_pb2_grpc.add_SuggestionServicer_to_server(KatibService(folds), grpc_server)
    health_pb2_grpc.add_HealthServicer_to_server(Health(*HEALTH_SERVICES), grpc_server)
    try:
        port = listen(grpc_server, address, tls)
    except RuntimeError as error:
        raise Invalid([Fault("address", f"{address} cannot be bound: {error}")]) from error
    grpc_server.start()
    return grpc_server, port
