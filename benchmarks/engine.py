"""Trivial trials, durable and with their metrics, against the bare processes and against optuna.

The trial is one `sh` that prints a metric. All three run it two at a time and
read its output; optuna and Tunewright choose the point at random and keep it
in SQLite.
"""

import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PARALLEL = 2


def command(x: float) -> list[str]:
    return ["sh", "-c", f"echo loss={x}"]


def objective(x: float) -> float:
    output = subprocess.run(command(x), check=True, capture_output=True).stdout
    return float(output.split(b"=")[1])


def bare(trials: int) -> float:
    started = time.perf_counter()
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(objective, [index / trials for index in range(trials)]))
    return time.perf_counter() - started


def with_optuna(trials: int, folder: Path) -> float:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    started = time.perf_counter()
    study = optuna.create_study(
        storage=f"sqlite:///{folder}/optuna.db", sampler=optuna.samplers.RandomSampler(seed=1)
    )
    study.optimize(
        lambda trial: objective(trial.suggest_float("x", 0, 1)), n_trials=trials, n_jobs=PARALLEL
    )
    return time.perf_counter() - started


def with_tunewright(trials: int, folder: Path) -> float:
    started = time.perf_counter()
    subprocess.run(
        [
            *(sys.executable, "-m", "tunewright", "run", "--store", str(folder / "store.db")),
            *("--name", "bench", "--param", "x=0.0..1.0", "--minimize", "loss"),
            *("--algorithm", "random", "--trials", str(trials), "--parallel", str(PARALLEL)),
            *("--", "sh", "-c", "echo loss={x}"),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - started


def main(*, quick: bool = False) -> str:
    trials = 200 if quick else 1000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        floor = bare(trials)
        rows = [
            ("bare processes", floor),
            ("Tunewright", with_tunewright(trials, folder)),
            ("optuna, SQLite", with_optuna(trials, folder)),
        ]
    lines = [
        f"{trials} trials, start-up included.",
        "",
        "| | ms a trial | × bare |",
        "|---|---|---|",
    ]
    lines += [f"| {who} | {1e3 * took / trials:.1f} | {took / floor:.2f} |" for who, took in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    print(main())
