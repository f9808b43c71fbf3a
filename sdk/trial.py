"""What a trial of `tune()` runs: `python -m tunewright.sdk.trial FUNCTION METRIC`.

It calls the pickled function with the trial's parameters and reports what it returns.
"""

import contextlib
import json
import os
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path

from .report import report


def main() -> None:
    file, metric = sys.argv[1:3]
    path, function = pickle.loads(Path(file).read_bytes())  # noqa: S301  # the user's own, of this run
    sys.path[:] = [*path, *(each for each in sys.path if each not in path)]
    parameters = json.loads(os.environ["TUNEWRIGHT_PARAMETERS"])
    try:
        returned = function(**parameters)
    except Exception as error:
        _keep(error, Path(file).with_name("exception.pickle"))
        raise
    if isinstance(returned, Mapping):
        report(returned)
    elif returned is not None:
        report({metric: returned})


def _keep(error: Exception, path: Path) -> None:
    """Keep the first error for who called `tune`, where it can be kept."""
    with contextlib.suppress(Exception):  # what cannot be pickled is shown as text
        content = pickle.dumps(error)
        with path.open("xb") as kept:
            kept.write(content)


if __name__ == "__main__":
    main()
