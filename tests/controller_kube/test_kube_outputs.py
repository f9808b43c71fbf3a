"""The end of what a trial wrote: whose, how much, and that nothing waits for it long."""

import asyncio

import pytest
from tunewright.api.errors import NotFound
from tunewright.controller.kube import outputs
from tunewright.controller.kube.outputs import KEPT, keep_output


class Logs:
    """An API server that has the log of each pod, and an archive that takes them."""

    def __init__(self, **logs):
        self.logs = logs
        self.kept = []

    async def log_end(self, namespace, pod, container, *, previous=False):
        assert not previous
        if pod not in self.logs:
            raise NotFound(f"{namespace}/{pod}")
        if self.logs[pod] is None:
            await asyncio.Event().wait()
        return f"{container}: ".encode() + self.logs[pod]

    async def keep_output(self, uid, index, attempt, tail):
        self.kept.append((uid, index, attempt, tail))


def pod(name, created, **labels):
    metadata = {"name": name, "namespace": "team", "creationTimestamp": created, "labels": labels}
    return {"metadata": metadata}


def kept(logs, *pods, labels=()):
    attempt = ("e-1", 3, 2)
    asked = keep_output(logs, logs, attempt, pods, container="main", labels=dict(labels))
    asyncio.run(asked)
    return logs.kept


def test_the_newest_primary_pod_is_read():
    logs = Logs(old=b"1", new=b"2", worker=b"3")
    pods = [
        *(pod("old", "2026-01-01", role="master"), pod("new", "2026-01-02", role="master")),
        pod("worker", "2026-01-03", role="worker"),
    ]

    assert kept(logs, *pods, labels={"role": "master"}) == [("e-1", 3, 2, b"main: 2")]


def test_the_end_of_much_is_kept():
    ((*_, tail),) = kept(Logs(a=b"x" * KEPT + b"end"), pod("a", "2026-01-01"))

    assert len(tail) == KEPT
    assert tail.endswith(b"end")


@pytest.mark.parametrize("logs", [Logs(), Logs(a=None)], ids=["gone", "silent"])
def test_what_cannot_be_read_is_not_kept_and_hinders_nothing(logs, monkeypatch):
    monkeypatch.setattr(outputs, "PATIENCE_SECONDS", 0.01)

    assert kept(logs, pod("a", "2026-01-01")) == []
