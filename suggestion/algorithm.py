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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from ..api.errors import Fault
from ..api.history import Entry, Suggestion
from ..api.problem import Problem
from ..api.space import Distribution, ParameterKind

SettingValue: TypeAlias = int | float | str


@dataclass(frozen=True, slots=True)
class Setting:
    """One of an algorithm's `algorithmSettings`.

    `parse` turns the text of the file into the value, and raises ValueError
    where it is no such thing. `accepts` says whether the value is in range;
    `message` is what is said when it is not, with `{value}` for the text.
    """

    name: str
    parse: Callable[[str], SettingValue]
    default: str
    rule: str
    accepts: Callable[[SettingValue], bool] = lambda _value: True
    message: str = ""
    description: str = ""

    @property
    def type_name(self) -> str:
        names: Mapping[object, str] = {int: "int", float: "double"}
        return names.get(self.parse, "string")

    def complaint(self, text: str) -> str | None:
        """Say what is wrong with this text; None when nothing is."""
        try:
            value = self.parse(text)
        except ValueError as error:
            return f"failed to validate {self.name}({text}): {error}"
        return None if self.accepts(value) else self.message.format(value=text)


def random_state(message: str = "random_state should be great or equal than zero") -> Setting:
    """Return the setting that every algorithm with chance in it has."""
    return Setting(
        name="random_state",
        parse=int,
        default="",
        rule="≥ 0",
        accepts=lambda value: not isinstance(value, str) and value >= 0,
        message=message,
        description="the seed; wins over the experiment's own",
    )


def one_of(name: str, choices: Sequence[str], *, where: str, description: str) -> Setting:
    """Return a setting that has one of these values; the first is the default."""
    return Setting(
        name=name,
        parse=str,
        default=choices[0],
        rule=" | ".join(choices),
        accepts=lambda value: value in choices,
        message=name + " {value} is not supported in " + where,
        description=description,
    )


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an algorithm honours. What it does not is refused by name, never ignored.

    `repeats` says why it may propose a point twice on purpose; "" when it never
    does. `needs_levels`: every parameter must be finite.
    """

    kinds: frozenset[ParameterKind] = frozenset(ParameterKind)
    distributions: frozenset[Distribution] = frozenset(Distribution)
    conditions: bool = False
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
    is_quick: ClassVar[bool] = False
    """Whether an answer takes less than a millisecond, so that an event loop may wait for it."""

    @abstractmethod
    def start(self, problem: Problem) -> Fold:
        """Return the fold at position 0; the problem has passed `validate`."""

    def validate(self, problem: Problem) -> Sequence[Fault]:
        """Return what is wrong beyond the settings' own rules and the capabilities."""
        del problem
        return ()


def setting_values(
    settings: Sequence[Setting], given: Mapping[str, str]
) -> Mapping[str, SettingValue]:
    """Parse the settings that were given and have a value; add the defaults that are not ""."""
    texts = {setting.name: given.get(setting.name, setting.default) for setting in settings}
    return {
        setting.name: setting.parse(texts[setting.name])
        for setting in settings
        if texts[setting.name] != ""
    }


def seed_of(problem: Problem) -> int:
    """Return the seed of a problem: `random_state` wins over the experiment's."""
    given = problem.settings.get("random_state", "")
    return int(given) if given else problem.seed
