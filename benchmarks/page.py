"""The page over an experiment of 10,000 trials and a million observations, and 200 watchers.

The bound is what a read of the same rows costs by itself: nothing is served faster than the
store can be read. The watchers follow an experiment in which ten trials end every second.
"""

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from tunewright.api.documents import parse
from tunewright.api.history import Proposal
from tunewright.api.identity import ExperimentKey
from tunewright.api.observation import Batch, Sample
from tunewright.api.states import TrialState
from tunewright.db.sql import open_store
from tunewright.db.store import Store

TOKEN = "bench"
WATCHERS = 200
ENDS_A_SECOND = 10
SECONDS = 20
CONTAINER = {
    "name": "training",
    "image": "local",
    "command": ["true", *(f"${{trialParameters.{name}}}" for name in "abcdefgh")],
}
DOCUMENT = {
    "apiVersion": "kubeflow.org/v1beta1",
    "kind": "Experiment",
    "spec": {
        "objective": {"type": "minimize", "objectiveMetricName": "loss"},
        "parameters": [
            {
                "name": name,
                "parameterType": "double",
                "feasibleSpace": {"min": "0", "max": "1"},
            }
            for name in "abcdefgh"
        ],
        "trialTemplate": {
            "trialParameters": [{"name": name, "reference": name} for name in "abcdefgh"],
            "trialSpec": {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "spec": {"template": {"spec": {"containers": [CONTAINER]}}},
            },
        },
    },
}


def main(*, quick: bool = False) -> str:
    trials, each = (1000, 20) if quick else (10_000, 100)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "store.db"
        store = open_store(place)
        uid = begun(store, "large")
        for first in range(0, trials, 500):
            end(store, uid, range(first, min(first + 500, trials)), each)
        with served(Path(folder)) as (page, url):
            rows = [*reading(store, uid, url, trials, each), *watching(store, page, url)]
        store.close()
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def begun(store: Store, name: str) -> str:
    document = parse({**DOCUMENT, "metadata": {"name": name, "namespace": "default"}}).write()
    key = ExperimentKey("default", name)
    return store.create_experiment(key, document, seed=1, workdir="/", now=time.time()).uid


def end(store: Store, uid: str, indexes: range, each: int) -> None:
    """Propose trials, report of each, and end them."""
    now = time.time()
    points = [
        (
            f"{uid[:8]}-{n}",
            Proposal({name: (n * 7919 + k) % 1000 / 1000 for k, name in enumerate("abcdefgh")}),
        )
        for n in indexes
    ]
    with store.group():
        store.propose(uid, indexes.start, points, made_from=0, now=now)
        for index in indexes:
            store.start_attempt(uid, index, 1, token="t", now=now)
            store.attempt_running(uid, index, 1, pid=1, pid_started_at=now, now=now)
            samples = tuple(
                Sample("loss", 1 + (index * 31 % 97) / 97 - step / (each + 1), now + step, step)
                for step in range(each)
            )
            store.record([Batch(uid, index, 1, "stdout", 0, samples)], now=now)
            store.finish_trial(
                uid, index, TrialState.SUCCEEDED, reason="Completed", message="", now=now + each
            )


@contextlib.contextmanager
def served(home: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = ["-m", "tunewright", "ui", "--port", "0", "--token", TOKEN, "--no-open"]
    environ = {**os.environ, "TUNEWRIGHT_HOME": str(home)}
    with subprocess.Popen(
        [sys.executable, *command], env=environ, stdout=subprocess.PIPE, text=True
    ) as page:
        try:
            assert page.stdout is not None
            found = re.search(r"http://[^/]+", page.stdout.readline())
            assert found is not None
            yield page, found[0]
        finally:
            page.terminate()


def reading(store: Store, uid: str, url: str, trials: int, each: int) -> Iterator[tuple[str, str]]:
    api = f"{url}/api/v1/experiments/default/large"
    fetched(f"{url}/api/v1/experiments")
    bound = timed(lambda: list(store.trials(uid, observations=True)))
    first, size = fetched(f"{api}/columns")
    yield f"reading {trials:,} trials from the store", f"{bound:.2f} s"
    yield (
        f"all of them in columns, {trials * each:,} observations behind them, the first time",
        f"{first:.2f} s ({first / bound:.1f} × reading them), {size / 1e6:.1f} MB",
    )
    yield "again", f"{fetched(f'{api}/columns')[0]:.2f} s"
    yield (
        "what changed since",
        f"{1000 * fetched(f'{api}/columns?after={2 * trials}')[0]:.0f} ms",
    )
    yield "the experiment's page", f"{1000 * fetched(url + '/experiments/default/large')[0]:.0f} ms"
    yield "200 curves", f"{fetched(f'{api}/curves')[0]:.2f} s"


def watching(store: Store, page: "subprocess.Popen[str]", url: str) -> Iterator[tuple[str, str]]:
    uid = begun(store, "watched")
    over = threading.Event()

    def go_on() -> None:
        for index in range(10**6):
            if over.wait(1 / ENDS_A_SECOND):
                return
            end(store, uid, range(index, index + 1), 5)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        before = cpu_seconds(page.pid)
        messages = asyncio.run(watched(url))
        used = (cpu_seconds(page.pid) - before) / SECONDS
    finally:
        over.set()
        thread.join()
    yield (
        f"{WATCHERS} watchers of an experiment in which {ENDS_A_SECOND} trials end a second",
        f"{used:.2f} cores, {messages / WATCHERS / SECONDS:.1f} messages a second to each",
    )


async def watched(url: str) -> int:
    """Return how many messages all watchers were sent."""
    return sum(await asyncio.gather(*(watch(url) for _ in range(WATCHERS))))


async def watch(url: str) -> int:
    host, _, port = url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"GET /api/v1/experiments/default/watched/live HTTP/1.1\r\nHost: {host}:{port}\r\n"
        f"Authorization: Bearer {TOKEN}\r\n\r\n".encode()
    )
    messages = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SECONDS):
            while line := await reader.readline():
                messages += line.startswith(b"event: change")
    writer.close()
    return messages


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def fetched(url: str) -> tuple[float, int]:
    """Return the seconds until an answer is whole, and its bytes."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})
    began = time.perf_counter()
    with urllib.request.urlopen(request) as response:
        size = len(response.read())
    return time.perf_counter() - began, size
