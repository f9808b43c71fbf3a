"""Multi-fidelity searches in virtual time, with 4 to 256 workers, beside optuna's pruners.

A training is simulated: its loss falls epoch by epoch to a floor of its own, and an epoch takes as
long as its width says. Of ours a promoted trial goes on from its parent's checkpoint; optuna's
trials report each epoch and go on in place until they are pruned. What counts is the trial
that looks best by then: how much worse it would be, trained to the end, than the best that there
is. `PYTHONPATH=.types:benchmarks python -m search.fidelity --seeds 3` prints the tables.
"""

import argparse
import heapq
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from search.spread import spread
from tunewright.api.history import Finished, Proposed, SearchState, Verdict
from tunewright.api.identity import trial_name
from tunewright.api.objective import Direction, Metric, Objective, Strategy
from tunewright.api.problem import Problem
from tunewright.api.space import Distribution, Parameter, ParameterKind, Point, SearchSpace
from tunewright.api.states import TrialState
from tunewright.suggestion import registry

EPOCHS, ETA = 27, 3
WORKERS = (4, 16, 64, 256)
FULL = 4.0
"""How many trainings of mean width each worker has time for."""
_MEAN_SECONDS = 1.0
_FIDELITY = "epochs"

_CONFIGURATION = (
    Parameter(
        "rate", ParameterKind.DOUBLE, Decimal("0.0001"), Decimal(1),
        distribution=Distribution.LOG_UNIFORM,
    ),
    Parameter("momentum", ParameterKind.DOUBLE, Decimal(0), Decimal("0.99")),
    Parameter("dropout", ParameterKind.DOUBLE, Decimal(0), Decimal("0.6")),
    Parameter("width", ParameterKind.INT, Decimal(16), Decimal(512), Decimal(16)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Training:
    """A simulated training. `hurry`: how much sooner those learn whose rate is too great."""

    name: str
    hurry: float

    def loss(self, point: Point, epoch: int) -> float:
        """Return the loss after some epochs, 1 to `EPOCHS`."""
        floor = self._floor(point)
        speed = 0.8 + self.hurry * (math.log10(float(point["rate"])) + 2)
        return floor + (1 - floor) * math.exp(-max(speed, 0.15) * math.log1p(epoch))

    def final(self, point: Point) -> float:
        return self.loss(point, EPOCHS)

    def seconds(self, point: Point) -> float:
        """Return how long an epoch takes: half to one and a half of the mean."""
        return _MEAN_SECONDS * (0.5 + float(point["width"]) / 512)

    def best(self) -> float:
        """Return the least loss of a full training, by a fine grid: momentum hides nothing."""
        rates = (10 ** (-4 + step / 250) for step in range(1001))
        at = {"momentum": 0.6, "dropout": 0.2, "width": 320}
        return min(self.final({**at, "rate": rate}) for rate in rates)

    @staticmethod
    def _floor(point: Point) -> float:
        rate = math.log10(float(point["rate"])) + 2.5
        momentum, dropout = float(point["momentum"]) - 0.6, float(point["dropout"]) - 0.2
        width = (float(point["width"]) - 320) / 512
        return 0.03 + 0.06 * rate**2 + 0.2 * momentum**2 + 0.5 * dropout**2 + 0.2 * width**2


TRAININGS = (Training("early losses tell", 0.0), Training("early losses mislead", 0.25))


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a configuration at a moment of virtual time."""

    at: float
    loss: float
    point: Point


Search: TypeAlias = Callable[[Training, int, int, float], Iterator[Seen]]
"""From a training, a seed, the number of workers and the seconds to what is seen, in order."""


def ours(algorithm: str) -> Search:
    """Return a search by one of our algorithms; where one ends, another begins."""

    def search(training: Training, seed: int, workers: int, end: float) -> Iterator[Seen]:
        begun = 0.0
        for more in itertools.count():
            for seen in _one(algorithm, training, seed + 1000 * more, workers):
                if begun + seen.at > end:
                    return
                last = seen
                yield Seen(begun + seen.at, seen.loss, seen.point)
            begun += last.at

    return search


def _one(algorithm: str, training: Training, seed: int, workers: int) -> Iterator[Seen]:
    problem = _problem(algorithm, seed, workers)
    fold = registry.start(problem)
    points: list[Point] = []
    trained: dict[str, int] = {}
    running: list[tuple[float, int]] = []
    position, now, more = 0, 0.0, True
    while True:
        while more and len(running) < workers:
            made_from = position
            answer = fold.suggest(len(points), workers - len(running))
            for proposal in answer.proposals:
                position, index = position + 1, len(points)
                fold.observe(Proposed(position, index, proposal, made_from))
                points.append(proposal.point)
                epochs = int(proposal.point[_FIDELITY]) - trained.get(proposal.parent or "", 0)
                heapq.heappush(running, (now + epochs * training.seconds(proposal.point), index))
            more = answer.state is SearchState.MORE and bool(answer.proposals)
        if not running:
            return
        now, index = heapq.heappop(running)
        more = True
        epochs = int(points[index][_FIDELITY])
        trained[trial_name(problem.experiment, problem.uid, index)] = epochs
        loss = training.loss(points[index], epochs)
        position += 1
        fold.observe(Finished(position, index, TrialState.SUCCEEDED, Verdict.OBSERVED, loss))
        yield Seen(now, loss, points[index])


def _problem(algorithm: str, seed: int, workers: int) -> Problem:
    resource = Parameter(_FIDELITY, ParameterKind.INT, Decimal(1), Decimal(EPOCHS), Decimal(1))
    if algorithm == "random":
        resource = Parameter(
            _FIDELITY, ParameterKind.INT, Decimal(EPOCHS), Decimal(EPOCHS), Decimal(1)
        )
    settings = {"r_l": str(EPOCHS), "resource_name": _FIDELITY, "eta": str(ETA)}
    return Problem(
        experiment="fidelity",
        uid=f"fidelity-{seed}",
        space=SearchSpace((*_CONFIGURATION, resource)),
        objective=Objective(Metric("loss", Strategy.MIN), Direction.MINIMIZE),
        algorithm=algorithm,
        settings={} if algorithm == "random" else settings,
        seed=seed,
        parallel_trials=workers,
    )


def optuna(pruner: str, sampler: str) -> Search:
    """Return a search by a study whose trials are pruned as they report."""

    def search(training: Training, seed: int, workers: int, end: float) -> Iterator[Seen]:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(
            study_name=f"fidelity-{seed}",  # by which its hyperband chooses a trial's bracket
            sampler=getattr(optuna.samplers, sampler)(seed=seed),
            pruner=_pruner(pruner),
        )
        ticket = itertools.count()  # of two at the same moment the older one is first
        running: list[tuple[float, int, int, Any, Point]] = []

        def begin(now: float) -> None:
            trial = study.ask()
            point = _suggested(trial)
            entry = (now + training.seconds(point), next(ticket), 1, trial, point)
            heapq.heappush(running, entry)

        for _ in range(workers):
            begin(0.0)
        while running[0][0] <= end:
            now, _, epoch, trial, point = heapq.heappop(running)
            loss = training.loss(point, epoch)
            yield Seen(now, loss, point)
            trial.report(loss, epoch)
            if epoch == EPOCHS:
                study.tell(trial, loss)
                begin(now)
            elif trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                begin(now)
            else:
                entry = (now + training.seconds(point), next(ticket), epoch + 1, trial, point)
                heapq.heappush(running, entry)

    return search


def _pruner(name: str) -> Any:
    import optuna

    if name == "HyperbandPruner":
        return optuna.pruners.HyperbandPruner(
            min_resource=1, max_resource=EPOCHS, reduction_factor=ETA
        )
    return optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=ETA)


def _suggested(trial: Any) -> Point:
    return {
        "rate": trial.suggest_float("rate", 1e-4, 1, log=True),
        "momentum": trial.suggest_float("momentum", 0, 0.99),
        "dropout": trial.suggest_float("dropout", 0, 0.6),
        "width": trial.suggest_int("width", 16, 512, step=16),
    }


SEARCHES: Mapping[str, Search] = {
    "asha": ours("asha"),
    "hyperband": ours("hyperband"),
    "bohb": ours("bohb"),
    "random, trained to the end": ours("random"),
    "optuna successive halving, random": optuna("SuccessiveHalvingPruner", "RandomSampler"),
    "optuna hyperband, random": optuna("HyperbandPruner", "RandomSampler"),
    "optuna hyperband, tpe": optuna("HyperbandPruner", "TPESampler"),
}
OPTUNA_MOST = 64
"""Workers up to which optuna is measured: with more, a study takes minutes that are not virtual."""


def regret(training: Training, found: Iterator[Seen]) -> float:
    """Return how much worse what looks best is, trained to the end, than the best."""
    best = min(found, key=lambda seen: seen.loss)
    return max(training.final(best.point) - training.best(), 0.0)


def table(training: Training, seeds: int) -> str:
    head = " | ".join(f"{workers} workers" for workers in WORKERS)
    lines = [f"| {training.name} | {head} |", "|---|" + "---|" * len(WORKERS)]
    for name, search in SEARCHES.items():
        cells = []
        for workers in WORKERS:
            if name.startswith("optuna") and workers > OPTUNA_MOST:
                cells.append("not measured")
                continue
            end = FULL * EPOCHS * _MEAN_SECONDS
            regrets = [
                regret(training, search(training, seed, workers, end))
                for seed in range(1, seeds + 1)
            ]
            cells.append(spread(regrets))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def report(seeds: int) -> str:
    """Return a table for each kind of training."""
    return "\n\n".join(table(training, seeds) for training in TRAININGS)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    print(report(parser.parse_args().seeds))
