"""What a call of `report()` costs a training, beside TensorBoard and a line in a file."""

import asyncio
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tunewright.metrics_collector.push import PushServer
from tunewright.sdk.report import ADDRESS, TOKEN, report

_GOAL = 20  # microseconds
_STEP = 0.0005  # seconds of work between two calls


def main(*, quick: bool = False) -> str:
    count = 2_000 if quick else 20_000
    rows = [
        (
            f"Microseconds that a call holds up the training; {count:,} calls with"
            f" {_STEP * 1000:g} ms of work between two, the engine a process of its own. The goal"
            f" for `report` is {_GOAL}."
        ),
        "",
        "| | median | 99 in 100 | mean | all arrived |",
        "|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        rows += [_reporting(count), _tensorboard(count, folder), _file(count, folder)]
    return "\n".join(rows)


def _row(name: str, seconds: list[float], arrived: str) -> str:
    micro = [each * 1e6 for each in seconds]
    worst = statistics.quantiles(micro, n=100)[98]
    return (
        f"| {name} | {statistics.median(micro):.1f} | {worst:.1f}"
        f" | {statistics.fmean(micro):.1f} | {arrived} |"
    )


def _measured(call: Callable[[int], object], count: int) -> list[float]:
    call(0)
    times = []
    for step in range(1, count):
        _work()
        begun = time.perf_counter()
        call(step)
        times.append(time.perf_counter() - begun)
    return times


def _work() -> None:
    until = time.perf_counter() + _STEP
    while time.perf_counter() < until:
        sum(range(50))


def _reporting(count: int) -> str:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    engine = context.Process(target=_engine, args=(theirs, count))
    engine.start()
    os.environ |= {ADDRESS: ours.recv(), TOKEN: "it"}
    try:
        times = _measured(lambda step: report(loss=1 / (step + 1), step=step), count)
        arrived = ours.recv() if ours.poll(30) else "no"
    finally:
        engine.kill()
        engine.join()
        del os.environ[ADDRESS], os.environ[TOKEN]
    return _row("`report(loss=…, step=…)`", times, arrived)


def _engine(parent: Connection, count: int) -> None:
    """Keep what is pushed, and tell once all of it has come."""

    async def keep(_token: str, _source: str, first: int, samples: tuple[Any, ...]) -> Any:
        last = first + len(samples) - 1
        if last >= count - 1:
            parent.send("yes")
        return last, False

    async def serve() -> None:
        server = PushServer(keep)
        await server.start()
        parent.send(server.address)
        await asyncio.Event().wait()

    asyncio.run(serve())


def _tensorboard(count: int, folder: str) -> str:
    from tensorboardX import SummaryWriter

    writer = SummaryWriter(folder)
    times = _measured(lambda step: writer.add_scalar("loss", 1 / (step + 1), step), count)
    writer.close()
    return _row("`SummaryWriter.add_scalar` (tensorboardX)", times, "–")


def _file(count: int, folder: str) -> str:
    with Path(folder, "log").open("w") as file:
        times = _measured(
            lambda step: print(f"loss={1 / (step + 1)} step={step}", file=file, flush=True), count
        )
    return _row("`print(…, flush=True)` to a file", times, "–")
