"""Trials that are Workflows and PipelineRuns, under the controllers that users have.

Argo's workflow-controller with its executor and Tekton's controller with its webhook and entrypoint
are the real ones. Of either kind the first step says what nobody may take for the trial's, and the
second trains.
"""

import json

import pytest
from cluster.experiments import (
    MEDIANSTOP,
    PYTHON,
    SEARCHED,
    allow,
    experiment,
    grant,
    message,
    state,
)

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600, func_only=True)]

MISLEADS = ["sh", "-c", "echo loss=9"]
TRAINS = {"katib.kubeflow.org/model-training": "true"}

GRANT = grant("workflows", {"argoproj.io": "workflows", "tekton.dev": "pipelineruns"})
"""What an administrator grants who wants trials of these kinds."""


def workflow(command, *, first=None):
    def step(name):
        return [{"name": name, "template": name}]

    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "spec": {
            "entrypoint": "all",
            "templates": [
                {"name": "all", "steps": [step("prepare"), step("train")]},
                {
                    "name": "prepare",
                    "container": {"image": PYTHON, "command": MISLEADS, "resources": first or {}},
                },
                {
                    "name": "train",
                    "metadata": {"labels": TRAINS},
                    "container": {"image": PYTHON, "command": command},
                },
            ],
        },
    }


def pipeline_run(command, *, first=None):
    def task(name, words, after=(), resources=None):
        step = {"name": name, "image": PYTHON, "command": words}
        step["computeResources"] = resources or {}
        return {"name": name, "runAfter": list(after), "taskSpec": {"steps": [step]}}

    prepares = task("prepare", MISLEADS, resources=first)
    tasks = [prepares, task("train", command, after=["prepare"])]
    return {
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "spec": {"pipelineSpec": {"tasks": tasks}},
    }


KINDS = {
    "Workflow": (
        workflow,
        {
            "primaryContainerName": "main",
            "primaryPodLabels": TRAINS,
            "successCondition": 'status.[@this].#(phase=="Succeeded")#',
            "failureCondition": 'status.[@this].#(phase=="Failed")#',
        },
    ),
    "PipelineRun": (
        pipeline_run,
        {
            "primaryContainerName": "step-train",
            "primaryPodLabels": {"tekton.dev/pipelineTask": "train"},
            "successCondition": 'status.conditions.#(type=="Succeeded")#|#(status=="True")#',
            "failureCondition": 'status.conditions.#(type=="Succeeded")#|#(status=="False")#',
        },
    ),
}
"""How a trial of the kind is written, and what Katib's example of it has in its template."""

SAYS = "echo loss=0.5; sleep 1"
FILE = "/var/log/katib/metrics.log"
WRITTEN = {
    "metricsCollectorSpec": {
        "collector": {"kind": "File"},
        "source": {"fileSystemPath": {"path": FILE, "kind": "File"}},
    }
}
"""Metrics that only a collector in the pod can read."""

HUGE = {"requests": {"cpu": "1000"}}
DEADLINE = {"trialPolicy": {"pendingDeadlineSeconds": 60}}


def allow_reports(namespace) -> None:
    """Let the executor in Argo's pods report what became of a step, as each team has to."""
    namespace.kubectl("apply", "--filename", "-", given=json.dumps(EXECUTOR))
    bound = ("--role=executor", f"--serviceaccount={namespace.name}:default")
    namespace.kubectl("create", "rolebinding", "executor", *bound)


EXECUTOR = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "Role",
    "metadata": {"name": "executor"},
    "rules": [
        {
            "apiGroups": ["argoproj.io"],
            "resources": ["workflowtaskresults"],
            "verbs": ["create", "patch"],
        }
    ],
}


@pytest.fixture(scope="module")
def started(workflow_operators, shared, cluster):
    """Have experiments of both kinds begin: one for each way that a trial may end."""
    allow(cluster, GRANT)
    allow_reports(shared.namespace)
    for kind, (trial, template) in KINDS.items():
        name, of = kind.lower(), {"trialTemplate": template}
        shared.start(
            experiment(name, trial(["sh", "-c", SAYS]), **of),
            experiment(
                f"{name}-file", trial(["sh", "-c", f"echo loss=0.25 >{FILE}"]), **of, **WRITTEN
            ),
            experiment(f"{name}-fails", trial(["sh", "-c", "echo loss=1; exit 3"]), **of),
            experiment(f"{name}-waits", trial(["true"], first=HUGE), **of, **DEADLINE),
            experiment(f"{name}-stopped", trial(SEARCHED), trials=3, **MEDIANSTOP, **of),
        )
    return shared


def trial_of(started, name):
    """Wait for the end of the one trial of an experiment: many run at once."""
    started.ends(name, seconds=300)
    (trial,) = started.trials(name)
    return trial


@pytest.mark.parametrize("kind", KINDS)
def test_a_trial_of_several_steps_reports_what_the_one_says_that_trains(started, kind):
    assert state(trial_of(started, kind.lower())) == "Succeeded"
    assert started.values(kind.lower()) == [0.5]


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_may_write_its_metrics_to_a_file(started, kind):
    assert state(trial_of(started, f"{kind.lower()}-file")) == "Succeeded"
    assert started.values(f"{kind.lower()}-file") == [0.25]


@pytest.mark.parametrize("kind", KINDS)
def test_the_pod_that_trains_has_the_collector_and_the_others_are_as_they_were(started, kind):
    started.ends(kind.lower(), seconds=300)

    beside = {
        next(word for word in ("prepare", "train") if word in pod["metadata"]["name"]): [
            each["name"] for each in pod["spec"]["initContainers"]
        ]
        for pod in started.pods(kind.lower())
    }
    assert "metrics-logger-and-collector" in beside["train"]
    assert "metrics-logger-and-collector" not in beside["prepare"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_trial_whose_step_fails_has_failed(started, kind):
    trial = trial_of(started, f"{kind.lower()}-fails")
    assert state(trial) == "Failed", message(trial)


@pytest.mark.parametrize("kind", KINDS)
def test_a_trial_whose_first_step_finds_no_place_says_so_and_ends_at_its_deadline(started, kind):
    trial = trial_of(started, f"{kind.lower()}-waits")
    assert state(trial) == "Failed"
    assert message(trial).startswith("PendingDeadlineExceeded")
    assert "Insufficient cpu" in message(trial)


@pytest.mark.parametrize("kind", KINDS)
def test_a_hopeless_trial_is_stopped_as_its_kind_has_it_and_stays(started, kind):
    name = f"{kind.lower()}-stopped"
    assert started.ends(name, seconds=300) == "Succeeded"

    *_, last = started.trials(name)
    assert state(last) == "EarlyStopped"
    assert last["status"]["observation"]["metrics"]
    there = started.namespace.get(kind, last["metadata"]["name"])["spec"]
    assert there.get("shutdown" if kind == "Workflow" else "status") in {"Stop", "Cancelled"}
