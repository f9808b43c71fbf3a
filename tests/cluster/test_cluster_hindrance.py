"""Why a workload does not run, as a real cluster tells it."""

import json

import pytest
from cluster.node.layout import BUSYBOX
from support.waiting import until
from tunewright.controller.kube.workloads.hindrance import hindrance
from tunewright.controller.plan import reasons

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180, func_only=True)]


@pytest.fixture
def hindered(namespace):
    """Run a Job; return what hinders it once something does."""

    def run(pod=None, *, until_seen=None, **container):
        main = {"name": "main", "image": BUSYBOX, "command": ["sleep", "60"], **container}
        spec = {"restartPolicy": "Never", "containers": [main], **(pod or {})}
        namespace.create(
            apiVersion="batch/v1",
            kind="Job",
            metadata={"name": "trial"},
            spec={"template": {"metadata": {"labels": {"app": "trial"}}, "spec": spec}},
        )
        found = []

        def seen():
            lists = (items(namespace, *words) for words in (("pods", "-l", "app=trial"), EVENTS))
            found[:] = [hindrance(namespace.get("job", "trial"), *lists)]
            return found[0] is not None and (until_seen or "") in found[0].message

        until(seen, seconds=60)
        return found[0]

    return run


EVENTS = ("events",)


def items(namespace, *words):
    return json.loads(namespace.kubectl("get", *words, "-o", "json"))["items"]


def asks(**requests):
    return {"resources": {"requests": requests, "limits": requests}}


@pytest.mark.parametrize(
    ("container", "reason", "said"),
    [
        (asks(cpu="1000"), reasons.UNSCHEDULABLE, "Insufficient cpu"),
        (asks(**{"nvidia.com/gpu": "1"}), reasons.DEVICES_TAKEN, "Insufficient nvidia.com/gpu"),
        ({"image": "localhost/nowhere:1"}, reasons.IMAGE_UNAVAILABLE, "localhost/nowhere:1"),
        ({"image": "NOT/a name"}, reasons.IMAGE_NAME_INVALID, "container main"),
        (
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}]},
            reasons.CONFIG_MISSING,
            'secret "a" not found',
        ),
        ({"command": ["/no/such/program"]}, reasons.CONTAINER_UNSTARTABLE, "/no/such/program"),
        (
            {"command": ["sh", "-c", "exit 3"]},
            reasons.POD_CRASHED,
            "(1 of 7 failed) exited with 3",
        ),
        (
            {"command": ["sh", "-c", "tail /dev/zero"], **asks(memory="20Mi")},
            reasons.OUT_OF_MEMORY,
            "exited with 137",
        ),
    ],
)
def test_a_pod_that_does_not_run_says_why(hindered, container, reason, said):
    found = hindered(until_seen=said, **container)
    assert found.reason is reason


def test_a_volume_that_is_not_there_is_named(hindered):
    volume = {"name": "data", "configMap": {"name": "nowhere"}}
    mount = {"name": "data", "mountPath": "/data"}
    found = hindered({"volumes": [volume]}, volumeMounts=[mount])
    assert found.reason is reasons.VOLUME_UNAVAILABLE
    assert 'configmap "nowhere" not found' in found.message


def test_pods_that_are_not_allowed_are_a_reason(namespace, hindered):
    restricted = "pod-security.kubernetes.io/enforce=restricted"
    namespace.kubectl("label", "namespace", namespace.name, restricted)
    found = hindered()
    assert found.reason is reasons.POD_SECURITY
    assert "allowPrivilegeEscalation" in found.message


def test_a_quota_that_is_used_up_is_a_reason(namespace, hindered):
    namespace.kubectl("create", "quota", "team", "--hard=pods=0")
    assert hindered().reason is reasons.QUOTA_EXCEEDED


def test_an_account_that_is_not_there_is_a_reason(hindered):
    found = hindered({"serviceAccountName": "nobody"})
    assert found.reason is reasons.PODS_REFUSED
    assert 'serviceaccount "nobody" not found' in found.message
