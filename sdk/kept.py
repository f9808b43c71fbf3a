"""A Python function in a file, for the trials of this machine, and the error that one raised."""

import functools
import hashlib
import pickle
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from ..api.errors import MissingExtra
from .template import Machine, template
from .trial import FAILURE

Returned: TypeAlias = float | Mapping[str, float] | None
"""What a function that is tuned returns."""

_PROGRAM = "tunewright.sdk.trial"


class FunctionFailed(RuntimeError):
    """Every call of the function failed; the text is the first traceback."""


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


def raised(folder: Path) -> Exception | None:
    """Return what the first call that failed raised, if it could be kept."""
    try:
        error = pickle.loads((folder / FAILURE).read_bytes())  # noqa: S301  # a trial's of this run
    except Exception:  # noqa: BLE001  # whatever its class does when it is loaded
        return None
    return error if isinstance(error, Exception) else None


def named(function: Callable[..., Returned]) -> Any:
    """Return what a callable is named after: the function below it, or its class."""
    while isinstance(function, functools.partial):
        function = function.func
    return function if hasattr(function, "__qualname__") else type(function)


def _pickled(function: Callable[..., Returned]) -> bytes:
    """Write a function so that another process can call it, one of a notebook too.

    The import path stands before it: what the function is made of is found there.
    """
    path = pickle.dumps(sys.path)
    try:
        import cloudpickle  # type: ignore[import-untyped]  # it has none
    except ImportError:
        base = named(function)
        if base.__module__ == "__main__" or "<locals>" in base.__qualname__:
            raise MissingExtra("tuning a function of a notebook or script", "local") from None
        return path + pickle.dumps(function)
    return path + bytes(cloudpickle.dumps(function))
