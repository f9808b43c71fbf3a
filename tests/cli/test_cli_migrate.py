"""`tunewright migrate katib`, on a real API server with what Katib leaves in one."""

import json

import pytest
import yaml
from support import apiserver
from support.apiserver import NEEDED, REPOSITORY

pytestmark = [*NEEDED, pytest.mark.timeout(240)]

KEPT = "tunewright-katib-webhooks"
WEBHOOKS = ("validatingwebhookconfigurations", "mutatingwebhookconfigurations")
GROUP = "kubeflow.org"
HOOK = {
    "name": "validator.experiment.katib.kubeflow.org",
    "clientConfig": {
        "service": {"name": "katib-controller", "namespace": "kubeflow", "path": "/validate"}
    },
    "rules": [
        {
            "apiGroups": [GROUP],
            "apiVersions": ["v1beta1"],
            "operations": ["CREATE"],
            "resources": ["experiments"],
        }
    ],
    "failurePolicy": "Fail",
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
}


def deployment(name, labels, replicas=1):
    template = {"metadata": {"labels": labels}, "spec": {"containers": [CONTAINER]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return kind("apps/v1", "Deployment", name, labels=labels, spec=spec)


def kind(api_version, word, name, labels=None, finalizers=(), **rest):
    metadata = {"name": name, "labels": labels or {}, "finalizers": list(finalizers)}
    return {"apiVersion": api_version, "kind": word, "metadata": metadata, **rest}


def experiment(name, finalizers=()):
    spec = {
        "objective": {"type": "minimize", "objectiveMetricName": "loss"},
        "algorithm": {"algorithmName": "random"},
        "parameters": [
            {"name": "lr", "parameterType": "double", "feasibleSpace": {"min": "0", "max": "1"}}
        ],
        "trialTemplate": {
            "primaryContainerName": "main",
            "trialParameters": [{"name": "lr", "reference": "lr"}],
            "trialSpec": {"apiVersion": "batch/v1", "kind": "Job"},
        },
    }
    return kind(f"{GROUP}/v1beta1", "Experiment", name, finalizers=finalizers, spec=spec)


CONTAINER = {"name": "main", "image": "katib:1"}
CONFIG = "runtime: {suggestions: [{algorithmName: tpe, image: katib/hyperopt}]}"


MADE = [
    *(f"/apis/admissionregistration.k8s.io/v1/{each}" for each in WEBHOOKS),
    f"/apis/{GROUP}/v1beta1/namespaces/vision/experiments",
    "/apis/apps/v1/namespaces/kubeflow/deployments",
    "/api/v1/namespaces/kubeflow/configmaps",
    "/api/v1/namespaces/kubeflow/services",
]
"""What the tests make, the webhooks first, which would hold up the rest."""


@pytest.fixture(scope="module")
def cluster():
    """A cluster of these tests alone: what is looked for is looked for everywhere."""
    with apiserver.api_server() as made:
        made.install()
        made.kubectl("create", "namespace", "kubeflow")
        made.kubectl("create", "namespace", "vision")
        yield made


@pytest.fixture
def server(cluster):
    yield cluster
    for path in MADE:
        for each in cluster.ask("GET", path)[1]["items"]:
            where = f"{path}/{each['metadata']['name']}"
            if each["metadata"].pop("finalizers", None):
                cluster.ask("PUT", where, each)
            cluster.ask("DELETE", where)


@pytest.fixture
def create(server):
    def create(document, namespace="kubeflow"):
        server.kubectl("create", "-n", namespace, "-f", "-", given=json.dumps(document))

    return create


@pytest.fixture
def running(create):
    create(experiment("running"), "vision")


@pytest.fixture
def katib(server, create):
    """An installation of Katib with one experiment that has ended, and one that cannot go."""
    create(experiment("digits"), "vision")
    ended = {"type": "Succeeded", "status": "True", "reason": "r", "message": "m"}
    status = json.dumps({"status": {"conditions": [ended]}})
    server.kubectl(
        *("patch", "experiment", "digits", "-n", "vision", "--subresource=status"),
        *("--type=merge", "-p", status),
    )
    create(experiment("stuck", ["update-prometheus-metrics", "example.test/theirs"]), "vision")
    server.kubectl("delete", "experiment", "stuck", "-n", "vision", "--wait=false")
    create(deployment("katib-controller", {"katib.kubeflow.org/component": "controller"}, 2))
    config = kind("v1", "ConfigMap", "katib-config", data={"katib-config.yaml": CONFIG})
    create(config)
    create(kind("v1", "Service", "katib-mysql", spec={"ports": [{"port": 3306}]}))
    for word in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        hooks = kind("admissionregistration.k8s.io/v1", word, "katib.kubeflow.org", webhooks=[HOOK])
        create(hooks)


@pytest.fixture
def migrate(server, tunewright):
    def migrate(*words):
        return tunewright("migrate", "katib", "--kubeconfig", str(server.kubeconfig), *words)

    return migrate


def hooks(server):
    """Return the rules of the webhook configurations that are there."""
    listed = (json.loads(server.kubectl("get", each, "-o", "json"))["items"] for each in WEBHOOKS)
    return {each["kind"]: each["webhooks"][0]["rules"] for found in listed for each in found}


def replicas(server):
    found = json.loads(server.kubectl("get", "deployment", "-A", "-o", "json"))["items"]
    return {each["metadata"]["name"]: each["spec"]["replicas"] for each in found}


def test_what_is_there_and_what_would_be_done_is_said_and_nothing_is_done(server, katib, migrate):
    done = migrate()

    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        "Katib's controller: kubeflow/katib-controller, 2 replicas",
        "Katib's validatingwebhookconfigurations: katib.kubeflow.org",
        "Katib's mutatingwebhookconfigurations: katib.kubeflow.org",
        "experiments in vision: 1 Succeeded",
        "objects being deleted that Katib's finalizers hold: 1",
        "its configuration: kubeflow/katib-config, read by the operator as it is",
        "  not followed: the image of tpe: it is built in",
        "its database: kubeflow/katib-mysql",
        f"would keep Katib's webhook configurations in the ConfigMap kubeflow/{KEPT}",
        "would scale kubeflow/katib-controller to 0",
        "would remove validatingwebhookconfigurations katib.kubeflow.org",
        "would remove mutatingwebhookconfigurations katib.kubeflow.org",
        "would let experiments vision/stuck go",
    ]
    assert "tunewright db import-katib mysql://USER@katib-mysql.kubeflow/katib" in done.err
    assert replicas(server) == {"katib-controller": 2}


def test_a_cluster_goes_over_and_comes_back_as_it_was(server, katib, create, migrate):
    before = hooks(server)

    over = migrate("--apply")

    assert over.code == 0, over.err
    assert (hooks(server), replicas(server)) == ({}, {"katib-controller": 0})
    stuck = json.loads(server.kubectl("get", "experiment", "stuck", "-n", "vision", "-o", "json"))
    assert stuck["metadata"]["finalizers"] == ["example.test/theirs"]
    create(experiment("next"), "vision")  # no webhook without a server is in its way
    again = migrate("--apply")
    assert (again.code, "There is nothing to do." in again.err) == (0, True)

    back = migrate("--back")

    assert back.code == 0, back.err
    assert (hooks(server), replicas(server)) == (before, {"katib-controller": 2})
    last = migrate("--back")
    assert (last.code, "There is nothing to do." in last.err) == (0, True)


def test_experiments_that_have_not_ended_are_not_begun_anew_unasked(
    server, running, katib, migrate
):
    done = migrate("--apply")

    assert done.code == 2
    assert "unfinished experiments would start over here: 1" in done.err
    assert "--anew" in done.err
    assert replicas(server) == {"katib-controller": 2}
    assert migrate("--apply", "--anew").code == 0


@pytest.mark.parametrize("overlay", ["standalone", "postgres"])
def test_katib_is_not_let_back_beside_our_operator(server, katib, create, migrate, overlay):
    documents = server.kubectl("kustomize", str(REPOSITORY / "deploy" / "overlays" / overlay))
    made = [each for each in yaml.safe_load_all(documents) if each["kind"] == "Deployment"]
    (ours,) = (each for each in made if drives(each))
    create({**ours, "metadata": {**ours["metadata"], "namespace": "kubeflow"}})

    done = migrate("--back")

    assert done.code == 2
    name = ours["metadata"]["name"]
    assert f"kubectl -n kubeflow scale deployment {name} --replicas=0" in done.err


def drives(deployment):
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return container["args"][0] == "operator" or container["args"][:2] == ["serve", "all"]


def test_a_cluster_that_never_had_katib_needs_nothing(server, migrate):
    done = migrate("--apply")

    assert (done.code, done.out) == (0, "")
    assert "There is nothing to do." in done.err
