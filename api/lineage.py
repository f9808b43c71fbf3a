"""Who goes on from whom: what the labels of a trial say of its population, in Katib's words."""

from collections.abc import Sequence

_LABEL = "pbt.suggestion.katib.kubeflow.org"
GENERATION, MEMBER, PARENT = f"{_LABEL}/generation", f"{_LABEL}/member", f"{_LABEL}/parent"


def generation_of(labels: Sequence[tuple[str, str]]) -> int | None:
    """Return the generation that a trial belongs to, counted from 0; None of one that has none."""
    written = dict(labels).get(GENERATION, "")
    return int(written) if written.isdecimal() else None
