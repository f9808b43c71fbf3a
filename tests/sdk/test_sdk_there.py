"""What is told of the experiments of a cluster."""

from types import SimpleNamespace

from tunewright.sdk.sources.there import There

STARTING = "trial 0 is starting: Trial waits for a node: 1 Insufficient cpu."
FAILING = "trial 1 is starting: Trial waits for a node: no GPU; it fails at 2026-01-01T00:00:00Z"


def test_what_a_trial_tells_by_itself_is_told_once():
    reason = "Unschedulable"
    document = {"status": {"conditions": [{}], "waitsFor": ["2 of 2 slots", STARTING, FAILING]}}
    state = SimpleNamespace(is_finished=False)
    view = SimpleNamespace(
        experiment=SimpleNamespace(state=state, document=document),
        unfinished=[
            SimpleNamespace(index=0, reason=reason, message=STARTING.partition(": ")[2]),
            SimpleNamespace(index=1, reason=reason, message="Trial waits for a node: no GPU"),
        ],
        wishes=[],
    )
    there = There(SimpleNamespace(namespace="team"), None)
    there.records = SimpleNamespace(view=lambda uid: view, events=lambda uid, limit: [])

    remedy = "remedy: free what it requests, or request less; "
    remedy += "trialPolicy.pendingDeadlineSeconds limits the wait"
    assert there.explain(SimpleNamespace(uid="u")) == [
        "2 of 2 slots",
        FAILING,
        "trial 0: Trial waits for a node: 1 Insufficient cpu.",
        remedy,
        "trial 1: Trial waits for a node: no GPU",
        remedy,
    ]
