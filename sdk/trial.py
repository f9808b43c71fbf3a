"""What a trial of `tune()` runs: `python -m tunewright.sdk.trial FUNCTION METRIC`.

It calls the pickled function with the trial's parameters and reports what it returns.
"""

import contextlib
import json
import os
import pickle
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .report import report

FAILURE = "exception.pickle"
"""The file, beside the function, in which the first error is kept."""


def main() -> None:
    file, metric = sys.argv[1:3]
    function = _read(Path(file))
    parameters = json.loads(os.environ["TUNEWRIGHT_PARAMETERS"])
    try:
        returned = function(**parameters)
        if returned is not None:
            report(returned if isinstance(returned, Mapping) else {metric: returned})
    except Exception as error:
        _keep(error, Path(file).with_name(FAILURE))
        raise


def _read(file: Path) -> Callable[..., Any]:
    """Return the function, which finds what its caller's program would, then what lies here."""
    with file.open("rb") as kept:
        path = pickle.load(kept)  # noqa: S301  # the user's own, of this run
        sys.path[:] = dict.fromkeys([*path, *sys.path, str(Path.cwd())])
        function: Callable[..., Any] = pickle.load(kept)  # noqa: S301  # as above
    return function


def _keep(error: Exception, path: Path) -> None:
    """Keep the first error for who called `tune`, where it can be kept."""
    with contextlib.suppress(Exception):  # what cannot be pickled is shown as text
        content = _dumped(error)
        with path.open("xb") as kept:
            kept.write(content)


def _dumped(error: Exception) -> bytes:
    """Write an error down, with its class where only the user's program has it."""
    try:
        import cloudpickle  # type: ignore[import-untyped]  # it has none
    except ImportError:
        return pickle.dumps(error)
    return bytes(cloudpickle.dumps(error))


if __name__ == "__main__":
    main()
