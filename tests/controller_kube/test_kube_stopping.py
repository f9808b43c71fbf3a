"""How each kind of workload is stopped."""

import pytest
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
