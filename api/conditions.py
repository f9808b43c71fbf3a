"""Conditions: what an object has been through. The last one is what it is now."""

from collections.abc import Sequence
from typing import TypeAlias

from .model import Model
from .states import ExperimentState, TrialState


class Condition(Model):
    """Kubernetes' shape; `status` is True, False or Unknown, times are RFC 3339."""

    type: str = ""
    status: str = "True"
    reason: str = ""
    message: str = ""
    last_update_time: str | None = None
    last_transition_time: str | None = None


Conditions: TypeAlias = tuple[Condition, ...]


def set_condition(conditions: Sequence[Condition], new: Condition, *, now: str) -> Conditions:
    """Return the conditions with `new` as the last, in the place of the one of its type.

    Where only the message differs it is replaced where it stands: what the
    object is has not changed. The time of transition moves with the status.
    """
    old = find_condition(conditions, new.type)
    moved = old is None or old.status != new.status
    stamped = new.model_copy(
        update={
            "last_update_time": now,
            "last_transition_time": now if moved or old is None else old.last_transition_time,
        }
    )
    if old is not None and (old.status, old.reason) == (new.status, new.reason):
        if old.message == new.message:
            return tuple(conditions)
        return tuple(stamped if entry is old else entry for entry in conditions)
    return (*(entry for entry in conditions if entry.type != new.type), stamped)


def find_condition(conditions: Sequence[Condition], kind: str) -> Condition | None:
    return next((entry for entry in conditions if entry.type == kind), None)


def pass_to(
    conditions: Sequence[Condition],
    state: ExperimentState | TrialState,
    *,
    reason: str,
    message: str,
    now: str,
) -> Conditions:
    """Return the conditions of an object that has become `state`.

    Running turns False, and keeps its reason, when the object ends or a trial goes back to
    Created. Restarting removes Succeeded and Failed, and stays True: Katib's clients wait for
    it while the experiment runs again.
    """
    kept = tuple(conditions)
    if state is ExperimentState.RESTARTING:
        ends = {ExperimentState.SUCCEEDED.value, ExperimentState.FAILED.value}
        kept = tuple(entry for entry in kept if entry.type not in ends)
    previous = find_condition(kept, TrialState.RUNNING)
    if previous is not None and previous.status == "True" and previous.type != state.value:
        kept = set_condition(kept, previous.model_copy(update={"status": "False"}), now=now)
    new = Condition(type=state.value, status="True", reason=reason, message=message)
    return set_condition(kept, new, now=now)
