"""Where a trial keeps what a later one may go on from.

Katib's pbt has a setting for it; `spec.checkpoint` says it for every algorithm, and wins.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

TRIAL_DIR = "suggestion_trial_dir"
"""The setting of Katib's pbt: the path at which each trial finds a directory of its own."""


class Keep(StrEnum):
    """Which checkpoints are kept."""

    NEEDED = "Needed"  # those that a trial to come may go on from, and the best's
    BEST = "Best"  # as these, and when the experiment has ended the best's alone
    ALL = "All"


@dataclass(frozen=True)
class Checkpoint:
    """`path` is where the trial sees its checkpoint, None where it may be anywhere.

    `volume` is the source of a Kubernetes volume that all trials of the experiment can mount;
    `folder` stands before the names of their directories on it, with a / at its end.
    """

    path: str | None = None
    volume: Mapping[str, Any] | None = None
    folder: str = ""
    keep: Keep = Keep.NEEDED
