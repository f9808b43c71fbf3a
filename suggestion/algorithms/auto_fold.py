"""Which algorithm a search goes on with, decided anew for every answer.

Each sees the whole log, so that a change costs nothing that was learned. What is chosen
depends on the problem and the log alone: how many trials run at once is counted in the log,
and the budget may change while the search goes on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ...api.history import Dropped, Entry, Finished, Proposed, Suggestion, Verdict
from ...api.problem import Problem
from ...api.space import ParameterKind
from .. import registry
from ..algorithm import Fold, seed_of
from ..seeds import derive


@dataclass(frozen=True, slots=True)
class Situation:
    """What a choice depends on.

    `size` counts the points of a finite space. `told` counts the trials that ended well or
    badly, `running` those that have not ended and those that are asked for now.
    `conditional`: some parameters are active only beside certain values of others.
    """

    size: int | None
    numbers: int
    lists: int
    objectives: int
    conditional: bool = False
    told: int = 0
    running: int = 0

    @property
    def is_numeric(self) -> bool:
        """Whether every point is the same numbers."""
        return self.lists == 0 and not self.conditional


@dataclass(frozen=True, slots=True)
class Choice:
    """Algorithms, when they are taken, and why. Several take turns, answer by answer."""

    algorithms: tuple[str, ...]
    suits: Callable[[Situation], bool]
    why: str


FEW, WIDE, CROWD, MANY = 16, 8, 64, 1000
"""Points of a space that are soon tried, its parameters, trials at once, and trials in all."""

_TURN = 0x7475726E  # the path of the draw of whose turn it is

CHOICES: Sequence[Choice] = (
    Choice(
        ("random",),
        lambda at: at.size is not None and at.size <= FEW,
        f"the space has no more than {FEW} points, and each is tried once",
    ),
    Choice(
        ("multivariate-tpe",),
        lambda at: at.objectives > 1 and (at.running > CROWD or at.told >= MANY),
        "it optimizes all objectives, and so many trials are too many for a Gaussian process",
    ),
    Choice(
        ("gp",),
        lambda at: at.objectives > 1,
        "a Gaussian process makes the most of each trial, and weights the objectives anew for each",
    ),
    Choice(
        ("tpe",),
        lambda at: at.running > CROWD,
        f"more than {CROWD} trials run at once, too many for a Gaussian process to tell apart",
    ),
    Choice(
        ("cmaes",),
        lambda at: at.told >= MANY and at.numbers > 1 and at.is_numeric,
        f"{MANY:,} trials have ended, enough for a strategy that needs many and answers at once",
    ),
    Choice(
        ("tpe",),
        lambda at: at.told >= MANY,
        f"{MANY:,} trials have ended, more than a Gaussian process weighs in good time",
    ),
    Choice(
        ("gp", "cmaes"),
        lambda at: at.numbers >= WIDE and at.is_numeric,
        f"{WIDE} numbers and more are wide for a Gaussian process alone: an evolution strategy "
        "shows it where to look",
    ),
    Choice(
        ("gp",),
        lambda _at: True,
        "a Gaussian process makes the most of each trial",
    ),
)
"""The first that suits is taken; the last always does."""


class AutoFold(Fold):
    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._at = beginning(problem)
        self._seed = seed_of(problem)
        self._log: list[Entry] = []
        self._folds: dict[str, Fold] = {}
        self._told: set[int] = set()
        self._running: set[int] = set()

    def observe(self, entry: Entry) -> None:
        self._log.append(entry)
        for fold in self._folds.values():
            fold.observe(entry)
        match entry:
            case Proposed(index=index):
                self._running.add(index)
            case Finished(index=index, verdict=verdict):
                self._running.discard(index)
                if verdict is not Verdict.NOTHING:
                    self._told.add(index)
            case Dropped(index=index):
                self._running.discard(index)
                self._told.discard(index)

    def suggest(self, first_index: int, count: int) -> Suggestion:
        running = len(self._running) + count
        choice = chosen(replace(self._at, told=len(self._told), running=running))
        turn = derive(self._seed, first_index, _TURN) % len(choice.algorithms)
        suggestion = self._fold(choice.algorithms[turn]).suggest(first_index, count)
        note = f"{' and '.join(choice.algorithms)}: {choice.why}"
        return replace(suggestion, note="; ".join(filter(None, (note, suggestion.note))))

    def _fold(self, name: str) -> Fold:
        """Return the fold of an algorithm; its libraries are loaded when it is first chosen."""
        if name not in self._folds:
            fold = registry.start(replace(self._problem, algorithm=name))
            for entry in self._log:
                fold.observe(entry)
            self._folds[name] = fold
        return self._folds[name]


def chosen(at: Situation) -> Choice:
    return next(choice for choice in CHOICES if choice.suits(at))


def beginning(problem: Problem) -> Situation:
    """Return the situation before the first trial."""
    parameters = [each for each in problem.space.parameters if each.levels != 1]
    lists = sum(each.kind is ParameterKind.CATEGORICAL for each in parameters)
    return Situation(
        size=problem.space.cardinality,
        numbers=len(parameters) - lists,
        lists=lists,
        objectives=1 + len(problem.objective.further),
        conditional=bool(problem.space.conditions),
    )
