"""`tune()`: a Python function as the training command."""

import functools
import hashlib
import pickle
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ..api.errors import MissingExtra, Unsupported
from ..api.identity import DEFAULT_NAMESPACE
from . import search, shipping
from .client import Client, written
from .home import home_folder, trials_folder
from .progress import progress
from .results import Result
from .template import Machine, template

Returned: TypeAlias = float | Mapping[str, float] | None

FAILURE = "exception.pickle"
_PROGRAM = "tunewright.sdk.trial"


def tune(  # what an experiment has
    function: Callable[..., Returned],
    space: search.Space,
    *,
    metric: str = "objective",
    direction: Literal["minimize", "maximize"] = "minimize",
    trials: int = 20,
    parallel: int = 1,
    algorithm: str = "auto",
    settings: Mapping[str, object] | None = None,
    early_stopping: str | None = None,
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

    `time_limit` is as `spec.maxDuration` ("90s", "1h30m"). The experiment is kept
    under its name, by default the function's with the time; `client` says where.

    With `cluster` (or a client of one, or of a server) each trial is a Job: a program of the
    function's source, with what it uses of its module, which installs `packages` and runs in
    the machine's image, by default that of this Python. `machine` says what a trial is given.

    Raises:
        Invalid: the space cannot be, or the experiment is wrong; `faults` names all that is.
        Conflict: another experiment has the name.
        Unsupported: the function cannot be sent to a cluster; the message says why.
        TypeError: it is no function.
        Exception: all trials failed: that of the first one; from a cluster, `FunctionFailed`.
    """
    if not callable(function):
        raise TypeError(f"{function!r} cannot be called: give a function of the parameters")
    client = client or Client(cluster=cluster)
    named = name or _name_of(function)
    machine = machine or Machine()
    spec = {
        "objective": {
            "type": direction,
            "objectiveMetricName": metric,
            **({} if goal is None else {"goal": goal}),
        },
        "algorithm": {
            "algorithmName": algorithm,
            "algorithmSettings": [
                {"name": key, "value": str(value)} for key, value in (settings or {}).items()
            ],
        },
        **({"earlyStopping": {"algorithmName": early_stopping}} if early_stopping else {}),
        **({"seed": seed} if seed is not None else {}),
        **({"maxDuration": time_limit} if time_limit else {}),
        "maxTrialCount": trials,
        "parallelTrialCount": parallel,
        **search.parameters(space),
    }
    if client.is_cluster or client.is_remote:
        spec["trialTemplate"] = shipped(function, metric, packages, machine)
        return _tuned(client, named, spec, quiet=quiet)
    if packages:
        raise Unsupported("a trial on this machine has the packages of this Python: install them")
    folder = trials_folder(home_folder(), client.namespace or DEFAULT_NAMESPACE, named)
    spec["trialTemplate"] = kept(function, metric, folder, machine)
    try:
        return _tuned(client, named, spec, quiet=quiet)
    except FunctionFailed as told:
        raised = _raised(folder)
        if raised is None:
            raise
        raise raised from told


def kept(
    function: Callable[..., Returned], metric: str, folder: Path, machine: Machine
) -> dict[str, Any]:
    """Return the template of trials that call the function, which is kept in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FAILURE).unlink(missing_ok=True)
    pickled = _pickled(function)
    # Named by its content: another function under the same name is another experiment.
    file = folder / f"function-{hashlib.sha256(pickled).hexdigest()[:12]}.pickle"
    file.write_bytes(pickled)
    return template(
        [sys.executable, "-P", "-m", _PROGRAM, str(file), metric], machine, image="python"
    )


def shipped(
    function: Callable[..., Returned], metric: str, packages: Sequence[str], machine: Machine
) -> dict[str, Any]:
    """Return the template of trials that bring the function's source along."""
    program = shipping.program(function, metric, packages)
    # Kubernetes reads `$(NAME)` in a command, and `$$` as one sign.
    command = ["python", "-c", program.replace("$", "$$")]
    return template(command, machine, image=f"python:{sys.version_info[0]}.{sys.version_info[1]}")


def _tuned(client: Client, name: str, spec: Mapping[str, Any], *, quiet: bool) -> Result:
    head = {"apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "metadata": {"name": name}}
    look = (lambda: None) if quiet else progress(client, name)
    with written({**head, "spec": spec}) as path:
        client.run(path, look=look)
    found = client.trials(name)
    if found and all(trial.state == "Failed" for trial in found):
        raise FunctionFailed(str(found[0].data.get("message", "")).strip())
    return Result(client.experiment(name), found)


def _pickled(function: Callable[..., Returned]) -> bytes:
    """Write a function so that another process can call it, one of a notebook too.

    The import path stands before it: what the function is made of is found there.
    """
    path = pickle.dumps(sys.path)
    try:
        import cloudpickle  # type: ignore[import-untyped]  # it has none
    except ImportError:
        named = _named(function)
        if named.__module__ == "__main__" or "<locals>" in named.__qualname__:
            raise MissingExtra("tuning a function of a notebook or script", "local") from None
        return path + pickle.dumps(function)
    return path + bytes(cloudpickle.dumps(function))


def _raised(folder: Path) -> Exception | None:
    """Return what the first call that failed raised, if it could be kept."""
    try:
        error = pickle.loads((folder / FAILURE).read_bytes())  # noqa: S301  # a trial's of this run
    except Exception:  # noqa: BLE001  # whatever its class does when it is loaded
        return None
    return error if isinstance(error, Exception) else None


class FunctionFailed(RuntimeError):
    """Every call of the function failed; the text is the first traceback."""


def _named(function: Callable[..., Returned]) -> Any:
    """Return what a callable is named after: the function below it, or its class."""
    while isinstance(function, functools.partial):
        function = function.func
    return function if hasattr(function, "__qualname__") else type(function)


def _name_of(function: Callable[..., Returned]) -> str:
    base = re.sub(r"[^a-z0-9]+", "-", _named(function).__name__.lower()).strip("-") or "function"
    if not base[0].isalpha():
        base = f"function-{base}"
    return f"{base[:30]}-{int(time.time() * 1000):x}"
