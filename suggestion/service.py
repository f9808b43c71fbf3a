"""The suggestion service: algorithms over tunewright.v1 and Katib's api.v1.beta1, and rules.

Stateless: what it holds of an experiment may be forgotten at any time. A
tunewright.v1 client sends what is behind the position; Katib's sends all, of
which a log is made.
"""

import threading
from collections.abc import Callable
from typing import Any

import grpc

from ..api.errors import Codes, Fault, Invalid, Terminal, Unsupported
from ..api.history import SearchState
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
from .algorithm import Capabilities
from .early_stopping.katib_service import KatibEarlyStopping
from .early_stopping.served import EarlyStoppingService
from .held import MOST_POINTS, Experiments
from .katib_names import named, placed
from .katib_words import in_katibs_words
from .settings_wire import setting_to_wire

HEALTH_SERVICES = ("manager.v1beta1.Suggestion", "")
THREADS = 256
"""A call holds a thread while a worker process computes its answer. Were none free, a health probe
would go unanswered, and the service would be restarted."""


class _NoMore(Terminal):
    """The search has no more points; Katib's protocol has no other word for it."""

    codes = Codes(exit=1, http=409, grpc="OUT_OF_RANGE")


class SuggestionService(tunewright_pb2_grpc.SuggestionServicer):
    """tunewright.v1."""

    def __init__(self, experiments: Experiments) -> None:
        self._experiments = experiments

    def Suggest(  # noqa: N802  # the protocol's name
        self, request: tunewright_pb2.SuggestRequest, context: grpc.ServicerContext
    ) -> tunewright_pb2.SuggestReply:
        problem = convert.problem_from_wire(request.problem)
        entries = convert.log_from_wire(request.entries, request.after, problem)
        count = min(request.count, MOST_POINTS)  # a short answer is one, too
        with self._experiments.of(problem, "v1") as held:
            suggestion = held.suggest(
                problem, (request.after, entries), request.first_index, count, context
            )
        return convert.suggestion_to_wire(suggestion, request.after + len(entries))

    def Validate(  # noqa: N802  # the protocol's name
        self, request: tunewright_pb2.ValidateRequest, _context: Any
    ) -> tunewright_pb2.ValidateReply:
        faults = registry.validate_problem(convert.problem_from_wire(request.problem))
        if faults:
            raise Invalid(faults)
        return tunewright_pb2.ValidateReply()

    def Describe(  # noqa: N802  # the protocol's name
        self, _request: tunewright_pb2.DescribeRequest, _context: Any
    ) -> tunewright_pb2.DescribeReply:
        found = [(name, registry.find(name)) for name in registry.names()]
        return tunewright_pb2.DescribeReply(
            algorithms=[
                tunewright_pb2.Algorithm(
                    name=name,
                    description=algorithm.description,
                    settings=list(map(setting_to_wire, algorithm.settings)),
                    capabilities=_capabilities(algorithm.capabilities),
                )
                for name, algorithm in found
            ]
        )


def _capabilities(can: Capabilities) -> tunewright_pb2.Capabilities:
    return tunewright_pb2.Capabilities(
        kinds=sorted(convert.KINDS[kind] for kind in can.kinds),
        distributions=sorted(convert.DISTRIBUTIONS[each] for each in can.distributions),
        conditions=can.conditions,
        objectives=can.objectives,
        architecture=can.architecture,
        needs_levels=can.needs_levels,
        repeats=can.repeats,
    )


class KatibService(api_pb2_grpc.SuggestionServicer):
    """api.v1.beta1. Katib's controller wants exactly the points that it asked for."""

    def __init__(self, experiments: Experiments) -> None:
        self._experiments = experiments

    @in_katibs_words()
    def GetSuggestions(  # noqa: N802  # the protocol's name
        self, request: api_pb2.GetSuggestionsRequest, context: grpc.ServicerContext
    ) -> api_pb2.GetSuggestionsReply:
        problem = convert_katib.problem_from_katib(request.experiment)
        entries = [*map(placed, convert_katib.log_from_katib(problem, request.trials))]
        count = request.current_request_number
        if count > MOST_POINTS:
            message = f"{count} points are more than {MOST_POINTS}, too many for one answer"
            raise Invalid([Fault("current_request_number", message)])
        # A trial of the log has its index already, however many the caller says it asked for.
        first_index = max(request.total_request_number - count, len(request.trials))
        with self._experiments.of(problem, "katib") as held:
            suggestion = held.suggest(problem, (0, entries), first_index, count, context)
        if len(suggestion.proposals) < count:
            if suggestion.state is SearchState.EXHAUSTED:
                raise _NoMore(suggestion.note)
            raise _NoMore("fewer points than asked for can be given now")
        return convert_katib.proposals_to_katib(
            [named(problem.experiment, each) for each in suggestion.proposals]
        )

    @in_katibs_words()
    def ValidateAlgorithmSettings(  # noqa: N802  # the protocol's name
        self, request: api_pb2.ValidateAlgorithmSettingsRequest, _context: Any
    ) -> api_pb2.ValidateAlgorithmSettingsReply:
        faults = registry.validate_problem(convert_katib.problem_from_katib(request.experiment))
        if faults:
            raise Invalid(faults)
        return api_pb2.ValidateAlgorithmSettingsReply()


def _no_cluster(_trial: str) -> None:
    raise Unsupported("there is no cluster here whose trials could be marked")


def start_service(
    address: str,
    *,
    mark_stopped: Callable[[str], None] = _no_cluster,
    tls: serving.Tls | None = None,
    token: str | None = None,
    open_to_all: bool = False,
) -> tuple[grpc.Server, str]:
    """Start serving; return the server and the address that it listens on.

    `mark_stopped` tells the cluster of a trial of Katib's that it was stopped early.

    Raises:
        Unsupported: the address is taken, or reachable by callers that nobody would know.
    """
    held = Experiments()

    def register(server: grpc.Server) -> None:
        tunewright_pb2_grpc.add_SuggestionServicer_to_server(SuggestionService(held), server)
        tunewright_pb2_grpc.add_EarlyStoppingServicer_to_server(EarlyStoppingService(), server)
        api_pb2_grpc.add_SuggestionServicer_to_server(KatibService(held), server)
        api_pb2_grpc.add_EarlyStoppingServicer_to_server(KatibEarlyStopping(mark_stopped), server)

    try:
        server, listening = serving.start(
            address,
            register,
            health=HEALTH_SERVICES,
            tls=tls,
            token=token,
            open_to_all=open_to_all,
            threads=THREADS,
        )
    except Unsupported:
        held.close()
        raise

    def close() -> None:
        server.wait_for_termination()
        held.close()

    threading.Thread(target=close, name="suggestions-end", daemon=True).start()
    return server, listening
