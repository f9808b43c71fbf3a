"""`tune()`: a Python function as the training command."""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

from ..api.errors import Fault, Invalid, Unsupported
from ..api.identity import DEFAULT_NAMESPACE, ExperimentKey
from ..api.space import Value
from ..api.states import ExperimentState
from . import search, shipping
from .calling import check_call
from .client import Client
from .commands import CommandFailed
from .document_file import as_json, written
from .flags import counts
from .kept import FunctionFailed, Kept, Returned, named, raised
from .points import assignments
from .progress import progress
from .results import Result
from .sources.place import Place
from .template import Machine, template

Direction: TypeAlias = Literal["minimize", "maximize"]
Bounds: TypeAlias = tuple[float | None, float | None]
Given = TypeVar("Given")

_ENDS = ("min", "max")


def tune(  # what an experiment has
    function: Callable[..., Returned],
    space: search.Space,
    *,
    metric: str = "objective",
    direction: Direction = "minimize",
    trials: int = 20,
    parallel: int = 1,
    algorithm: str = "auto",
    settings: Mapping[str, object] | None = None,
    early_stopping: str | None = None,
    initial: Sequence[Mapping[str, Value]] | None = None,
    objectives: Mapping[str, Direction] | None = None,
    constraints: Mapping[str, Bounds] | None = None,
    goal: float | None = None,
    seed: int | None = None,
    time_limit: str | None = None,
    name: str | None = None,
    client: Client | None = None,
    quiet: bool = False,
    cluster: bool | str = False,
    packages: Sequence[str] = (),
    machine: Machine | None = None,
) -> Result:
    """Find the parameters at which a function is best.

    It is called as `function(**parameters)`, each trial in a process of its own,
    `parallel` at a time, with numbers as numbers. It returns the objective, or a
    mapping of metrics with `metric` among them, or None where it calls
    `tunewright.report` itself. Progress is shown unless `quiet`: in a terminal, in a notebook.

    >>> from tunewright import search, tune
    >>> def loss(x, y):
    ...     return (x - 1) ** 2 + y**2
    >>> space = {"x": search.double(-5, 5), "y": search.double(-5, 5)}
    >>> result = tune(loss, space, trials=5, seed=1, quiet=True)
    >>> len(result.trials), result.best.value == loss(**result.best.parameters)
    (5, True)

    `initial` are points to run first. `objectives` are further metrics that the function
    returns, each to `minimize` or `maximize`; `constraints` the least and the greatest value
    that others may have, either of them None, where a trial is to count as good.

    `time_limit` is as `spec.maxDuration` ("90s", "1h30m"). The experiment is kept
    under its name, by default the function's with the time; `client` says where.

    With `cluster` (or a client of one, or of a server) each trial is a Job: a program of the
    function's source, with what it uses of its module, which installs `packages` and runs in
    the machine's image, by default that of this Python. `machine` says what a trial is given.

    Raises:
        Invalid: the space cannot be, or is none of the function's parameters, or the experiment
            is wrong; `faults` names all that is.
        Conflict: another experiment has the name.
        Unsupported: the function cannot be sent to a cluster; the message says why.
        TypeError: the function or the client is none.
        Exception: all trials failed: that of the first one; from a cluster, `FunctionFailed`.
    """
    if not callable(function):
        raise TypeError(f"{function!r} cannot be called: give a function of the parameters")
    if not isinstance(client, Client | None):
        raise TypeError(f"client {client!r} is none: give a tunewright.Client, or leave it out")
    client = client or Client(cluster=cluster)
    title = name or _name_of(function)
    machine = machine or Machine()
    spec = _spec(
        space,
        metric=metric,
        direction=direction,
        trials=trials,
        parallel=parallel,
        algorithm=algorithm,
        settings=_mapping("settings", settings, '{"n_startup_trials": 5}'),
        early_stopping=early_stopping,
        initial=_points(initial),
        objectives=_mapping("objectives", objectives, '{"memory": "minimize"}'),
        constraints=_mapping("constraints", constraints, '{"memory": (None, 8)}'),
        goal=goal,
        seed=seed,
        time_limit=time_limit,
    )
    check_call(function, space)
    if client.is_cluster or client.is_remote:
        spec["trialTemplate"] = shipped(function, metric, packages, machine)
        return _tuned(client, _document(title, spec), quiet=quiet)
    if packages:
        raise Unsupported("a trial on this machine has the packages of this Python: install them")
    kept = Kept.of(function, _folder(client, title))
    document = _document(title, {**spec, "trialTemplate": kept.template(metric, machine)})
    return _tuned_here(client, kept, document, quiet=quiet)


