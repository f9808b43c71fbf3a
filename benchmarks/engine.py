"""Trivial trials, durable and with their metrics, against the bare processes and against optuna.

A trial prints a metric and ends: once as a shell, which costs next to nothing,
and once as the smallest Python program. All three run it two at a time and read
its output; optuna and Tunewright choose the point at random and keep it in
SQLite. What they wrote is removed when all have run: ext4 looks long for a free
inode among those that were freed a moment ago.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

PARALLEL = 2

Command: TypeAlias = Sequence[str]
"""The arguments of a trial; `{x}` stands for the point."""

ROUNDS = 3

TRIALS: dict[str, Command] = {
    "a shell": ("sh", "-c", "echo loss={x}"),
    "Python": (sys.executable, "-S", "-c", "print('loss={x}')"),
}


def objective(command: Command, x: float) -> float:
    words = [word.replace("{x}", str(x)) for word in command]
    output = subprocess.run(words, check=True, capture_output=True).stdout
    return float(output.split(b"=")[1])


def bare(command: Command, trials: int, folder: Path) -> None:
    del folder
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(lambda index: objective(command, index / trials), range(trials)))


def with_optuna(command: Command, trials: int, folder: Path) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=f"sqlite:///{folder}/optuna.db", sampler=optuna.samplers.RandomSampler(seed=1)
    )
    study.optimize(
        lambda trial: objective(command, trial.suggest_float("x", 0, 1)),
        n_trials=trials,
        n_jobs=PARALLEL,
    )


def with_tunewright(command: Command, trials: int, folder: Path) -> None:
    subprocess.run(
        [
            *(sys.executable, "-m", "tunewright", "run", "--store", str(folder / "store.db")),
            *("--name", "bench", "--param", "x=0.0..1.0", "--minimize", "loss"),
            *("--algorithm", "random", "--trials", str(trials), "--parallel", str(PARALLEL)),
            *("--", *command),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )


RIVALS: dict[str, Callable[[Command, int, Path], None]] = {
    "bare processes": bare,
    "Tunewright": with_tunewright,
    "optuna, SQLite": with_optuna,
}


def seconds(
    run: Callable[[Command, int, Path], None], command: Command, trials: int, scratch: Path
) -> float:
    folder = Path(tempfile.mkdtemp(dir=scratch))
    started = time.perf_counter()
    run(command, trials, folder)
    return time.perf_counter() - started


def main(*, quick: bool = False) -> str:
    trials = 200 if quick else 1000
    with tempfile.TemporaryDirectory() as scratch:
        return compared(trials, Path(scratch))


def compared(trials: int, scratch: Path) -> str:
    lines = [
        f"{trials} trials, start-up included. The goal is less than 1.6 × bare.",
        f"The least of {ROUNDS} times, which ran by turns.",
        "",
        "| a trial is | | ms a trial | × bare |",
        "|---|---|---|---|",
    ]
    seconds(with_tunewright, TRIALS["a shell"], 2, scratch)  # whose bytecode may not be there yet
    for kind, command in TRIALS.items():
        tries = [
            {name: seconds(run, command, trials, scratch) for name, run in RIVALS.items()}
            for _ in range(ROUNDS)
        ]
        took = {name: min(each[name] for each in tries) for name in RIVALS}
        floor = took["bare processes"]
        lines += [
            f"| {kind} | {name} | {1e3 * each / trials:.1f} | {each / floor:.2f} |"
            for name, each in took.items()
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(main())
