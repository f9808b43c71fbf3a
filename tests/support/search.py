"""Problems and logs that the tests of suggestion share."""

from collections.abc import Mapping
from decimal import Decimal

from tunewright.api.history import Dropped, Entry, Finished, Proposal, Proposed, Verdict
from tunewright.api.objective import Direction, Metric, Objective, Strategy
from tunewright.api.problem import Problem
from tunewright.api.space import Distribution, Parameter, ParameterKind, SearchSpace
from tunewright.api.states import TrialState


def double(name, low, high, step=None, distribution=Distribution.UNIFORM):
    return Parameter(
        name,
        ParameterKind.DOUBLE,
        Decimal(str(low)),
        Decimal(str(high)),
        None if step is None else Decimal(str(step)),
        distribution=distribution,
    )


def whole(name, low, high, step=None, distribution=Distribution.UNIFORM):
    return Parameter(
        name,
        ParameterKind.INT,
        Decimal(low),
        Decimal(high),
        Decimal(step or 1),
        distribution=distribution,
    )


def listed(name, *choices, kind=ParameterKind.CATEGORICAL):
    return Parameter(name, kind, choices=choices)


def problem(
    *parameters: Parameter,
    algorithm: str = "random",
    settings: Mapping[str, str] | None = None,
    direction: Direction = Direction.MINIMIZE,
    **more,
) -> Problem:
    given = {
        "experiment": "example",
        "uid": "uid-1",
        "space": SearchSpace(parameters),
        "objective": Objective(Metric("loss", Strategy.MIN), direction),
        "algorithm": algorithm,
        "settings": settings or {},
        "seed": 7,
    }
    return Problem(**{**given, **more})


class Log:
    """The log of an experiment, as a store would number it."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.trials = 0

    @property
    def position(self) -> int:
        return len(self.entries)

    def propose(self, *proposals: Proposal) -> None:
        made_from = self.position
        for proposal in proposals:
            self.entries.append(Proposed(self.position + 1, self.trials, proposal, made_from))
            self.trials += 1

    def finish(self, index, value=None, verdict=Verdict.OBSERVED) -> None:
        state = {
            Verdict.OBSERVED: TrialState.SUCCEEDED,
            Verdict.BAD: TrialState.FAILED,
            Verdict.NOTHING: TrialState.KILLED,
        }[verdict]
        self.entries.append(Finished(self.position + 1, index, state, verdict, value))

    def drop(self, index) -> None:
        self.entries.append(Dropped(self.position + 1, index))

    def after(self, position: int) -> list[Entry]:
        return self.entries[position:]
