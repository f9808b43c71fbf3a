"""What an administrator grants the experiments of a namespace, and what that holds back."""

from collections.abc import Iterator
from dataclasses import dataclass

from ...api.problem import PARALLEL_TRIALS
from . import reasons
from .reasons import Reason

RETENTION_SECONDS = 30 * 86400.0


@dataclass(frozen=True, slots=True)
class Limits:
    """None limits nothing.

    `default_parallel` is for experiments that leave parallelTrialCount out, `parallel` the
    most that any may have. So many `experiments` go on at once, and an ended one stays for
    `ttl_seconds`, whatever longer it asks for. `kinds` are those of trials, as
    `jobs.batch`; `plugins` the algorithms and stopping rules beside the built-in ones.
    What a deleted one recorded stays for `retention_seconds`.
    """

    default_parallel: int | None = None
    parallel: int | None = None
    experiments: int | None = None
    ttl_seconds: float | None = None
    kinds: frozenset[str] | None = None
    plugins: frozenset[str] | None = None
    retention_seconds: float = RETENTION_SECONDS


@dataclass(frozen=True, slots=True)
class Held:
    """Why less goes on than the experiment asks for."""

    reason: Reason
    message: str


NO_LIMITS = Limits()


def parallel(asked: int, limits: Limits) -> int:
    """Return how many trials may run at once.

    Where a file says nothing the API server writes the default, which nobody can tell
    from the same number in a file.
    """
    if asked == PARALLEL_TRIALS and limits.default_parallel is not None:
        asked = limits.default_parallel
    return asked if limits.parallel is None else min(asked, limits.parallel)


def held_back(asked: int, limits: Limits, ahead: tuple[str, ...]) -> Iterator[Held]:
    """Yield what is held back, the gravest first; `ahead` are those that took all places."""
    if ahead:
        said = f"{limits.experiments} may be active at once, and these are: {', '.join(ahead)}"
        yield _held(reasons.EXPERIMENTS_LIMITED, said)
    allowed = parallel(asked, limits)
    if allowed < asked:
        said = f"{allowed} instead of parallelTrialCount {asked}"
        yield _held(reasons.PARALLEL_LIMITED, said)


def _held(reason: Reason, said: str) -> Held:
    return Held(reason, reason.about(said))


def expires_at(finished_at: float | None, ttl: float | None, limits: Limits) -> float | None:
    """Return when an ended experiment is to be deleted; None: never."""
    stays = [each for each in (ttl, limits.ttl_seconds) if each is not None]
    return None if finished_at is None or not stays else finished_at + min(stays)
