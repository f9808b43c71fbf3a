"""The settings of algorithms and stopping rules: text in the file, checked in Katib's words."""

import difflib
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ..api.errors import Fault

SettingValue: TypeAlias = int | float | str


@dataclass(frozen=True, slots=True)
class Setting:
    """One of the `algorithmSettings`.

    `parse` turns the text of the file into the value, and raises ValueError
    where it is no such thing. `accepts` says whether the value is in range;
    `message` is what is said when it is not, with `{value}` for the text. Of a
    value that memory is spent by, no more than `most` is taken.
    """

    name: str
    parse: Callable[[str], SettingValue]
    default: str
    rule: str
    accepts: Callable[[SettingValue], bool] = lambda _value: True
    message: str = ""
    description: str = ""
    most: float = math.inf

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
        if not self.accepts(value):
            return self.message.format(value=text)
        too_much = not isinstance(value, str) and value > self.most
        return f"{self.name} is too large" if too_much else None


_RANGES: Mapping[str, Callable[[float], bool]] = {
    "> 0": lambda value: 0 < value < math.inf,
    "≥ 0": lambda value: 0 <= value < math.inf,
    "≥ 1": lambda value: value >= 1,
    "≥ 2": lambda value: value >= 2,
    "≥ 5": lambda value: value >= 5,
    "in (0, 100)": lambda value: 0 < value < 100,
    "in (0, 1)": lambda value: 0 < value < 1,
}


def number(
    name: str,
    parse: Callable[[str], int | float],
    default: str,
    rule: str,
    *,
    message: str,
    description: str,
    most: float = math.inf,
) -> Setting:
    """Return a setting that is a number in one of a few ranges, named by `rule`."""
    in_range = _RANGES[rule]

    def accepts(value: SettingValue) -> bool:
        return not isinstance(value, str) and in_range(value)

    told = rule if math.isinf(most) else f"{rule} and ≤ {most}"
    return Setting(name, parse, default, told, accepts, message, description, most)


def random_state(message: str = "random_state should be great or equal than zero") -> Setting:
    """Return the setting that every algorithm with chance in it has."""
    return number(
        "random_state",
        int,
        "",
        "≥ 0",
        message=message,
        description="the seed; overrides the experiment's own",
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


def setting_faults(
    settings: Iterable[Setting],
    given: Mapping[str, str],
    *,
    path: str,
    algorithm: str,
    others_pass: bool = False,
) -> list[Fault]:
    """Return what is wrong with the settings in the file, which stand at `path`.

    Those that are not known are wrong, too, unless `others_pass`.
    """
    known = {setting.name: setting for setting in settings}
    faults = []
    for place, (name, text) in enumerate(given.items()):
        if name not in known:
            if others_pass:
                continue
            message = f"unknown setting {name} for algorithm {algorithm}"
            faults.append(
                Fault(f"{path}[{place}].name", message, nearest(name, known), "NotSupported")
            )
            continue
        complaint = known[name].complaint(text)
        if complaint is not None:
            remedy = f"it must be {known[name].rule}"
            faults.append(Fault(f"{path}[{place}].value", complaint, remedy))
    return faults


def name_fault(name: str, known: Collection[str], *, path: str) -> Fault:
    """Return the fault of a name, which stands at `path`, that nothing has."""
    return Fault(path, f"unknown algorithm name {name}", nearest(name, known), "NotSupported")


def nearest(name: str, known: Collection[str]) -> str:
    """Return the remedy for a name that is not known."""
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"there are {', '.join(known)}" if known else "there are none: remove it"
