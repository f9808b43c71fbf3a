"""A plug-in of Katib's that bears no restart: a program of its own, and how it is run.

    python katib_plugin.py PORT

It counts through the points of a space of few parameters, or draws them, and fails on a
trial that it did not propose. Its names count too, so that after a restart it gives them again.
"""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import grpc
from tunewright.api.history import Proposed
from tunewright.proto import api_pb2, api_pb2_grpc, convert_katib, serving
from tunewright.suggestion import registry
from tunewright.suggestion.algorithm import Fold

PROGRAM = (sys.executable, __file__)
MOST = 3


class Remembering(api_pb2_grpc.SuggestionServicer):
    def __init__(self) -> None:
        self._fold: Fold | None = None
        self._given = 0

    def GetSuggestions(self, request, context):  # noqa: N802
        known = {f"counting-{n}" for n in range(self._given)}
        for trial in request.trials:
            if trial.name not in known:
                raise ValueError(f"An unknown trial has been passed: {trial.name}")
        if self._fold is None:
            self._fold = fold_of(request.experiment)
        found = self._fold.suggest(self._given, request.current_request_number)
        if not found.proposals:
            context.set_code(grpc.StatusCode.OUT_OF_RANGE)
        named = [
            replace(proposal, name=f"counting-{self._given + n}")
            for n, proposal in enumerate(found.proposals)
        ]
        for proposal in named:
            self._fold.observe(Proposed(self._given + 1, self._given, proposal, self._given))
            self._given += 1
        return convert_katib.proposals_to_katib(named)

    def ValidateAlgorithmSettings(self, request, context):  # noqa: N802
        if len(request.experiment.spec.parameter_specs.parameters) > MOST:
            context.set_code(grpc.StatusCode.INVALID_ARGUMENT)
            context.set_details(f"more than {MOST} parameters")
        return api_pb2.ValidateAlgorithmSettingsReply()


def fold_of(experiment: api_pb2.Experiment) -> Fold:
    """Count where the space can be counted, else draw."""
    problem = convert_katib.problem_from_katib(experiment)
    algorithm = "random" if problem.space.cardinality is None else "grid"
    return registry.start(replace(problem, algorithm=algorithm))


@dataclass
class Plugin:
    """The program, listening on one port for all its lives."""

    port: int
    process: "subprocess.Popen[str] | None" = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [*PROGRAM, str(self.port)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        assert self.process is not None
        with self.process:
            self.process.kill()


@contextlib.contextmanager
def counting() -> Iterator[Plugin]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    plugin = Plugin(port)
    plugin.start()
    try:
        yield plugin
    finally:
        plugin.kill()


def main() -> None:
    server, _ = serving.start(
        f"127.0.0.1:{sys.argv[1]}",
        lambda server: api_pb2_grpc.add_SuggestionServicer_to_server(Remembering(), server),
    )
    print("ready", flush=True)  # noqa: T201
    server.wait_for_termination()


if __name__ == "__main__":
    main()
