"""`tune()`: a Python function as the training command."""

import hashlib
import pickle
import re
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ..api.errors import MissingExtra, Unsupported
from ..api.identity import DEFAULT_NAMESPACE
from . import search
from .client import Client, written
from .home import home_folder, trials_folder
from .results import Result, Trial

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
) -> Result:
    """Find the parameters at which a function is best.

    It is called as `function(**parameters)`, each trial in a process of its own,
    `parallel` at a time, with numbers as numbers. It returns the objective, or a
    mapping of metrics with `metric` among them, or None where it calls
    `tunewright.report` itself. Progress is shown in the terminal unless `quiet`.

        from tunewright import search, tune

        def loss(x, y):
            return (x - 1) ** 2 + y**2

        result = tune(loss, {"x": search.double(-5, 5), "y": search.double(-5, 5)})
        print(result.best.parameters)

    `time_limit` is as `spec.maxDuration` ("90s", "1h30m"). The experiment is kept
    under its name, by default the function's with the time; `client` says where.

    Raises:
        Invalid: the space cannot be.
        CommandFailed: the experiment is refused; the message names every fault.
        Unsupported: the client is one of a cluster.
        Exception: all trials failed: that of the first one.
    """
    client = client or Client()
    if client.is_cluster:
        raise Unsupported(
            "tune() calls the function on this machine: for a cluster, put it into an image and"
            " write an Experiment"
        )
    named = name or _name_of(function)
    spec: dict[str, Any] = {
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
    document = {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": named, "namespace": DEFAULT_NAMESPACE},
        "spec": spec,
    }
    folder = trials_folder(home_folder(), DEFAULT_NAMESPACE, named)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FAILURE).unlink(missing_ok=True)
    pickled = _pickled(function)
    # Named by its content: another function under the same name is another experiment.
    function_file = folder / f"function-{hashlib.sha256(pickled).hexdigest()[:12]}.pickle"
    function_file.write_bytes(pickled)
    spec["trialTemplate"] = _template(function_file, metric, space)
    with written(document) as path:
        client.run(path, quiet=quiet)
    found = client.trials(named)
    if found and all(trial.state == "Failed" for trial in found):
        raise _failure(folder, found[0])
    return Result(client.experiment(named), found)


def _template(function: Path, metric: str, space: search.Space) -> dict[str, Any]:
    command = [sys.executable, "-m", _PROGRAM, str(function), metric]
    # The values reach the function as typed JSON; the file names them, as every file has to.
    names = [f"--{name}=${{trialParameters.{name}}}" for name in space]
    container = {"name": "training", "image": "python", "command": [*command, *names]}
    pod = {"restartPolicy": "Never", "containers": [container]}
    return {
        "primaryContainerName": "training",
        "trialSpec": {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "spec": {"backoffLimit": 0, "template": {"spec": pod}},
        },
    }


def _pickled(function: Callable[..., Returned]) -> bytes:
    """Write a function so that another process can call it, one of a notebook too."""
    try:
        import cloudpickle  # type: ignore[import-untyped]  # it has none
    except ImportError:
        if function.__module__ == "__main__" or "<locals>" in function.__qualname__:
            raise MissingExtra("tuning a function of a notebook or script", "local") from None
        return pickle.dumps((sys.path, function))
    return cloudpickle.dumps((sys.path, function))  # type: ignore[no-any-return]


def _failure(folder: Path, first: Trial) -> Exception:
    """Return what the first call that failed raised, as far as it could be kept."""
    try:
        kept = pickle.loads((folder / FAILURE).read_bytes())  # noqa: S301  # a trial's of this run
    except (OSError, pickle.PickleError, AttributeError, ImportError, TypeError):
        kept = None
    told = FunctionFailed(str(first.data.get("message", "")).strip())
    if not isinstance(kept, Exception):
        return told
    kept.__cause__ = told
    return kept


class FunctionFailed(RuntimeError):
    """Every call of the function failed; the text is the first traceback."""


def _name_of(function: Callable[..., Returned]) -> str:
    base = re.sub(r"[^a-z0-9]+", "-", function.__name__.lower()).strip("-") or "function"
    if not base[0].isalpha():
        base = f"function-{base}"
    return f"{base[:30]}-{int(time.time() * 1000):x}"
