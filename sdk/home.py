"""Where this user's experiments are kept on this machine."""

import os
from pathlib import Path

from ..api.errors import Fault, Invalid


def home_folder() -> Path:
    """Return `$TUNEWRIGHT_HOME`, by default a folder among the user's data.

    An `$XDG_DATA_HOME` that is relative says nothing, by its own specification: what was kept
    would depend on where a command was typed.

    Raises:
        Invalid: the account has no home directory, and no variable names one.
    """
    named = os.environ.get("TUNEWRIGHT_HOME")
    data = os.environ.get("XDG_DATA_HOME", "")
    if not data.startswith(("/", "~")):
        data = "~/.local/share"
    try:
        return Path(named or f"{data}/tunewright").expanduser().absolute()
    except RuntimeError as error:
        lacking = "this account has no home directory"
        raise Invalid([Fault("TUNEWRIGHT_HOME", lacking, "name a folder in it")]) from error


def trials_folder(home: Path, namespace: str, experiment: str) -> Path:
    """Return the folder of an experiment's files; deleting the experiment removes it."""
    return home / "trials" / namespace / experiment