def _spec(
    space: search.Space,
    *,
    metric: str,
    direction: str,
    trials: int,
    parallel: int,
    algorithm: str,
    settings: Mapping[str, object],
    early_stopping: str | None,
    initial: Sequence[Mapping[str, Value]],
    objectives: Mapping[str, Direction],
    constraints: Mapping[str, Bounds],
    goal: float | None,
    seed: int | None,
    time_limit: str | None,
) -> dict[str, Any]:
    """Return the `spec` of an Experiment, all but its trials' template."""
    further = {
        "objectives": [{"metric": name, "type": wanted} for name, wanted in objectives.items()],
        "constraints": [_constraint(name, bounds) for name, bounds in constraints.items()],
        "initialTrials": [{"assignments": assignments(values)} for values in initial],
    }
    return {
        "objective": {
            "type": direction,
            "objectiveMetricName": metric,
            **({} if goal is None else {"goal": goal}),
        },
        "algorithm": {
            "algorithmName": algorithm,
            "algorithmSettings": [
                {"name": key, "value": str(value)} for key, value in settings.items()
            ],
        },
        **({"earlyStopping": {"algorithmName": early_stopping}} if early_stopping else {}),
        **({"seed": seed} if seed is not None else {}),
        **({"maxDuration": time_limit} if time_limit else {}),
        **counts(trials, parallel),
        **{key: listed for key, listed in further.items() if listed},
        **search.parameters(space),
    }


def _mapping(name: str, given: Mapping[str, Given] | None, example: str) -> Mapping[str, Given]:
    """Return what an argument says, by names.

    Raises:
        Invalid: it has none.
    """
    if not isinstance(given, Mapping | None):
        raise Invalid([Fault(name, f"{given!r} is not a mapping", f"write {example}")])
    return given or {}


def _constraint(metric: str, bounds: Bounds) -> dict[str, Any]:
    """Write what a metric may be.

    Raises:
        Invalid: it is not a pair.
    """
    pair = tuple(bounds) if isinstance(bounds, Iterable) else ()
    if len(pair) != len(_ENDS):
        path, remedy = f"constraints[{metric!r}]", "the minimum and the maximum: write (None, 8)"
        raise Invalid([Fault(path, f"{bounds!r} is not a pair", remedy)])
    named = zip(_ENDS, pair, strict=True)
    return {"metric": metric, **{name: said for name, said in named if said is not None}}


def _points(initial: Sequence[Mapping[str, Value]] | None) -> Sequence[Mapping[str, Value]]:
    """Return the points to begin with.

    Raises:
        Invalid: they are no list of points.
    """
    if initial is None:
        return ()
    points = list(initial) if isinstance(initial, Iterable) else [initial]
    if not all(isinstance(each, Mapping) for each in points):
        remedy = 'write [{"lr": 0.01, "layers": 2}]'
        raise Invalid([Fault("initial", f"{initial!r} is not a list of points", remedy)])
    return points


def shipped(
    function: Callable[..., Returned], metric: str, packages: Sequence[str], machine: Machine
) -> dict[str, Any]:
    """Return the template of trials that bring the function's source along."""
    program = shipping.program(function, metric, packages)
    # Kubernetes reads `$(NAME)` in a command, and `$$` as one sign.
    command = ["python", "-c", program.replace("$", "$$")]
    return template(command, machine, image=f"python:{sys.version_info[0]}.{sys.version_info[1]}")


def _document(name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    head = {"apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "metadata": {"name": name}}
    return {**head, "spec": spec}


def _folder(client: Client, name: str) -> Path:
    """Return the folder of an experiment's files, where the client's store has it."""
    place = Place.of(client.store or os.environ.get("TUNEWRIGHT_STORE"))
    return place.trials_folder(ExperimentKey(client.namespace or DEFAULT_NAMESPACE, name))


def _check(document: Mapping[str, Any]) -> None:
    from ..api.documents import parse
    from ..suggestion.check import check_algorithm

    check_algorithm(parse(json.loads(as_json(document))).write())


def _tuned_here(client: Client, kept: Kept, document: Mapping[str, Any], *, quiet: bool) -> Result:
    """Run it on this machine, where the first error of the function can be raised as it was."""
    _check(document)  # what is refused leaves nothing
    kept.write()
    try:
        return _tuned(client, document, quiet=quiet)
    except FunctionFailed as told:
        error = raised(kept.file.parent)
        if error is None:
            raise
        raise error from told


def _tuned(client: Client, document: Mapping[str, Any], *, quiet: bool) -> Result:
    name = str(document["metadata"]["name"])
    look = (lambda: None) if quiet else progress(client, name)
    with written(document) as path:
        code = client.run(path, look=look)
    experiment, found = client.experiment(name), client.trials(name)
    if code and not ExperimentState(experiment.state).is_finished:
        raise CommandFailed(f"{name} is interrupted; `tunewright resume {name}` continues it")
    if found and all(trial.state == "Failed" for trial in found):
        raise FunctionFailed(str(found[0].data.get("message", "")).strip())
    return Result(experiment, found)


def _name_of(function: Callable[..., Returned]) -> str:
    base = re.sub(r"[^a-z0-9]+", "-", named(function).__name__.lower()).strip("-") or "function"
    if not base[0].isalpha():
        base = f"function-{base}"
    return f"{base[:30]}-{int(time.time() * 1000):x}"
