"""The operators that users have: training-operator, Trainer and JobSet, as they are."""

import json

import pytest
from support.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300, func_only=True)]

IMAGE = "python:3.11-slim"


def holds(namespace, kind: str, name: str, condition: str) -> bool:
    found = namespace.get(kind, name).get("status", {}).get("conditions", ())
    return any(each["type"] == condition and each["status"] == "True" for each in found)


MASTER = """
import os, socket
with socket.create_server(("", int(os.environ["MASTER_PORT"]))) as server:
    server.accept()
"""
WORKER = """
import os, socket, time
print(os.environ["MASTER_ADDR"], os.environ["RANK"], flush=True)
while True:
    try:
        socket.create_connection((os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])))
        break
    except OSError:
        time.sleep(0.2)
"""


def test_the_workers_of_a_pytorch_job_find_their_master(kubeflow_operators, namespace):
    def replica(program: str) -> dict:
        container = {"name": "pytorch", "image": IMAGE, "command": ["python3", "-c", program]}
        template = {"spec": {"containers": [container]}}
        return {"replicas": 1, "restartPolicy": "Never", "template": template}

    namespace.create(
        apiVersion="kubeflow.org/v1",
        kind="PyTorchJob",
        metadata={"name": "job"},
        spec={
            "runPolicy": {"cleanPodPolicy": "None"},
            "pytorchReplicaSpecs": {
                "Master": replica(MASTER),
                "Worker": replica(WORKER),
            },
        },
    )

    until(lambda: holds(namespace, "pytorchjob", "job", "Succeeded"), seconds=120)
    until(lambda: "job-master-0 1\n" in namespace.tried("logs", "job-worker-0").stdout, seconds=60)


@pytest.mark.parametrize(
    ("program", "condition"), [("print('loss=1')", "Complete"), ("raise SystemExit(3)", "Failed")]
)
def test_a_train_job_ends_as_its_program_does(kubeflow_operators, namespace, program, condition):
    pod = {"restartPolicy": "Never", "containers": [{"name": "node", "image": IMAGE}]}
    job = {"spec": {"backoffLimit": 0, "template": {"spec": pod}}}
    step = {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}
    replicated = {"name": "node", "template": {"metadata": {"labels": step}, **job}}
    namespace.create(
        apiVersion="trainer.kubeflow.org/v1alpha1",
        kind="TrainingRuntime",
        metadata={"name": "plain", "labels": {"trainer.kubeflow.org/framework": "torch"}},
        spec={
            "mlPolicy": {"numNodes": 1},
            "template": {"spec": {"replicatedJobs": [replicated]}},
        },
    )
    runtime = {"apiGroup": "trainer.kubeflow.org", "kind": "TrainingRuntime", "name": "plain"}
    namespace.create(
        apiVersion="trainer.kubeflow.org/v1alpha1",
        kind="TrainJob",
        metadata={"name": "job"},
        spec={"runtimeRef": runtime, "trainer": {"command": ["python3", "-c", program]}},
    )

    until(lambda: holds(namespace, "trainjob", "job", condition), seconds=120)
    pods = json.loads(namespace.kubectl("get", "pods", "-o", "json"))["items"]
    (labels,) = (pod["metadata"]["labels"] for pod in pods)
    assert labels["jobset.sigs.k8s.io/jobset-name"] == "job"
