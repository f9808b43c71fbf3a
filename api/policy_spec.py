"""The extensions about how an experiment runs: retries, limits, what is known before."""

from .model import Count, Model, Object, Text


class TrialPolicy(Model):
    """`retries` counts whole workloads; lost ones run again uncounted unless `on_lost` is Fail."""

    retries: Count | None = None
    backoff_seconds: float | None = None
    active_deadline_seconds: float | None = None
    pending_deadline_seconds: float | None = None
    on_lost: str | None = None


class AskTell(Model):
    """No workload: people ask for points, run them themselves, and tell what came of it."""

    lease_seconds: float | None = None


class InitialTrial(Model):
    """A point to run first; with an observation it is known, and neither run nor counted."""

    assignments: dict[str, Text] | None = None
    observation: dict[str, float] | None = None


class WarmStart(Model):
    """An experiment of the same namespace whose trials the algorithm may learn from."""

    name: str = ""


class CheckpointSpec(Model):
    """Where a trial keeps its checkpoint: a path in its container, on a volume of Kubernetes.

    `keep` says whose are kept.
    """

    path: str | None = None
    volume: Object | None = None
    keep: str | None = None


class NoImprovementSpec(Model):
    trials: Count | None = None
    min_delta: float | None = None


class StopWhen(Model):
    no_improvement: NoImprovementSpec | None = None
