"""How each kind of workload is stopped, and that none goes by itself."""

import pytest
from tunewright.controller.kube.workloads.lasting import keep_until_seen
from tunewright.controller.kube.workloads.stopping import stop_patch

SUSPENDED = {"spec": {"suspend": True}}
RUN_SUSPENDED = {"spec": {"runPolicy": {"suspend": True}}}


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("Job", SUSPENDED),
        ("JobSet", SUSPENDED),
        ("TrainJob", SUSPENDED),
        ("RayJob", SUSPENDED),
        ("TFJob", RUN_SUSPENDED),
        ("PyTorchJob", RUN_SUSPENDED),
        ("XGBoostJob", RUN_SUSPENDED),
        ("MPIJob", RUN_SUSPENDED),
        ("PaddleJob", RUN_SUSPENDED),
        ("Workflow", {"spec": {"shutdown": "Stop"}}),
        ("PipelineRun", {"spec": {"status": "Cancelled"}}),
        ("TaskRun", {"spec": {"status": "TaskRunCancelled"}}),
        ("Pod", None),
        ("Sleeper", None),
    ],
)
def test_what_is_retained_is_told_to_stop_where_its_kind_can_be(kind, patch):
    assert stop_patch({"kind": kind}, retain=True) == patch


@pytest.mark.parametrize("kind", ["Job", "PyTorchJob", "Workflow", "Sleeper"])
def test_what_is_not_retained_is_deleted(kind):
    assert stop_patch({"kind": kind, "metadata": {"labels": None}}, retain=False) is None


def test_what_kueue_manages_is_deleted_for_it_would_be_resumed():
    queued = {"kind": "Job", "metadata": {"labels": {"kueue.x-k8s.io/queue-name": "team"}}}
    assert stop_patch(queued, retain=True) is None


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Job", {}),
        ("JobSet", {}),
        ("RayJob", {}),
        ("PyTorchJob", {"runPolicy": {}}),
        ("MPIJob", {"runPolicy": {}}),
    ],
)
def test_none_goes_by_itself_before_its_end_was_seen(kind, spec):
    soon = {"ttlSecondsAfterFinished": 0}
    going = {"runPolicy": soon} if spec else soon
    workload = {"kind": kind, "spec": {"backoffLimit": 0, **going}}
    keep_until_seen(workload)
    assert workload["spec"] == {"backoffLimit": 0, **spec}


def test_what_an_unknown_kind_says_stays():
    workload = {"kind": "Sleeper", "spec": {"ttlSecondsAfterFinished": 0}}
    keep_until_seen(workload)
    assert workload["spec"] == {"ttlSecondsAfterFinished": 0}
