"""The page over an experiment of 10,000 trials and a million observations, 200 watchers of one,
and a list of 10,000 experiments.

The bound is what a read of the same rows costs by itself: nothing is served faster than the
store can be read. The watchers follow an experiment in which ten trials end every second. A
real browser opens it, while it grows, beside a page without plots.
"""

import asyncio
import contextlib
import os
import re
import sqlite3
import statistics
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
            rows = [*reading(store, uid, url, trials, each), *drawing(store, uid, url, trials)]
            rows += watching(store, page, url)
        store.close()
    rows += listing(200 if quick else 10_000)
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


DRAWN = """
(() => {
  const look = () => {
    const canvas = document.querySelector('[data-chart="history"] canvas');
    const drawing = canvas?.width ? canvas.getContext("2d") : null;
    if (drawing?.getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value)) {
      window.drawnAt = performance.now();
    } else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})();
"""
LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd"
VIEWS = 5


def drawing(store: Store, uid: str, url: str, trials: int) -> Iterator[tuple[str, str]]:
    """Measure from the start of a navigation until the history's canvas holds something."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return
    place = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=place, args=["--no-sandbox"])
        tab = browser.new_page()
        tab.add_init_script(DRAWN)
        tab.goto(f"{url}/algorithms?token={TOKEN}")
        experiment = f"{url}/experiments/default/large"

        def opened(path: str, moment: str) -> float:
            tab.goto(path)
            while not (found := tab.evaluate(moment)):
                time.sleep(0.01)
            return float(found) / 1000

        def median(path: str, moment: str) -> float:
            return statistics.median(opened(path, moment) for _ in range(VIEWS))

        empty = median(f"{url}/algorithms", LOADED)
        drawn = median(experiment, "window.drawnAt")
        yield "a page without plots in a browser, until it is loaded", f"{empty:.2f} s"
        yield (
            f"the first plot of {trials:,} trials, until it is drawn",
            f"{drawn:.2f} s ({drawn / empty:.1f} × that page)",
        )
        with going_on(store, uid, trials):
            grown = median(experiment, "window.drawnAt")
        yield "the same while ten trials end a second", f"{grown:.2f} s"
        browser.close()


def watching(store: Store, page: "subprocess.Popen[str]", url: str) -> Iterator[tuple[str, str]]:
    with going_on(store, begun(store, "watched"), 0):
        before = cpu_seconds(page.pid)
        messages = asyncio.run(watched(url))
        used = (cpu_seconds(page.pid) - before) / SECONDS
    yield (
        f"{WATCHERS} watchers of an experiment in which {ENDS_A_SECOND} trials end a second",
        f"{used:.2f} cores, {messages / WATCHERS / SECONDS:.1f} messages a second to each",
    )


@contextlib.contextmanager
def going_on(store: Store, uid: str, first: int) -> Iterator[None]:
    """End ten trials a second for the time of a block."""
    over = threading.Event()

    def go_on() -> None:
        for index in range(first, 10**6):
            if over.wait(1 / ENDS_A_SECOND):
                return
            end(store, uid, range(index, index + 1), 5)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


ROWS = "SELECT * FROM experiments {} ORDER BY created_at DESC LIMIT 50"
SEARCH = "WHERE name LIKE '%999%'"


def listing(count: int) -> Iterator[tuple[str, str]]:
    """Measure the list beside SQL that reads one page's rows and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "store.db"
        store = open_store(place)
        few = begun(store, "e-0")
        quiet_few = timed_often(store.feed().read)
        crowd(store, count)
        with served(Path(folder)) as (_, url), contextlib.closing(sqlite3.connect(place)) as rows:
            api = f"{url}/api/v1/experiments"
            fetched(api)
            for name, where, query in (
                ("the first page", "", ""),
                ("a search", SEARCH, "?search=999"),
            ):
                bound = timed_often(lambda where=where: rows.execute(ROWS.format(where)).fetchall())
                taken = timed_often(lambda query=query: fetched(api + query))
                yield (
                    f"{name} of {count:,} experiments",
                    f"{1000 * taken:.0f} ms ({taken / bound:.0f} × reading its rows by SQL alone)",
                )
            feed = store.feed()
            feed.read()
            quiet = timed_often(feed.read)
            yield (
                "a look at what changed in them, when nothing did",
                f"{1000 * quiet:.2f} ms ({quiet / quiet_few:.1f} × that of one experiment)",
            )
            yield "one change, until who watches is told", f"{told(store, few, url):.2f} s"
        store.close()


def crowd(store: Store, count: int) -> None:
    """Write experiments, each with a trial that has ended."""
    for first in range(1, count, 500):
        with store.group():
            for number in range(first, min(first + 500, count)):
                end(store, begun(store, f"e-{number}"), range(1), 1)


def told(store: Store, uid: str, url: str) -> float:
    """Return the seconds from a change until the stream of the list tells it."""
    request = urllib.request.Request(
        f"{url}/api/v1/experiments/live", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    seconds = []
    with urllib.request.urlopen(request) as lines:
        for turn in range(VIEWS):
            time.sleep(0.8 + 0.13 * turn)  # the page looks twice a second: never at one moment
            began = time.perf_counter()
            store.add_active_seconds(uid, 1.0)
            while uid.encode() not in next(lines):
                pass
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


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


def timed_often(call: Callable[[], object]) -> float:
    return statistics.median(timed(call) for _ in range(20))


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
