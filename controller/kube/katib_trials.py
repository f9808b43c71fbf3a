"""Trials that Katib's controller drives, where one of our services serves it."""

from ...api.conditions import Condition, pass_to
from ...api.errors import Conflict
from ...api.moments import written
from ...api.states import TrialState
from .fields import plain
from .port import at
from .resources import TRIALS
from .session import Session


def mark_stopped(session: Session, namespace: str, trial: str, *, now: float) -> None:
    """Say in a trial's status that it was stopped early, as Katib's own service does.

    Raises:
        NotFound: there is no such trial.
        Forbidden: this pod's account may not write its status.
    """
    while True:
        document = session.get(TRIALS, namespace, trial)
        known = [Condition.read(each) for each in at(document, "status", "conditions") or ()]
        conditions = pass_to(
            known,
            TrialState.EARLY_STOPPED,
            reason="TrialEarlyStopped",
            message="Trial is early stopped",
            now=written(now),
        )
        patch = {"status": {"conditions": [plain(each) for each in conditions]}}
        try:
            session.merge(TRIALS, document, patch, "status")
        except Conflict:
            continue
        return
