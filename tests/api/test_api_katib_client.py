"""Katib's client on our resources, on a real API server: what it writes, and what it reads."""

import json

import pytest
from support import katib_sdk
from support.apiserver import NEEDED

pytestmark = [*NEEDED, pytest.mark.needs("package-index"), pytest.mark.timeout(600)]

CONNECT = """
import json, sys
import kubeflow.katib as katib
client = katib.KatibClient(config_file=sys.argv[2], namespace=sys.argv[1])
"""
TUNE = """
def train(parameters):
    print(f"loss={parameters['lr']}")

client.tune(
    name="tuned",
    objective=train,
    parameters={"lr": katib.search.double(min=0.01, max=0.1), "n": katib.search.int(1, 5)},
    objective_metric_name="loss",
    objective_type="minimize",
    max_trial_count=4,
    resources_per_trial={"cpu": "1"},
)
client.edit_experiment_budget("tuned", max_trial_count=8, parallel_trial_count=4)
(experiment,) = client.list_experiments()
spec = experiment.spec
print(json.dumps([spec.max_trial_count, spec.parallel_trial_count, spec.algorithm.algorithm_name]))
"""
READ = """
experiment = client.wait_for_experiment_condition("tuned", expected_condition="Succeeded")
best = client.get_optimal_hyperparameters("tuned")
(details,) = client.get_success_trial_details("tuned")
print(json.dumps([
    experiment.status.trials_succeeded,
    best.best_trial_name,
    {each.name: each.value for each in best.parameter_assignments},
    details["name"],
    client.get_trial(best.best_trial_name).status.conditions[-1].type,
    client.get_suggestion("tuned").spec.requests,
]))
client.delete_experiment("tuned")
"""
GROUP = "/apis/kubeflow.org/v1beta1"
POINT = [{"name": "lr", "value": "0.05"}, {"name": "n", "value": "3"}]
OBSERVATION = {"metrics": [{"name": "loss", "min": "0.1", "max": "0.9", "latest": "0.1"}]}


@pytest.fixture
def place(api_server):
    return api_server.namespace()


@pytest.fixture
def client(api_server, place):
    """Run verbs of Katib's client; return what they print."""

    def run(program):
        done = katib_sdk.run(CONNECT + program, place, str(api_server.kubeconfig))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.fixture
def operator(api_server, place):
    """Write objects as the operator does: those of its own, then their status."""

    def write(kind, name, status, spec=None, **metadata):
        path = f"{GROUP}/namespaces/{place}/{kind.lower()}s"
        head = {"apiVersion": "kubeflow.org/v1beta1", "kind": kind}
        if spec is not None:
            document = {**head, "metadata": {"name": name, **metadata}, "spec": spec}
            api_server.ask("POST", path, document)
        _, made = api_server.ask("GET", f"{path}/{name}")
        code, said = api_server.ask("PUT", f"{path}/{name}/status", {**made, "status": status})
        assert code == 200, said

    return write


def succeeded(reason):
    moment = "2026-01-01T00:00:00Z"
    return {
        "startTime": moment,
        "completionTime": moment,
        "conditions": [
            {
                "type": "Succeeded",
                "status": "True",
                "reason": reason,
                "message": "",
                "lastUpdateTime": moment,
                "lastTransitionTime": moment,
            }
        ],
    }


def test_it_tunes_a_function_and_edits_the_budget(client):
    assert client(TUNE) == [8, 4, "random"]


def test_it_reads_what_the_operator_writes(client, operator):
    client(TUNE)
    best = {"bestTrialName": "tuned-a", "parameterAssignments": POINT, "observation": OBSERVATION}
    reached = succeeded("ExperimentMaxTrialsReached")
    operator("Experiment", "tuned", {**reached, "currentOptimalTrial": best, "trialsSucceeded": 1})
    operator(
        "Trial",
        "tuned-a",
        {**succeeded("TrialSucceeded"), "observation": OBSERVATION, "attempt": {"attempt": 1}},
        {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "parameterAssignments": POINT,
            "runSpec": {"apiVersion": "batch/v1", "kind": "Job"},
        },
        labels={"katib.kubeflow.org/experiment": "tuned"},
    )
    search = {"algorithm": {"algorithmName": "random"}, "requests": 8}
    operator("Suggestion", "tuned", {"suggestionCount": 8}, search)

    point = {"lr": "0.05", "n": "3"}
    assert client(READ) == [1, "tuned-a", point, "tuned-a", "Succeeded", 8]
