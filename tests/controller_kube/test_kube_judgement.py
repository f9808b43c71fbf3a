"""How a workload is judged by its document: that it runs, and how it ended."""

import pytest
from tunewright.api.workload_kinds import KINDS
from tunewright.controller.kube.informers import slim_workload
from tunewright.controller.kube.workloads.hindrance import hindrance
from tunewright.controller.kube.workloads.judgement import (
    EndConditions,
    WorkloadEnd,
    judge,
    runs,
    started_at,
)
from tunewright.controller.kube.workloads.pods import ran_seconds, stands_still


def workload(kind, *conditions, **status):
    """Make a document; conditions are `Type=Status[: reason: message]`."""
    said = []
    for each in conditions:
        what, reason, message = [*each.split(": "), "", ""][:3]
        name, value = what.split("=")
        said.append({"type": name, "status": value, "reason": reason, "message": message})
    return {"kind": kind, "status": {**status, **({"conditions": said} if said else {})}}


def own_conditions(kind):
    return EndConditions(KINDS[kind].success, KINDS[kind].failure)


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        ({"kind": "Job"}, None),
        (workload("Job", active=1), None),
        (workload("Job", "Suspended=True"), None),
        (workload("Job", "SuccessCriteriaMet=True", "Complete=False"), None),
        (workload("Job", "Complete=True: Done: in time"), WorkloadEnd(True, "Done", "in time")),
        (workload("Job", "Failed=True: BackoffLimitExceeded: too often"),
         WorkloadEnd(False, "BackoffLimitExceeded", "too often")),
        (workload("PyTorchJob", "Created=True", "Running=True"), None),
        (workload("PyTorchJob", "Running=False", "Succeeded=True: PyTorchJobSucceeded"),
         WorkloadEnd(True, "PyTorchJobSucceeded")),
        (workload("TFJob", "Failed=True: TFJobFailed"), WorkloadEnd(False, "TFJobFailed")),
        (workload("TrainJob", "Suspended=False: Resumed"), None),
        (workload("TrainJob", "Complete=True: AllJobsCompleted"),
         WorkloadEnd(True, "AllJobsCompleted")),
        (workload("TrainJob", "Failed=True: FailedJobs"), WorkloadEnd(False, "FailedJobs")),
        # Both are met: failure is asked for first.
        (workload("Job", "Complete=True", "Failed=True: Late"), WorkloadEnd(False, "Late")),
    ],
)  # fmt: skip
def test_a_known_kind_ends_as_its_conditions_say(document, verdict):
    assert judge(document, own_conditions(document["kind"])) == verdict


PHASES = EndConditions(
    success='status.[@this].#(phase=="Succeeded")#', failure='status.[@this].#(phase=="Failed")#'
)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ({}, None),
        ({"phase": "Running"}, None),
        ({"phase": "Succeeded", "message": "well"}, WorkloadEnd(True, "", "well")),
        ({"phase": "Failed", "reason": "Evicted"}, WorkloadEnd(False, "Evicted")),
        ({"phase": "Failed", "reason": 7, "message": None}, WorkloadEnd(False)),
    ],
)
def test_any_kind_ends_as_the_conditions_given_say(status, verdict):
    assert judge({"kind": "Workflow", "status": status}, PHASES) == verdict


@pytest.mark.parametrize(
    ("path", "met"),
    [
        ("status.[@this].#(succeeded==1)", True),
        ("status", True),
        ("status.names", True),
        ("status.succeeded", False),  # Katib knows objects and arrays only
        ("status.phase", False),
        ("status.empty", False),
        ("status.nothing", False),
    ],
)
def test_a_condition_is_met_by_an_object_or_an_array_that_holds_something(path, met):
    document = {"status": {"succeeded": 1, "phase": "Done", "empty": [], "names": ["a"]}}
    assert (judge(document, EndConditions(success=path, failure="")) is not None) is met


def pod(phase):
    return {"kind": "Pod", "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("document", "pods", "is_running"),
    [
        ({"kind": "Job"}, [], False),
        (workload("Job", active=1, ready=0), [], False),
        (workload("Job", active=1, ready=1), [], True),
        (workload("Job", active=0, ready=0, failed=1), [], True),
        (workload("Job", active=1), [], True),  # servers before 1.24 do not say who is ready
        ({"kind": "PyTorchJob"}, [], False),
        ({"kind": "PyTorchJob", "status": {}}, [], False),
        (workload("PyTorchJob", "Created=True"), [], False),
        (workload("MPIJob", "Created=True", "Running=True"), [], True),
        (workload("XGBoostJob", "Running=False", "Succeeded=True"), [], False),
        (workload("TrainJob"), [], False),
        (workload("TrainJob"), [pod("Pending")], False),
        (workload("JobSet"), [pod("Pending"), pod("Running")], True),
        (workload("TrainJob"), [pod("Failed")], True),
        (workload("Workflow", phase="Running"), [pod("Pending")], False),
        (workload("Workflow", phase="Running"), [pod("Succeeded"), pod("Pending")], True),
        (workload("PipelineRun", "Succeeded=Unknown: Running"), [pod("Pending")], False),
        (workload("PipelineRun", "Succeeded=Unknown: Running"), [pod("Running")], True),
        (workload("Pod", phase="Pending"), [], False),
        (workload("Pod", phase="Running"), [], True),
        ({"kind": "RayJob"}, [], True),
    ],
)
def test_a_workload_runs_once_it_or_its_pods_say_so(document, pods, is_running):
    assert runs(document, pods) is is_running


@pytest.mark.parametrize("strange", [3, "suspend", ["suspend"], None])
def test_a_kind_without_a_schema_may_have_anything_where_others_have_spec_and_status(strange):
    document = {"kind": "X", "metadata": {}, "spec": strange, "status": strange}
    assert slim_workload(document) == {**document, "spec": {}}
    assert hindrance(document, [], []) is None
    assert stands_still(document, [])
    inner = {**document, "spec": {"runPolicy": strange}}
    assert hindrance(inner, [], []) is None


def test_a_workload_tells_when_it_started_if_it_does():
    at = "2026-11-25T10:00:00Z"
    assert started_at({"status": {"startTime": at}}) == at
    assert started_at({"status": {"startedAt": at}}) == at
    assert started_at({"status": {"startTime": None}}) is None
    assert started_at({}) is None


def pod(container, **state):
    return {"status": {"containerStatuses": [{"name": container, "state": state}]}}


def over(begin, end):
    day = "2026-01-01T00:00"
    return {"terminated": {"startedAt": f"{day}:{begin:02}Z", "finishedAt": f"{day}:{end:02}Z"}}


@pytest.mark.parametrize(
    ("pods", "seconds"),
    [
        ([pod("main", **over(5, 17))], 12),
        ([pod("main", **over(5, 5))], 1),
        (
            [pod("main", **over(5, 17)), pod("main", **over(8, 30)), pod("beside", **over(1, 59))],
            25,
        ),
        ([pod("main", running={"startedAt": "2026-01-01T00:00:05Z"})], 0),
        ([pod("main", terminated={"exitCode": 137, "startedAt": None, "finishedAt": None})], 0),
        ([{}], 0),
    ],
)
def test_how_long_it_ran_is_from_the_first_start_to_the_last_end_of_its_container(pods, seconds):
    assert ran_seconds(pods, "main") == seconds
