"""Katib's plug-ins on the product: an algorithm in an image of its own, and early stopping."""

import json

import pytest
import yaml
from support.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600, func_only=True)]

SERVICE = """
from tunewright.proto import api_pb2 as wire, api_pb2_grpc, serving

class Counting(api_pb2_grpc.SuggestionServicer):
    def GetSuggestions(self, request, context):
        first = request.total_request_number - request.current_request_number
        reply = wire.GetSuggestionsReply()
        for index in range(first, request.total_request_number):
            point = reply.parameter_assignments.add()
            point.assignments.add(name="lr", value=f"0.{index + 1}")
        return reply

    def ValidateAlgorithmSettings(self, request, context):
        return wire.ValidateAlgorithmSettingsReply()

server, _ = serving.start(
    "0.0.0.0:6789",
    lambda server: api_pb2_grpc.add_SuggestionServicer_to_server(Counting(), server),
    health=("", "manager.v1beta1.Suggestion"),
    open_to_all=True,
)
server.wait_for_termination()
"""
"""Katib's protocol, as its own plug-ins speak it: it counts lr up from 0.1."""

MOMENT = "2026-01-01T00:00:00Z"


def experiment(name, program, **spec):
    container = {
        "name": "main",
        "image": "python:3.11-slim",
        "command": ["python3", "-c", program],
    }
    pod = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    space = {"min": "0", "max": "1"}
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": name},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "algorithm": {"algorithmName": "random"},
            "maxTrialCount": 3,
            "parallelTrialCount": 2,
            "parameters": [{"name": "lr", "parameterType": "double", "feasibleSpace": space}],
            "trialTemplate": {
                "primaryContainerName": "main",
                "trialParameters": [{"name": "lr", "reference": "lr"}],
                "trialSpec": {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "spec": {"backoffLimit": 0, "template": pod},
                },
            },
            **spec,
        },
    }


def has_ended(namespace, name):
    return namespace.get("experiment", name).get("status", {}).get("completionTime")


def trials_of(namespace, name):
    selected = f"katib.kubeflow.org/experiment={name}"
    return json.loads(namespace.kubectl("get", "trials", "-l", selected, "-o", "json"))["items"]


@pytest.fixture(scope="module")
def mine(product, cluster):
    """An installation's `katib-config` that names an image for the algorithm `mine`."""
    operator = cluster.kubectl(
        *("get", "deployment", "tunewright-operator", "-n", "tunewright", "-o", "json")
    )
    (container,) = json.loads(operator)["spec"]["template"]["spec"]["containers"]
    image = {
        "algorithmName": "mine",
        "image": container["image"],
        "command": ["python3", "-c", SERVICE],
    }
    config = {"kind": "KatibConfig", "runtime": {"suggestions": [image]}}
    written = f"--from-literal=katib-config.yaml={yaml.safe_dump(config)}"
    there = ("configmap", "katib-config", "--namespace", "kubeflow")
    cluster.kubectl("create", *there, written)
    yield
    cluster.kubectl("delete", *there)


@pytest.mark.parametrize(("policy", "is_kept"), [("Never", False), ("LongRunning", True)])
def test_an_algorithm_in_an_image_of_its_own_runs_beside_its_experiment(
    mine, namespace, policy, is_kept
):
    document = experiment(
        "counted",
        "print('loss=${trialParameters.lr}')",
        algorithm={"algorithmName": "mine"},
        resumePolicy=policy,
    )
    namespace.create(**document)

    until(lambda: trials_of(namespace, "counted"), seconds=120)
    namespace.get("deployment", "counted-mine")
    namespace.get("service", "counted-mine")
    until(lambda: has_ended(namespace, "counted"), seconds=120)

    points = [
        trial["spec"]["parameterAssignments"][0]["value"]
        for trial in trials_of(namespace, "counted")
    ]
    assert sorted(points) == ["0.1", "0.2", "0.3"]
    assert namespace.get("experiment", "counted")["status"]["best"] == "0.1"
    if is_kept:
        assert namespace.get("deployment", "counted-mine")["status"]["readyReplicas"] == 1
    else:
        until(lambda: namespace.tried("get", "deployment", "counted-mine").returncode, seconds=60)
        until(lambda: namespace.tried("get", "service", "counted-mine").returncode, seconds=60)


def test_a_trial_that_an_early_stopping_service_marks_is_stopped_with_what_it_reported(
    product, namespace
):
    program = "print('loss=${trialParameters.lr}'); import time; time.sleep(600)"
    namespace.create(**experiment("marked", program, maxTrialCount=1, parallelTrialCount=1))
    until(
        lambda: namespace.get("experiment", "marked").get("status", {}).get("trialsRunning"),
        seconds=120,
    )
    (trial,) = trials_of(namespace, "marked")
    name = trial["metadata"]["name"]
    until(
        lambda: "loss=" in namespace.tried("logs", f"job/{name}", "-c", "main").stdout, seconds=60
    )
    # The service adds its condition to those that it found, and does nothing else.
    times = {"lastUpdateTime": MOMENT, "lastTransitionTime": MOMENT}
    said = {"reason": "TrialEarlyStopped", "message": "Trial is early stopped"}
    stop = {"type": "EarlyStopped", "status": "True", **said, **times}
    patch = {"status": {"conditions": [*trial["status"]["conditions"], stop]}}
    namespace.kubectl(
        *("patch", "trial", name, "--subresource=status", "--type=merge", "-p", json.dumps(patch))
    )

    until(lambda: has_ended(namespace, "marked"), seconds=120)

    ended = namespace.get("trial", name)
    value = float(ended["spec"]["parameterAssignments"][0]["value"])
    assert ended["status"]["conditions"][-1]["type"] == "EarlyStopped"
    assert ended["status"]["completionTime"]
    assert float(ended["status"]["observation"]["metrics"][0]["latest"]) == value
    assert namespace.get("experiment", "marked")["status"]["trialsEarlyStopped"] == 1
    until(
        lambda: not json.loads(namespace.kubectl("get", "pods", "-o", "json"))["items"], seconds=60
    )
