"""The three places of experiments, each with what acts there, as a client of the SDK sees them."""

import asyncio
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tunewright.db.sql import open_store

from . import command
from .actors import Fate, quadratic
from .operated import experiment, scene

TOKEN = "of-the-tests"
TRIAL = """\
echo started
awk 'BEGIN {exit !(${trialParameters.x} >= 1)}' && exec sleep 1000
awk 'BEGIN {d = ${trialParameters.x} - 0.5; print "loss=" d * d}'
"""


@dataclass(frozen=True)
class Place:
    """What a client is told to find it, and what is not the same everywhere."""

    options: dict[str, Any]
    runs_processes: bool = True
    """Its trials print, and every value is at hand; the actor of a cluster only reports."""


def document(name: str, *, stays: bool = False, **spec: Any) -> dict[str, Any]:
    """Return an Experiment for every place; its trials may stay until they are ended."""
    low = 1 if stays else 0
    space = {"min": str(low), "max": str(low + 1)}
    whole = experiment(
        name,
        parameters=[{"name": "x", "parameterType": "double", "feasibleSpace": space}],
        **spec,
    )
    pod = whole["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    pod["containers"][0]["command"] = ["sh", "-c", TRIAL]
    return whole


def fate(point: dict[str, Any], attempt: int) -> Fate:
    found = quadratic(point, attempt)
    return replace(found, stays=True) if float(point["x"]) >= 1 else found


@contextmanager
def laptop(folder: Path) -> Iterator[Place]:
    yield Place({"store": folder / "store.db"})


@contextmanager
def served(folder: Path) -> Iterator[Place]:
    """Run `tunewright ui` over a store of its own, as on another machine."""
    words = ["ui", "--port", "0", "--token", TOKEN, "--no-open"]
    with subprocess.Popen(
        [*command.COMMAND, *words],
        cwd=folder,
        env=command.environment(folder / "elsewhere"),
        stdout=subprocess.PIPE,
        text=True,
    ) as page:
        try:
            said = page.stdout.readline() if page.stdout else ""
            found = re.search(r"http://[^/]+", said)
            assert found, said
            yield Place({"server": found[0], "token": TOKEN})
        finally:
            page.terminate()


@contextmanager
def cluster(api_server: Any, folder: Path) -> Iterator[Place]:
    """Let an operator and a Job controller act in a namespace, from a thread of their own."""
    begun, over = threading.Event(), threading.Event()
    namespaces: list[str] = []

    async def act() -> None:
        store = open_store(folder / "metrics.db")
        try:
            async with scene(api_server, store, fate) as played:
                played.operate()
                namespaces.append(played.namespace)
                begun.set()
                await asyncio.to_thread(over.wait)
        finally:
            store.close()

    thread = threading.Thread(target=lambda: asyncio.run(act()))
    thread.start()
    try:
        assert begun.wait(30)
        options = {"kubeconfig": api_server.kubeconfig, "namespace": namespaces[0]}
        yield Place(options, runs_processes=False)
    finally:
        over.set()
        thread.join()
