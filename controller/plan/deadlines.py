"""Limits in time: of a trial that runs, of one that cannot start, of late metrics."""

from collections.abc import Iterator

from .view import Phase, TrialView, View

METRICS_GRACE = 30.0
"""Seconds that a reporter may be silent after its trial's workload has ended."""


def active_until(view: View, trial: TrialView) -> float | None:
    """When the attempt has run as long as it may."""
    limit = view.policy.active_deadline
    if limit is None or trial.running_at is None:
        return None
    return trial.running_at + limit


def pending_until(view: View, trial: TrialView) -> float | None:
    """When an attempt that was begun must run at the latest."""
    limit = view.policy.pending_deadline
    if limit is None or trial.began_at is None or trial.running_at is not None:
        return None
    return trial.began_at + limit


def leased_until(view: View, trial: TrialView) -> float | None:
    """Until when whoever asked for the point has to tell what came of it."""
    lease = view.policy.lease
    return None if lease is None or trial.began_at is None else trial.began_at + lease


def metrics_until(trial: TrialView) -> float | None:
    """Until when a trial whose workload ended waits for its metrics; None: no longer."""
    if trial.exit is None or not trial.metrics_open:
        return None
    last_sign = max(trial.exit.at, trial.last_sign_at or trial.exit.at)
    return last_sign + METRICS_GRACE


def moments(view: View) -> Iterator[float]:
    """Every moment at which something is due although nothing happens."""
    for trial in view.trials:
        if trial.retry_at is not None and trial.phase is Phase.WAITING:
            yield trial.retry_at
        if trial.phase.is_active:
            limits = (active_until, pending_until, leased_until)
            for moment in (limit(view, trial) for limit in limits):
                if moment is not None:
                    yield moment
        grace = metrics_until(trial)
        if grace is not None:
            yield grace
    if view.search.retry_at is not None:
        yield view.search.retry_at


def experiment_left(view: View) -> float | None:
    """How many seconds the experiment may still be driven."""
    limit = view.policy.max_duration
    return None if limit is None else max(limit - view.active_seconds, 0.0)


def wake_at(view: View, now: float) -> float | None:
    """When to look again at the latest; moments that have passed are dealt with."""
    ahead = [moment for moment in moments(view) if moment > now]
    left = experiment_left(view)
    if left and not view.suspended:
        ahead.append(now + left)
    return min(ahead, default=None)
