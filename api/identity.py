"""Names and keys, as values."""

import base64
import hashlib
import re
from dataclasses import dataclass

DEFAULT_NAMESPACE = "default"

ACCOUNT = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
LONGEST_ACCOUNT = 253
"""How the API server lets a service account be called."""

LONGEST_TRIAL_NAME = 63
"""A trial's name is that of a folder on a laptop; on a cluster it stands in labels, too."""

_TRIAL_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


@dataclass(frozen=True, slots=True, order=True)
class ExperimentKey:
    """What people call an experiment by; a deleted one's key may be used again."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def trial_name(experiment: str, uid: str, index: int) -> str:
    """Name the trial `index` of the experiment with that uid.

    The same trial always has the same name, so that creating it twice is a
    conflict that means "done".
    """
    digest = hashlib.sha256(f"{uid}/{index}".encode()).digest()
    return f"{experiment}-{base64.b32encode(digest[:5]).decode().lower()}"


def is_trial_name(text: str) -> bool:
    """Say whether a trial that others name may be called so."""
    return len(text) <= LONGEST_TRIAL_NAME and _TRIAL_NAME.fullmatch(text) is not None
