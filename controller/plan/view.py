"""What `plan` sees: an experiment, what of it is unfinished, and totals of the rest.

Values of `api` only, so that the local engine and the Kubernetes operator fill
the same view from different worlds.
"""

from enum import StrEnum


class EndReason(StrEnum):
    """How an attempt's workload ended."""

    COMPLETED = "Completed"  # exit code 0
    FAILED = "Failed"  # its own exit, not 0
    OUT_OF_MEMORY = "OutOfMemory"  # ended at its memory limit: its own fault
    STOPPED = "Stopped"  # we ended it, or its engine went away
    LOST = "Lost"  # it vanished, and nobody knows its exit
    REFUSED = "Refused"  # it can never start here: nothing ran
