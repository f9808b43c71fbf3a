"""Time to suggest one more point, against the library behind the algorithm.

Both have been told the same history before the clock starts, as in a search
that goes on: what is measured is the answer. The library is asked for one point
through its own public interface.
"""

import asyncio
import math
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from decimal import Decimal

from tunewright.api.history import Entry, Finished, Proposed, Verdict
from tunewright.api.objective import Direction, Metric, Objective, Strategy
from tunewright.api.problem import Problem
from tunewright.api.space import Distribution, Parameter, ParameterKind, Point, SearchSpace
from tunewright.api.states import TrialState
from tunewright.suggestion.client import RemoteSuggester
from tunewright.suggestion.service import start_service
from tunewright.suggestion.session import Session

SPACE = SearchSpace(
    (
        Parameter(
            "lr",
            ParameterKind.DOUBLE,
            Decimal("0.00001"),
            Decimal("0.1"),
            distribution=Distribution.LOG_UNIFORM,
        ),
        Parameter("dropout", ParameterKind.DOUBLE, Decimal(0), Decimal(1)),
        Parameter("momentum", ParameterKind.DOUBLE, Decimal(0), Decimal(1)),
        Parameter("width", ParameterKind.INT, Decimal(8), Decimal(512), Decimal(1)),
        Parameter("optimizer", ParameterKind.CATEGORICAL, choices=("sgd", "adam", "lion")),
    )
)
ALGORITHMS = ("random", "sobol", "tpe", "multivariate-tpe", "cmaes", "bayesianoptimization")
GREATEST = {"bayesianoptimization": 1000}  # the library's own model takes minutes and gigabytes


def problem(algorithm: str) -> Problem:
    objective = Objective(Metric("loss", Strategy.MIN), Direction.MINIMIZE)
    return Problem("bench", f"bench-{algorithm}", SPACE, objective, algorithm, seed=1)


def loss(point: Point) -> float:
    return (
        (math.log10(point["lr"]) + 3) ** 2
        + (point["dropout"] - 0.3) ** 2
        + (point["momentum"] - 0.9) ** 2
        + (point["width"] - 200) ** 2 / 1e5
        + (point["optimizer"] != "adam")
    )


def history(trials: int) -> list[Entry]:
    points = Session(problem("random")).suggest(0, trials).proposals
    log: list[Entry] = []
    for index, proposal in enumerate(points):
        log.append(Proposed(len(log) + 1, index, proposal, len(log)))
        value = loss(proposal.point)
        log.append(Finished(len(log) + 1, index, TrialState.SUCCEEDED, Verdict.OBSERVED, value))
    return log


def timed(call: Callable[[], object], *, least: int, seconds: float) -> float:
    """Return the median milliseconds of a call, after one to warm up."""
    call()
    taken: list[float] = []
    while len(taken) < least or (sum(taken) < seconds and len(taken) < 50):
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1000


def library(algorithm: str, log: list[Entry]) -> Callable[[], object] | None:
    """Return a call that asks the library for a point, told the same history."""
    if algorithm == "bayesianoptimization":
        return _skopt(log)
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    samplers = {
        "random": lambda: optuna.samplers.RandomSampler(seed=1),
        "sobol": lambda: optuna.samplers.QMCSampler(seed=1, warn_independent_sampling=False),
        "tpe": lambda: optuna.samplers.TPESampler(seed=1, multivariate=False),
        "multivariate-tpe": lambda: optuna.samplers.TPESampler(seed=1, multivariate=True),
        "cmaes": lambda: optuna.samplers.CmaEsSampler(seed=1, warn_independent_sampling=False),
    }
    kinds = {
        "lr": optuna.distributions.FloatDistribution(1e-5, 0.1, log=True),
        "dropout": optuna.distributions.FloatDistribution(0, 1),
        "momentum": optuna.distributions.FloatDistribution(0, 1),
        "width": optuna.distributions.IntDistribution(8, 512),
        "optimizer": optuna.distributions.CategoricalDistribution(("sgd", "adam", "lion")),
    }
    study = optuna.create_study(sampler=samplers[algorithm]())
    points = [entry.proposal.point for entry in log if isinstance(entry, Proposed)]
    study.add_trials(
        optuna.trial.create_trial(params=dict(point), distributions=kinds, value=loss(point))
        for point in points
    )

    def ask() -> None:
        trial = study.ask(kinds)
        study.tell(trial, state=optuna.trial.TrialState.FAIL)

    return ask


def _skopt(log: list[Entry]) -> Callable[[], object]:
    from skopt import Optimizer
    from skopt.space import Categorical, Integer, Real

    points = [entry.proposal.point for entry in log if isinstance(entry, Proposed)]

    def ask() -> object:
        optimizer = Optimizer(
            [
                Real(1e-5, 0.1, prior="log-uniform"),
                Real(0, 1),
                Real(0, 1),
                Integer(8, 512),
                Categorical(["sgd", "adam", "lion"]),
            ],
            n_initial_points=0,
            random_state=1,
        )
        optimizer.tell([list(point.values()) for point in points], [loss(p) for p in points])
        return optimizer.ask()

    return ask


def over_the_wire(algorithm: str, log: list[Entry], trials: int, seconds: float) -> float:
    server, address = start_service("127.0.0.1:0")

    async def measured() -> float:
        remote = RemoteSuggester(address, lambda after: log[after:], timeout=600)
        task, taken = problem(algorithm), []
        await remote.suggest(task, trials, 1, position=len(log))
        while len(taken) < 2 or (sum(taken) < seconds and len(taken) < 50):
            begun = time.perf_counter()
            await remote.suggest(task, trials + len(taken), 1, position=len(log))
            taken.append(time.perf_counter() - begun)
        await remote.close()
        return statistics.median(taken) * 1000

    try:
        return asyncio.run(measured())
    finally:
        server.stop(0).wait()


def row(algorithm: str, trials: int, *, seconds: float) -> str:
    log = history(trials)
    session = Session(problem(algorithm))
    session.observe(log)
    least = 1 if algorithm == "bayesianoptimization" and trials >= 1000 else 3
    counter = iter(range(trials, trials + 10_000))
    ours = timed(lambda: session.suggest(next(counter), 1), least=least, seconds=seconds)
    wire = over_the_wire(algorithm, log, trials, seconds)
    if trials > GREATEST.get(algorithm, sys.maxsize):
        return f"| {algorithm} | {trials:,} | {ours:.2f} | {wire:.2f} | not run | |"
    theirs = timed(library(algorithm, log), least=least, seconds=seconds)
    return (
        f"| {algorithm} | {trials:,} | {ours:.2f} | {wire:.2f} | {theirs:.2f} "
        f"| {ours / theirs:.2f} |"
    )


def main(*, quick: bool = False) -> str:
    sizes = (10, 100) if quick else (10, 100, 1000, 10_000)
    about = (
        "Milliseconds for one more point of five parameters, no trial pending; the library "
        "(optuna, scikit-optimize) is asked through its own interface on the same history."
    )
    lines = [
        about,
        "",
        "| algorithm | trials | in process | over tunewright.v1 | the library | in process ÷ it |",
        "|---|---|---|---|---|---|",
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for algorithm in ALGORITHMS:
            for trials in sizes:
                lines.append(row(algorithm, trials, seconds=0.2 if quick else 1.0))
                print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines)


if __name__ == "__main__":
    print(main(quick="--quick" in sys.argv))
