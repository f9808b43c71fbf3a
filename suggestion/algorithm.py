"""What an algorithm is: a name, settings, what it can do, and a fold over the log.

Law 2: a suggestion is a function of the history. `Algorithm.start` makes a
fold; the fold is shown every entry of the experiment's log once and in order,
and asked for points in between. An answer changes nothing: a point enters the
fold when it comes back as a `Proposed` entry. Whoever wants to forget a fold
and make it again from the log may do so at any time, and will get the same
points.

    class Halton(Algorithm):
        name = "halton"
        description = "the Halton sequence"

        def start(self, problem: Problem) -> Fold:
            return HaltonFold(problem)

A distribution that declares the entry point `halton = "package.module:Halton"`
in the group `tunewright.algorithms` makes it known by that name.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..api.errors import Fault
from ..api.history import Entry, Suggestion
from ..api.problem import Problem
from ..api.space import Distribution, ParameterKind
from .settings import Setting

SETTINGS_PATH = "spec.algorithm.algorithmSettings"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an algorithm honours. What it does not is refused by name, never ignored.

    `repeats` says why it may propose a point twice on purpose; "" when it never
    does. `objectives`: it weighs several metrics; constraints reach every algorithm as
    bad points. `needs_levels`: every parameter must have finitely many values.
    """

    kinds: frozenset[ParameterKind] = frozenset(ParameterKind)
    distributions: frozenset[Distribution] = frozenset(Distribution)
    conditions: bool = False
    objectives: bool = False
    architecture: bool = False
    needs_levels: bool = False
    repeats: str = ""


class Fold(ABC):
    """An algorithm at a position of one experiment's log."""

    @abstractmethod
    def observe(self, entry: Entry) -> None:
        """Take the next entry of the log into account."""

    @abstractmethod
    def suggest(self, first_index: int, count: int) -> Suggestion:
        """Return up to `count` points for the trials `first_index` and those behind it.

        It must leave the fold as it was, and depend on nothing but the entries
        that were observed, the problem, and the indexes.
        """


class Algorithm(ABC):
    """One algorithm. An instance holds nothing: the class is its entry in the table."""

    name: ClassVar[str]
    description: ClassVar[str]
    settings: ClassVar[tuple[Setting, ...]] = ()
    capabilities: ClassVar[Capabilities] = Capabilities()
    requires: ClassVar[tuple[str, ...]] = ()
    """Modules that `start` imports; the extra `search` brings those of the built-in ones."""
    passes_settings_on: ClassVar[bool] = False
    """Whether settings beyond its own are taken: the trial gets them as they are."""
    is_quick: ClassVar[bool] = False
    """Whether an answer takes less than a millisecond, so that an event loop may wait for it."""
    learns: ClassVar[bool] = True
    """Whether points depend on how trials ended; where not, they may be made ahead of time."""

    @abstractmethod
    def start(self, problem: Problem) -> Fold:
        """Return the fold at position 0; the problem has passed `validate`."""

    def validate(self, problem: Problem) -> Sequence[Fault]:
        """Return what is wrong beyond the settings' own rules and the capabilities."""
        del problem
        return ()


def seed_of(problem: Problem) -> int:
    """Return the seed of a problem: `random_state` wins over the experiment's."""
    given = problem.settings.get("random_state", "")
    return int(given) if given else problem.seed
