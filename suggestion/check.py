"""Whether an experiment's search and its stopping rule suit it."""

from collections.abc import Mapping
from typing import Any

from ..api.compile import problem, stopping_rule
from ..api.errors import Fault, Invalid
from ..api.experiment import Experiment
from . import registry
from .early_stopping.registry import validate_rule


def check_algorithm(document: Mapping[str, Any], *, elsewhere: bool = False) -> None:
    """Refuse a search or a stopping rule that does not suit the experiment.

    `elsewhere`: the algorithm lives in an image of its own, which says itself what suits it.

    Raises:
        Invalid: with every fault.
    """
    experiment = Experiment.read(document)
    faults: list[Fault] = []
    if not elsewhere:
        faults += registry.validate_problem(problem(experiment, uid="", seed=0))
    if experiment.spec.early_stopping is not None:
        faults += validate_rule(stopping_rule(experiment.spec.early_stopping))
    if faults:
        raise Invalid(faults)
