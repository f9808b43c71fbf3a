"""What a collector does with the answers of the metrics service."""

import asyncio

import pytest
from tunewright.api.errors import Forbidden
from tunewright.api.history import Proposal
from tunewright.api.identity import ExperimentKey
from tunewright.db.authority import Caller
from tunewright.db.metrics_service import serve
from tunewright.db.sql import open_store
from tunewright.metrics_collector.uplink import Uplink
from tunewright.proto import tunewright_pb2
from tunewright.proto.service import Service

DOCUMENT = {"spec": {"objective": {"type": "minimize", "objectiveMetricName": "loss"}}}
BATCH = tunewright_pb2.ReportRequest(
    namespace="team",
    trial="a-0",
    attempt=1,
    source="StdOut",
    samples=[tunewright_pb2.Sample(metric="loss", value=0.5, time=2.0)],
)


class Forgetful:
    """Knows the trial's pod after so many questions."""

    def __init__(self, doubts: int) -> None:
        self.doubts = doubts

    def caller(self, _peer: str, _token: str | None) -> Caller:
        self.doubts -= 1
        return Caller("pod team/worker", "team", "a-0") if self.doubts < 0 else Caller("a stranger")


@pytest.fixture
def send(tmp_path):
    """Send a batch to a service of that memory, and note how long was waited, without waiting."""

    def sent(doubts: int, waited: list[float]) -> None:
        store = open_store(tmp_path / "store.db")
        uid = store.create_experiment(
            ExperimentKey("team", "a"), DOCUMENT, seed=1, workdir="/", now=1.0
        ).uid
        store.propose(uid, 0, [("a-0", Proposal({"x": 1}))], made_from=0, now=1.0)
        store.start_attempt(uid, 0, 1, token="t", now=1.0)
        server, address = serve(store, "127.0.0.1:0", authority=Forgetful(doubts))

        async def sleep(seconds: float) -> None:
            waited.append(seconds)

        async def run() -> None:
            uplink = Uplink(Service(address), sleep=sleep)
            try:
                await uplink.send(BATCH)
            finally:
                await uplink.close()

        try:
            asyncio.run(run())
        finally:
            server.stop(None).wait()
            store.close()

    return sent


def test_who_is_not_known_for_a_moment_loses_nothing(send):
    waited: list[float] = []
    send(3, waited)
    assert 0 < sum(waited) < 10


def test_who_may_not_report_for_a_minute_may_not(send):
    waited: list[float] = []
    with pytest.raises(Forbidden, match="a stranger may not report"):
        send(1000, waited)
    assert 60 <= sum(waited) < 80


def test_a_service_that_is_away_for_hours_is_asked_again_every_few_seconds():
    waited: list[float] = []

    class Enough(Exception):
        """It was asked often enough."""

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        if sum(waited) > 4 * 3600:
            raise Enough

    async def run() -> None:
        uplink = Uplink(Service("unix:/nowhere/metrics"), sleep=sleep)
        try:
            await uplink.send(BATCH)
        finally:
            await uplink.close()

    with pytest.raises(Enough):
        asyncio.run(run())
    assert waited == sorted(waited)
    assert waited[-1] == 10
