"""Trials of Katib's controller that one of our services stopped early."""

import pytest
from support.apiserver import NEEDED
from tunewright.api.errors import NotFound
from tunewright.controller.kube.katib_trials import mark_stopped
from tunewright.controller.kube.session import Context, connect

pytestmark = NEEDED

TRIALS = "/apis/kubeflow.org/v1beta1/namespaces/{}/trials"
AT = "2026-01-01T00:00:00Z"


@pytest.fixture
def place(api_server):
    return api_server.namespace()


@pytest.fixture
def mark(api_server, place):
    session = connect(Context(kubeconfig=str(api_server.kubeconfig)))
    return lambda trial: mark_stopped(session, place, trial, now=1_800_000_000.0)


def made(api_server, place, name):
    """Make a trial as Katib's controller does; return its path, and the trial."""
    trial = {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Trial",
        "metadata": {"name": name},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "parameterAssignments": [{"name": "lr", "value": "0.1"}],
            "runSpec": {"apiVersion": "batch/v1", "kind": "Job"},
        },
    }
    path = TRIALS.format(place)
    code, said = api_server.ask("POST", path, trial)
    assert code == 201, said
    return f"{path}/{name}", said


def running(api_server, place, name):
    """Make a trial that runs; return its path."""
    path, trial = made(api_server, place, name)
    condition = {"type": "Running", "status": "True", "reason": "TrialRunning", "message": ""}
    times = {"lastUpdateTime": AT, "lastTransitionTime": AT}
    trial["status"] = {"startTime": AT, "conditions": [{**condition, **times}]}
    code, said = api_server.ask("PUT", f"{path}/status", trial)
    assert code == 200, said
    return path


def test_a_stopped_trial_has_the_condition_that_katibs_controller_looks_for(
    api_server, place, mark
):
    path = running(api_server, place, "t")

    mark("t")

    status = api_server.ask("GET", path)[1]["status"]
    last = status["conditions"][-1]
    assert (last["type"], last["status"], last["reason"]) == (
        "EarlyStopped",
        "True",
        "TrialEarlyStopped",
    )
    assert status["startTime"] == AT


def test_a_trial_that_has_no_status_yet_is_stopped_like_any_other(api_server, place, mark):
    path, _ = made(api_server, place, "t")
    mark("t")
    (only,) = api_server.ask("GET", path)[1]["status"]["conditions"]
    assert (only["type"], only["status"]) == ("EarlyStopped", "True")


def test_a_trial_that_is_not_there_is_not_found(mark):
    with pytest.raises(NotFound):
        mark("nobody")
