"""`tunewright serve suggestion` and an algorithm that thinks for too long."""

import dataclasses
import os

import grpc
import pytest
from support.packages import install
from support.search import problem, whole
from support.waiting import until
from tunewright.proto import convert, tunewright_pb2_grpc

STUBBORN = """
import os
import time
from pathlib import Path

from tunewright.api.history import Proposal
from tunewright.suggestion.algorithm import Algorithm
from tunewright.suggestion.history import PointFold


class Stubborn(Algorithm):
    name = "stubborn"
    description = "thinks for ever about its first point, and will not be interrupted"

    def start(self, problem):
        return Fold(problem)


class Fold(PointFold):
    def draw(self, index, retry):
        Path("workers").open("a").write(f"{os.getpid()}\\n")
        while index == 0:
            time.sleep(1)
        return Proposal(self.random_point(index, retry))
"""


@pytest.fixture
def service(tunewright, tmp_path):
    """Serve the algorithms, one of a package beside us among them; give the address."""
    install(tmp_path / "site", "stubborn", STUBBORN, {"stubborn": "stubborn:Stubborn"})
    command = dataclasses.replace(tunewright, site=tmp_path / "site")
    with command.start("serve", "suggestion", "--port", "0") as process:
        yield process.stdout.readline().split()[-1]
        process.terminate()


def is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_an_answer_that_takes_too_long_ends_with_its_worker_and_the_next_call_works(
    service, tmp_path
):
    task = problem(whole("n", 1, 9), algorithm="stubborn")
    with grpc.insecure_channel(service) as channel:
        stub = tunewright_pb2_grpc.SuggestionStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.Suggest(convert.suggest_request(task, 0, (), 0, 1), timeout=4)
        next_one = stub.Suggest(convert.suggest_request(task, 0, (), 1, 1), timeout=60)

    stubborn, other = map(int, (tmp_path / "workers").read_text().split())
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert len(next_one.proposals) == 1
    assert stubborn != other
    until(lambda: is_gone(stubborn))
