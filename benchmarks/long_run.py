"""A long experiment: whether a trial costs more, or memory grows, as trials pile up."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def family(pid: int) -> list[int]:
    """Return a process and its descendants; one that ends meanwhile has none."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(member for child in children for member in family(int(child)))]


def peak_memory_mb(pid: int) -> float:
    """Sum the peaks of the engine and its helpers; trials are too small and brief to matter."""
    total = 0
    for member in family(pid):
        try:
            status = Path(f"/proc/{member}/status").read_text()
        except OSError:
            continue
        total += next(
            (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0
        )
    return total / 1024


def main(*, quick: bool = False) -> str:
    trials = 3000 if quick else 100_000
    with tempfile.TemporaryDirectory() as folder:
        store = ("--store", f"{folder}/store.db")
        run = subprocess.Popen(
            [
                *(sys.executable, "-m", "tunewright", "run", *store, "--name", "long"),
                *("--param", "x=0.0..1.0", "--minimize", "loss", "--algorithm", "random"),
                *("--trials", str(trials), "--parallel", "2", "--", "sh", "-c", "echo loss={x}"),
            ],
            stdout=subprocess.DEVNULL,
        )
        memory = 0.0
        while run.poll() is None:
            memory = max(memory, peak_memory_mb(run.pid))
            time.sleep(1)
        if run.returncode:
            raise SystemExit(f"the run ended with {run.returncode}")
        exported = subprocess.run(
            [sys.executable, "-m", "tunewright", "export", "long", *store, "--format", "json"],
            check=True,
            capture_output=True,
        ).stdout
    ends = sorted(row["finished_at"] for row in json.loads(exported))
    first, last = ends[999] - ends[0], ends[-1] - ends[-1000]
    return "\n".join(
        [
            f"| {len(ends)} trials | |",
            "|---|---|",
            f"| the first thousand | {first:.1f} s |",
            f"| the last thousand | {last:.1f} s, {last / first:.2f} × the first |",
            f"| peak memory of engine, guard and search | {memory:.0f} MB |",
        ]
    )


if __name__ == "__main__":
    print(main())
