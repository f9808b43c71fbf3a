"""How a trial looks to whoever reads it: exports, data frames, the page's REST."""

import pytest
from tunewright.api.history import Proposal
from tunewright.api.objective import Direction, Metric, Objective, Strategy
from tunewright.api.states import TrialState
from tunewright.db.records import AttemptRecord, AttemptState, TrialRecord, Usage
from tunewright.sdk import shapes

OBJECTIVE = Objective(Metric("loss", Strategy.MIN), Direction.MINIMIZE)
USED = ("wall_seconds", "cpu_seconds", "peak_memory_bytes", "device_seconds")


def trial(usage):
    return TrialRecord(
        index=0,
        name="e-0",
        state=TrialState.SUCCEEDED,
        reason="TrialSucceeded",
        message="",
        proposal=Proposal({"x": 0.5}),
        made_from=0,
        created_at=1.0,
        started_at=2.0,
        finished_at=3.0,
        value=0.5,
        attempt=usage and AttemptRecord(1, AttemptState.ENDED, "", usage=usage),
    )


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        (Usage(2.5, 1.5, 4096, 0.0), (2.5, 1.5, 4096, 0.0)),
        (Usage(12.0), (12.0, None, None, None)),
        (Usage(), (None, None, None, None)),
        (None, (None, None, None, None)),
    ],
    ids=["a process", "a pod", "one that runs", "one that has not begun"],
)
def test_what_was_not_measured_of_a_trial_is_not_told_as_nothing(usage, told):
    shown = shapes.trial(trial(usage), OBJECTIVE)

    assert tuple(shown[name] for name in USED) == told
