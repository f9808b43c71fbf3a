"""A million lines through the collector, against reading them."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tunewright.metrics_collector.collection import Collection
from tunewright.metrics_collector.spec import CollectorSpec

_BLOCK = 64 * 1024
_ROUNDS = 3

LINES: dict[str, tuple[Callable[[int], str], float]] = {
    "no line holds a metric": (lambda i: f"sample {i} of 1000000: lr=0.001, 12.3 s, ok", 1.5),
    "every line holds one": (lambda i: f"sample {i} of 1000000: loss={1 / (i + 1):.6f}, ok", 8.0),
    "every line holds two and a step": (
        lambda i: f"step={i} loss={1 / (i + 1):.6f} accuracy={i / 1e6:.4f}, ok",
        0.0,
    ),
}


def main(*, quick: bool = False) -> str:
    count = 50_000 if quick else 1_000_000
    rows = [
        f"Collector, {count:,} lines, best of {_ROUNDS}. Reading is `for line in open(path)`.",
        "",
        "| lines | reading | collecting | ratio | goal |",
        "|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        for name, (line, goal) in LINES.items():
            path.write_text("".join(f"{line(i)}\n" for i in range(count)))
            read, collected = _both(path)
            aim = f"{goal} ×" if goal else "–"
            rows.append(
                f"| {name} | {read:.3f} s | {collected:.3f} s | {collected / read:.2f} × | {aim} |"
            )
    return "\n".join(rows)


def _both(path: Path) -> tuple[float, float]:
    """Measure both in turn, so that a busy machine hits them alike."""
    times = [(_timed(_read, path), _timed(_collect, path)) for _ in range(_ROUNDS)]
    return min(t for t, _ in times), min(t for _, t in times)


def _timed(work: Callable[[Path], None], path: Path) -> float:
    start = time.process_time()
    work(path)
    return time.process_time() - start


def _read(path: Path) -> None:
    with path.open() as file:
        for _ in file:
            pass


def _collect(path: Path) -> None:
    collection = Collection(CollectorSpec(), ("loss", "accuracy"))
    for block in _blocks(path):
        collection.feed("stdout", block, 0.0)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while block := os.read(file.fileno(), _BLOCK):
            yield block


if __name__ == "__main__":
    print(main())
