"""Which algorithms there are, by name, and whether a problem suits one.

The built-in ones stand in a table and are imported when they are used; further
ones come as entry points of the group `tunewright.algorithms`. A service at an
endpoint is asked by `client`.
"""

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from functools import cache

from ..api.errors import Fault, Invalid, MissingExtra, PluginBroken, TunewrightError
from ..api.problem import Problem
from ..api.space import Parameter
from . import entry_points
from .algorithm import SETTINGS_PATH, Algorithm, Capabilities, Fold
from .settings import name_fault, setting_faults

GROUP = "tunewright.algorithms"
NAME_PATH = "spec.algorithm.algorithmName"

BUILT_IN: Mapping[str, str] = {
    "auto": "auto:Auto",
    "random": "random:Random",
    "grid": "grid:Grid",
    "pbt": "pbt:Pbt",
    "sobol": "sobol:Sobol",
    "tpe": "tpe:Tpe",
    "multivariate-tpe": "tpe:MultivariateTpe",
    "cmaes": "cmaes:CmaEs",
    "bayesianoptimization": "bayesian:BayesianOptimization",
    "gp": "gp:GaussianProcess",
    "hyperband": "hyperband:Hyperband",
    "asha": "asha:Asha",
    "bohb": "bohb:Bohb",
    "nsga2": "nsga2:Nsga2",
    "enas": "nas.enas:Enas",
    "darts": "nas.darts:Darts",
    "nas-evolution": "nas.evolution:Evolution",
    "nas-random": "nas.random_nas:RandomNas",
}


def names() -> Sequence[str]:
    """Return every name that can be asked for, the built-in ones first."""
    return (*BUILT_IN, *sorted(entry_points.entries(GROUP).keys() - BUILT_IN.keys()))


def find(name: str) -> Algorithm:
    """Return the algorithm with that name.

    Raises:
        Invalid: no algorithm has that name; the message names the nearest.
        PluginBroken: its entry point cannot be imported, or is no algorithm.
    """
    if name not in BUILT_IN and name not in entry_points.entries(GROUP):
        raise Invalid([name_fault(name, names(), path=NAME_PATH)])
    return _load(name)


def validate_problem(problem: Problem) -> Sequence[Fault]:
    """Return everything that keeps this problem's algorithm from searching it.

    The problem of a service at an endpoint is the service's to judge.
    """
    if problem.endpoint is not None:
        return ()
    try:
        algorithm = find(problem.algorithm)
    except Invalid as error:
        return error.faults if problem.architecture is None else [_no_architecture(problem)]
    except PluginBroken as error:
        return [Fault(NAME_PATH, str(error))]
    faults = [
        *_missing_modules(algorithm),
        *setting_faults(
            algorithm.settings,
            problem.settings,
            path=SETTINGS_PATH,
            algorithm=problem.algorithm,
            others_pass=algorithm.passes_settings_on,
        ),
        *_capabilities(algorithm, problem),
    ]
    try:
        return faults or list(algorithm.validate(problem))
    except TunewrightError:
        raise
    except Exception as error:  # noqa: BLE001  # whatever it is, it is the algorithm's
        said = f"its validate() fails: {type(error).__name__}: {error}"
        return [Fault(NAME_PATH, f"{problem.algorithm} cannot say if it suits: {said}")]


def start(problem: Problem) -> Fold:
    """Return the fold of the problem's algorithm at position 0.

    Raises:
        Invalid: the problem does not suit the algorithm.
        MissingExtra: a package of the algorithm is not installed.
    """
    algorithm = find(problem.algorithm)
    if problem.algorithm in BUILT_IN and _missing_modules(algorithm):
        raise MissingExtra(f"the algorithm {problem.algorithm}", "search")
    faults = validate_problem(problem)
    if faults:
        raise Invalid(faults)
    return algorithm.start(problem)


def is_quick(problem: Problem) -> bool:
    """Say whether an event loop may wait for the answers of this problem's algorithm."""
    return problem.endpoint is None and find(problem.algorithm).is_quick


def may_be_early(problem: Problem) -> bool:
    """Say whether points made before there is room for their trials are as good as later ones."""
    return problem.endpoint is None and not find(problem.algorithm).learns


@cache
def _load(name: str) -> Algorithm:
    if name not in BUILT_IN:
        found = entry_points.load(GROUP, name, Algorithm, "algorithm")
    else:
        module, _, attribute = BUILT_IN[name].partition(":")
        found = getattr(importlib.import_module(f".algorithms.{module}", __package__), attribute)
    algorithm: Algorithm = found()
    return algorithm


def _missing_modules(algorithm: Algorithm) -> list[Fault]:
    missing = [name for name in algorithm.requires if importlib.util.find_spec(name) is None]
    if not missing:
        return []
    message = f"the algorithm {algorithm.name} needs {', '.join(missing)}"
    wanted = "'tunewright[search]'" if algorithm.name in BUILT_IN else " ".join(missing)
    return [Fault(NAME_PATH, message, f"pip install {wanted}", "Required")]


def _capabilities(algorithm: Algorithm, problem: Problem) -> list[Fault]:
    can = algorithm.capabilities
    faults = []
    if problem.architecture is not None and not can.architecture:
        faults.append(_no_architecture(problem))
    if problem.space.conditions and not can.conditions:
        message = f"the algorithm {problem.algorithm} does not support conditional parameters"
        remedy = "use auto, gp, tpe, nsga2, random, sobol or grid, or remove them"
        faults.append(Fault("spec.parameterConditions", message, remedy, "NotSupported"))
    if problem.objective.further and not can.objectives:
        message = f"the algorithm {problem.algorithm} optimizes one metric, not several"
        remedy = (
            "use auto, gp, tpe, nsga2, grid, random or sobol, collect the others with "
            "additionalMetricNames, or bound them in spec.constraints"
        )
        faults.append(Fault("spec.objectives", message, remedy, "NotSupported"))
    for place, parameter in enumerate(problem.space.parameters):
        faults += _parameter(can, parameter, f"spec.parameters[{place}]", problem.algorithm)
    return faults


def _no_architecture(problem: Problem) -> Fault:
    name = problem.algorithm
    message = f"the algorithm {name} does not search architectures"
    remedy = (
        f"enas, darts, nas-evolution and nas-random do, or a plug-in: --algorithm {name}=ADDRESS"
    )
    return Fault("spec.nasConfig", message, remedy, "NotSupported")


def _parameter(can: Capabilities, parameter: Parameter, path: str, name: str) -> list[Fault]:
    if parameter.kind not in can.kinds:
        kinds = ", ".join(sorted(can.kinds))
        message = f"the algorithm {name} cannot search parameters of type {parameter.kind}"
        return [Fault(f"{path}.parameterType", message, f"use {kinds}", "NotSupported")]
    faults = []
    if parameter.is_numeric and parameter.distribution not in can.distributions:
        message = f"the algorithm {name} does not support the distribution {parameter.distribution}"
        remedy = f"use {', '.join(sorted(can.distributions))}, or another algorithm"
        faults.append(Fault(f"{path}.feasibleSpace.distribution", message, remedy, "NotSupported"))
    if can.needs_levels and parameter.levels is None:
        message = (
            f"Param {parameter.name} step is nil; "
            "For discrete search space, all parameters must include step"
        )
        faults.append(Fault(f"{path}.feasibleSpace.step", message, "give it a step", "Required"))
    return faults
