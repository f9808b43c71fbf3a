"""Names and keys, as values."""

import base64
import hashlib
from dataclasses import dataclass

DEFAULT_NAMESPACE = "default"

ACCOUNT = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
LONGEST_ACCOUNT = 253
"""How the API server lets a service account be called."""


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
