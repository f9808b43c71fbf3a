"""A plug-in of Katib's that bears no restart: a program of its own, and how it is run.

    python -m support.katib_plugin PORT

It counts through the values of `n`, and fails on a trial that it did not propose.
Its names count too, so that after a restart it gives them again.
"""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from tunewright.proto import api_pb2, api_pb2_grpc, serving


class Counting(api_pb2_grpc.SuggestionServicer):
    def __init__(self) -> None:
        self._given = 0

    def GetSuggestions(self, request, context):  # noqa: N802
        mine = {f"counting-{n}" for n in range(self._given)}
        for trial in request.trials:
            if trial.name not in mine:
                raise ValueError(f"An unknown trial has been passed: {trial.name}")
        reply = api_pb2.GetSuggestionsReply()
        for _ in range(request.current_request_number):
            one = reply.parameter_assignments.add(trial_name=f"counting-{self._given}")
            self._given += 1
            one.assignments.add(name="n", value=str(self._given))
        return reply


@dataclass
class Plugin:
    """The program, listening on one port for all its lives."""

    port: int
    process: "subprocess.Popen[str] | None" = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "support.katib_plugin", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
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
        lambda server: api_pb2_grpc.add_SuggestionServicer_to_server(Counting(), server),
    )
    print("ready", flush=True)  # noqa: T201
    server.wait_for_termination()


if __name__ == "__main__":
    main()
