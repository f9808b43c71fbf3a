"""enas: a controller learns which architectures pay (Pham et al. 2018); settings are Katib's."""

from collections.abc import Callable

from ....api.problem import Problem
from ...algorithm import Fold
from ...settings import Setting, SettingValue, random_state, setting_values
from .fold import ArchitectureSearch

_PREFIX = "controller_"


def _setting(
    name: str,
    parse: Callable[[str], SettingValue],
    default: str,
    ends: tuple[float, float],
    description: str,
    *,
    optional: bool = False,
) -> Setting:
    """Return a setting with Katib's range: a float above its low end, a whole number from it on."""
    low, high = ends
    is_float = parse is float
    close = ")" if high == float("inf") else "]"
    text = f"({low:g}, {high:g}{close}" if is_float else f"[{low:g}, {high:g})"
    kind = "float" if is_float else "int"
    message = f"Algorithm Setting {_PREFIX}{name}: {{value}} with {kind} type must be in range "

    def read(given: str) -> SettingValue:
        if optional and given == "None":
            return "None"
        try:
            return parse(given)
        except ValueError as error:
            raise ValueError(
                f"Algorithm Setting {_PREFIX}{name} must be {kind} type: exception {error}"
            ) from None

    def accepts(value: SettingValue) -> bool:
        if isinstance(value, str):
            return True
        return low < value <= high if is_float else low <= value < high

    rule = f"in {text}" + (", or None" if optional else "")
    return Setting(_PREFIX + name, read, default, rule, accepts, message + text, description)


_INFINITY = float("inf")
_SETTINGS = (
    _setting("hidden_size", int, "64", (1, _INFINITY), "the controller's hidden units"),
    _setting("temperature", float, "5.0", (0, _INFINITY), "flattens its choices", optional=True),
    _setting("tanh_const", float, "2.25", (0, _INFINITY), "bounds its logits", optional=True),
    _setting(
        "entropy_weight",
        float,
        "1e-05",
        (0, _INFINITY),
        "weight of the entropy bonus",
        optional=True,
    ),
    _setting("baseline_decay", float, "0.999", (0, 1), "decay of the moving baseline"),
    _setting("learning_rate", float, "5e-05", (0, 1), "learning rate of the controller"),
    _setting("skip_target", float, "0.4", (0, 1), "target rate of skip connections"),
    _setting("skip_weight", float, "0.8", (0, _INFINITY), "weight of that target", optional=True),
    _setting(
        "train_steps", int, "50", (1, _INFINITY), "architectures to train on after each trial"
    ),
    _setting(
        "log_every_steps",
        int,
        "10",
        (1, _INFINITY),
        "accepted for compatibility with Katib; nothing is logged",
    ),
    random_state(),
)


class Enas(ArchitectureSearch):
    name = "enas"
    description = (
        "a recurrent controller learns with REINFORCE which architectures of nasConfig are good"
    )
    settings = _SETTINGS
    requires = ("numpy",)

    def start(self, problem: Problem) -> Fold:
        from .enas_fold import EnasFold

        return EnasFold(problem, setting_values(_SETTINGS, problem.settings))
