"""An overlay on a cluster: it comes up, is used, and goes without a trace."""

import json

import pytest
import yaml
from cluster.node import install
from cluster.node.layout import REPOSITORY
from support.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

NAMESPACE = "tunewright"


@pytest.fixture(scope="module")
def installed(own_cluster):
    install.install()


def test_every_pod_is_ready_in_a_namespace_that_takes_restricted_ones_only(installed, cluster):
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


def test_katib_s_address_leads_to_the_metrics_service(installed, namespace):
    asks = "until nc -w 2 katib-db-manager.kubeflow 6789 </dev/null; do sleep 0.2; done"
    namespace.pod("client", "sh", "-c", asks)

    assert namespace.ends("pod", "client") == "Succeeded"


@pytest.mark.last
def test_what_is_removed_leaves_the_definitions_and_nothing_else(installed, cluster):
    overlay = REPOSITORY / "build" / "deploy"
    documents = list(yaml.safe_load_all(cluster.kubectl("kustomize", str(overlay))))

    cluster.kubectl("delete", "--kustomize", str(overlay), "--timeout=120s")

    def remains(document) -> bool:
        metadata = document["metadata"]
        where = ("--namespace", metadata.get("namespace", "default"))
        return cluster.tried("get", document["kind"], metadata["name"], *where).returncode == 0

    until(lambda: not any(map(remains, documents)), seconds=60)
    for plural in ("experiments", "suggestions", "trials"):
        assert cluster.get("crd", f"{plural}.kubeflow.org")
