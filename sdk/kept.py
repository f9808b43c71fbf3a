"""A Python function in a file, for the trials of this machine, and the error that one raised."""

import functools
import hashlib
import pickle
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Kept:
    """A function as its trials will find it: the file and what stands in it."""

    file: Path
    pickled: bytes

    @classmethod
    def of(cls, function: Callable[..., Returned], folder: Path) -> "Kept":
        pickled = _pickled(function)
        # Named by its content: another function under the same name is another experiment.
        return cls(folder / f"function-{hashlib.sha256(pickled).hexdigest()[:12]}.pickle", pickled)

    def template(self, metric: str, machine: Machine) -> dict[str, Any]:
        """Return the template of trials that call the function."""
        command = [sys.executable, "-P", "-m", _PROGRAM, str(self.file), metric]
        return template(command, machine, image="python")

    def write(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.with_name(FAILURE).unlink(missing_ok=True)
        self.file.write_bytes(self.pickled)


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
