"""An overlay on a cluster: it comes up, is used, and goes without a trace."""

import json

import pytest
import yaml
from cluster.node.layout import REPOSITORY
from support.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400, func_only=True)]

NAMESPACE = "tunewright"


JOB = """\
apiVersion: batch/v1
kind: Job
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: main
        image: python:3.11-slim
        command: [python3, -c, "%s"]
        resources: {limits: {%s}}
"""


def start(namespace, program: str, limits: str = "", **template) -> None:
    """Start an experiment whose template stands in a ConfigMap."""
    namespace.kubectl("create", "configmap", "job", f"--from-literal=job={JOB % (program, limits)}")
    source = {"configMapName": "job", "configMapNamespace": namespace.name, "templatePath": "job"}
    space = {"min": "0.1", "max": "1"}
    namespace.create(
        apiVersion="kubeflow.org/v1beta1",
        kind="Experiment",
        metadata={"name": "search"},
        spec={
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "algorithm": {"algorithmName": "random"},
            "maxTrialCount": 3,
            "parallelTrialCount": 3,
            "parameters": [{"name": "lr", "parameterType": "double", "feasibleSpace": space}],
            "trialTemplate": {
                "primaryContainerName": "main",
                "trialParameters": [{"name": "lr", "reference": "lr"}],
                "configMap": source,
                **template,
            },
        },
    )


def status(namespace):
    return namespace.get("experiment", "search").get("status", {})


def reasons(namespace) -> list[str]:
    trials = json.loads(namespace.kubectl("get", "trials", "-o", "json"))["items"]
    conditions = [trial.get("status", {}).get("conditions", ()) for trial in trials]
    return [each["reason"] for found in conditions for each in found if each["status"] == "True"]


def test_every_pod_is_ready_in_a_namespace_that_takes_restricted_ones_only(product, cluster):
    labels = cluster.get("namespace", NAMESPACE)["metadata"]["labels"]
    pods = json.loads(cluster.kubectl("get", "pods", "-n", NAMESPACE, "-o", "json"))["items"]

    conditions = [
        condition["status"]
        for pod in pods
        for condition in pod["status"]["conditions"]
        if condition["type"] == "Ready" and pod["status"]["phase"] == "Running"
    ]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert conditions
    assert set(conditions) == {"True"}


def test_katib_s_address_leads_to_the_metrics_service(product, namespace):
    asks = "until nc -w 2 katib-db-manager.kubeflow 6789 </dev/null; do sleep 0.2; done"
    namespace.pod("client", "sh", "-c", asks)

    assert namespace.ends("pod", "client") == "Succeeded"


def test_an_experiment_is_carried_out(product, namespace):
    start(namespace, "print('loss=${trialParameters.lr}')")

    until(lambda: status(namespace).get("completionTime"), seconds=120)

    assert status(namespace)["trialsSucceeded"] == 3
    assert 0.1 <= float(status(namespace)["best"]) <= 1


def test_an_experiment_that_is_to_stop_leaves_its_jobs_suspended_where_they_are_kept(
    product, namespace
):
    start(
        namespace, "import time; print('loss=${trialParameters.lr}'); time.sleep(600)", retain=True
    )
    until(lambda: status(namespace).get("trialsRunning") == 3, seconds=120)

    wish = json.dumps([{"id": 1, "verb": "stop"}])
    namespace.kubectl("annotate", "experiment", "search", f"tunewright.dev/wishes={wish}")

    until(lambda: status(namespace).get("completionTime"), seconds=120)
    jobs = json.loads(namespace.kubectl("get", "jobs", "-o", "json"))["items"]
    assert jobs
    assert all(job["spec"]["suspend"] for job in jobs)


def test_a_trial_says_that_no_node_has_what_it_asks_for(product, namespace):
    start(namespace, "print('loss=${trialParameters.lr}')", limits="example.test/gpu: 1")

    until(lambda: "InsufficientDevices" in reasons(namespace), seconds=120)


@pytest.mark.last
def test_what_is_removed_leaves_the_definitions_and_nothing_else(product, cluster):
    overlay = REPOSITORY / "build" / "deploy"
    documents = list(yaml.safe_load_all(cluster.kubectl("kustomize", str(overlay))))

    cluster.kubectl("delete", "--kustomize", str(overlay), "--timeout=120s")

    def remains(document) -> bool:
        name, where = document["metadata"]["name"], document["metadata"].get("namespace", "default")
        return cluster.tried("get", document["kind"], name, "-n", where).returncode == 0

    until(lambda: not any(map(remains, documents)), seconds=60)
    for plural in ("experiments", "suggestions", "trials"):
        assert cluster.get("crd", f"{plural}.kubeflow.org")
