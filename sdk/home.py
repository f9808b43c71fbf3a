"""Where this user's experiments are kept on this machine."""

import os
from pathlib import Path


def home_folder() -> Path:
    """Return `$TUNEWRIGHT_HOME`, by default a folder among the user's data."""
    named = os.environ.get("TUNEWRIGHT_HOME")
    if named:
        return Path(named).expanduser().absolute()
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser().absolute() / "tunewright"


def trials_folder(home: Path, namespace: str, experiment: str) -> Path:
    """Return the folder of an experiment's files; deleting the experiment removes it."""
    return home / "trials" / namespace / experiment
