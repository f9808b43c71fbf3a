"""darts: one trial that searches by itself; the answer tells it the space and the settings.

Differentiable architecture search (Liu et al. 2019) happens inside the training
container, as Katib has it. Asked again, it answers again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from ....api.errors import Fault
from ....api.history import Entry, Proposal, Suggestion
from ....api.problem import Architecture, Problem
from ...algorithm import Algorithm, Fold
from ...settings import Setting, SettingValue
from .faults import PATH, operation_faults
from .fold import CAPABILITIES
from .genotype import quoted

_BARE = "skip_connection"
"""The operation that has no filter."""

_REPEATS = "the trial searches by itself: each is given the same"


_RANGES: Mapping[str, tuple[Callable[[float], bool], str]] = {
    "> 0": (lambda value: value > 0, "greater than zero"),
    "≥ 0": (lambda value: value >= 0, "greater than or equal to zero"),
    "≥ 1": (lambda value: value >= 1, "greater than or equal to one"),
}
"""By how a range is shown: the test of a value, and Katib's words for it."""


def _setting(
    name: str, parse: Callable[[str], SettingValue], default: str, rule: str, description: str
) -> Setting:
    in_range, words = _RANGES[rule]
    return Setting(
        name,
        parse,
        default,
        rule,
        lambda value: not isinstance(value, str) and in_range(value),
        f"{name} should be {words}",
        description,
    )


def _batch(text: str) -> SettingValue:
    return "None" if text == "None" else int(text)


SETTINGS = (
    _setting("num_epochs", int, "50", "> 0", "epochs of the search"),
    _setting("w_lr", float, "0.025", "≥ 0", "learning rate of the weights"),
    _setting("w_lr_min", float, "0.001", "≥ 0", "its least"),
    _setting("w_momentum", float, "0.9", "≥ 0", "momentum of the weights"),
    _setting("w_weight_decay", float, "0.0003", "≥ 0", "weight decay of the weights"),
    _setting("w_grad_clip", float, "5.0", "≥ 0", "greatest norm of their gradient"),
    _setting("alpha_lr", float, "0.0003", "≥ 0", "learning rate of the architecture"),
    _setting("alpha_weight_decay", float, "0.001", "≥ 0", "its weight decay"),
    Setting(
        "batch_size",
        _batch,
        "128",
        "≥ 1, or None",
        lambda value: isinstance(value, str) or value >= 1,
        "batch_size should be greater than or equal to one",
        "samples of a step",
    ),
    _setting("num_workers", int, "4", "≥ 0", "processes that load data"),
    _setting("init_channels", int, "16", "≥ 1", "channels of the first cell"),
    _setting("print_step", int, "50", "≥ 1", "steps between two lines of output"),
    _setting("num_nodes", int, "4", "≥ 1", "nodes of a cell"),
    _setting("stem_multiplier", int, "3", "≥ 1", "channels of the stem, as a multiple"),
)


class Darts(Algorithm):
    name = "darts"
    description = "hands a differentiable architecture search its space and settings (Katib's)"
    settings = SETTINGS
    passes_settings_on = True
    capabilities = CAPABILITIES
    is_quick = True
    learns = False

    def start(self, problem: Problem) -> Fold:
        return _DartsFold(problem)

    def validate(self, problem: Problem) -> Sequence[Fault]:
        return list(_faults(problem))


class _DartsFold(Fold):
    def __init__(self, problem: Problem) -> None:
        assert problem.architecture is not None
        self._point = {
            "algorithm-settings": quoted(_given(problem.settings)),
            "search-space": quoted(_operations(problem.architecture)),
            "num-layers": str(problem.architecture.layers or 0),
        }

    def observe(self, entry: Entry) -> None:
        """Learn nothing: the trial does."""

    def suggest(self, first_index: int, count: int) -> Suggestion:
        del first_index
        return Suggestion(tuple(Proposal(self._point, _REPEATS) for _ in range(count)))


def _faults(problem: Problem) -> Iterator[Fault]:
    graph = problem.architecture
    if graph is None:
        message = "the algorithm darts searches architectures"
        yield Fault("spec", message, "describe them in spec.nasConfig", "Required")
        return
    if not graph.layers:
        yield Fault(f"{PATH}.graphConfig.numLayers", "Missing NumLayers in GraphConfig")
    yield from operation_faults(graph, bare=_BARE)


def _given(settings: Mapping[str, str]) -> Mapping[str, object]:
    """Return the defaults as numbers, and what the file gives as the text that it is, or None."""
    defaults = {each.name: each.parse(each.default) for each in SETTINGS}
    given = {name: None if text == "None" else text for name, text in settings.items()}
    return {**defaults, **given}


def _operations(graph: Architecture) -> list[str]:
    """Name each operation by its filter sizes, those of its first parameter."""
    found: list[str] = []
    for operation in graph.operations:
        if operation.kind == _BARE:
            found.append(operation.kind)
            continue
        sizes = operation.space.parameters[0]
        levels = [sizes.level(k) for k in range(sizes.levels or 0)]
        found += [f"{operation.kind}_{size}x{size}" for size in levels]
    return found
