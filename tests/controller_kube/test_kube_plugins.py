"""Algorithms in images of their own, as a `katib-config` names them."""

import json

import pytest
import yaml
from tunewright.api.errors import Invalid
from tunewright.api.identity import ExperimentKey
from tunewright.api.policy import Policy, ResumePolicy
from tunewright.controller.kube.experiments import experiment_record
from tunewright.controller.kube.plugins import Plugin, check_endpoints, ignored, images_of

CONFIG = {
    "apiVersion": "config.kubeflow.org/v1beta1",
    "kind": "KatibConfig",
    "init": {"controller": {"trialResources": ["Job.v1.batch"]}},
    "runtime": {
        "earlyStoppings": [{"algorithmName": "medianstop", "image": "katib/medianstop"}],
        "metricsCollectors": [{"kind": "StdOut", "image": "collector"}],
        "suggestions": [
            {"algorithmName": "random", "image": "katib/hyperopt"},
            {
                "algorithmName": "mine",
                "image": "registry.test/mine:1",
                "resources": {"limits": {"memory": "1Gi"}},
                "serviceAccountName": "searcher",
                "volumeMountPath": "/state",
                "persistentVolumeClaimSpec": {"accessModes": ["ReadWriteMany"]},
            },
        ],
    },
}


def config(written=CONFIG):
    text = written if isinstance(written, str) else yaml.safe_dump(written)
    return {"data": {"katib-config.yaml": text}}


def plugin(kube=None, **policy):
    document = {
        "metadata": {
            "name": "digits",
            "namespace": "team",
            "uid": "u",
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {},
    }
    record, _ = experiment_record(document)
    assert record.key == ExperimentKey("team", "digits")
    return Plugin(kube, images_of(config())["mine"], record, "mine", Policy(**policy))


def owned_by(kind, name="digits", uid="u"):
    owner = {"apiVersion": "kubeflow.org/v1beta1", "kind": kind, "name": name, "uid": uid}
    return {"metadata": {"uid": "1", "ownerReferences": [owner]}}


class Recording:
    """An API server that takes everything, and has what is asked for; what was asked is kept."""

    def __init__(self, there=None):
        self.made = []
        self.deleted = []
        self.there = there or owned_by("Experiment")

    async def get(self, resource, namespace, name):
        return self.there

    async def create(self, resource, namespace, document):
        self.made.append((namespace, document))

    async def delete(self, resource, namespace, name, *, uid):
        assert uid == self.there["metadata"]["uid"]
        self.deleted.append((resource.plural, namespace, name))


async def begun(**policy):
    kube = Recording()
    await plugin(kube, **policy).begin()
    return {document["kind"]: document for _, document in kube.made}


@pytest.fixture
def run():
    import asyncio

    return asyncio.run


def test_an_image_is_read_with_all_that_katib_says_of_it():
    image = images_of(config())["mine"]

    assert image.container == {
        "image": "registry.test/mine:1",
        "resources": {"limits": {"memory": "1Gi"}},
    }
    assert (image.account, image.mount) == ("searcher", "/state")
    assert image.claim == {"accessModes": ["ReadWriteMany"]}


def test_a_configuration_of_an_older_katib_is_read():
    """It had a table in JSON for each part, and not a KatibConfig."""
    mine = {"image": "registry.test/mine:1", "serviceAccountName": "searcher"}
    parts = {
        "suggestion": {"mine": mine, "random": {"image": "katib/hyperopt"}},
        "early-stopping": {"medianstop": {"image": "katib/medianstop"}},
        "metrics-collector-sidecar": {"StdOut": {"image": "collector"}},
    }
    older = {"data": {name: json.dumps(part) for name, part in parts.items()}}

    image = images_of(older)["mine"]
    assert (image.container, image.account) == ({"image": "registry.test/mine:1"}, "searcher")
    assert [line.partition(":")[0] for line in ignored(older)] == [
        *("the image of random", "runtime.earlyStoppings", "runtime.metricsCollectors"),
    ]
    assert "not a KatibConfig" in ignored({"data": {"suggestion": "{"}})[0]
    assert ignored({"data": {}}) == []


def test_what_has_no_meaning_any_more_is_named():
    told = ignored(config())

    assert [line.partition(":")[0] for line in told] == [
        *("the image of random", "runtime.earlyStoppings", "runtime.metricsCollectors", "init"),
    ]


@pytest.mark.parametrize("written", ["runtime: [1", "runtime: 3", "runtime: {suggestions: [{}]}"])
def test_a_configuration_that_cannot_be_read_is_refused(written):
    with pytest.raises(Invalid, match=r"katib-config\.katib-config\.yaml"):
        images_of(config(written))


def test_names_ports_and_labels_are_katib_s(run):
    made = run(begun())
    deployment, service = made["Deployment"], made["Service"]

    assert {each["metadata"]["name"] for each in made.values()} == {"digits-mine"}
    assert plugin().endpoint == "digits-mine.team:6789"
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert labels["katib.kubeflow.org/experiment"] == "digits"
    assert labels["sidecar.istio.io/inject"] == "false"
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert (container["name"], container["image"]) == ("suggestion", "registry.test/mine:1")
    assert container["ports"] == [{"name": "suggestion-api", "containerPort": 6789}]
    assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == "searcher"
    assert deployment["metadata"]["ownerReferences"][0]["uid"] == "u"


def test_a_volume_is_there_for_an_experiment_that_goes_on_from_it(run):
    made = run(begun(resume_policy=ResumePolicy.FROM_VOLUME))
    (container,) = made["Deployment"]["spec"]["template"]["spec"]["containers"]

    assert made["PersistentVolumeClaim"]["spec"] == {"accessModes": ["ReadWriteMany"]}
    assert container["volumeMounts"] == [{"name": "suggestion-volume", "mountPath": "/state"}]


@pytest.mark.parametrize(
    ("policy", "is_kept"),
    [
        (None, False),
        (ResumePolicy.NEVER, False),
        (ResumePolicy.FROM_VOLUME, False),
        (ResumePolicy.LONG_RUNNING, True),
    ],
)
def test_it_goes_with_its_experiment_unless_the_policy_keeps_it(policy, is_kept):
    assert plugin(resume_policy=policy).is_kept is is_kept


def test_a_claim_stays_when_the_rest_is_taken_away(run):
    kube = Recording()
    run(plugin(kube, resume_policy=ResumePolicy.FROM_VOLUME).end())

    assert kube.deleted == [
        ("deployments", "team", "digits-mine"),
        ("services", "team", "digits-mine"),
    ]


@pytest.mark.parametrize(
    ("there", "is_taken"),
    [
        pytest.param(owned_by("Experiment"), True, id="ours"),
        pytest.param(owned_by("Suggestion", uid="s"), True, id="that Katib made"),
        pytest.param(owned_by("Experiment", name="other"), False, id="another experiment's"),
        pytest.param({"metadata": {"uid": "1"}}, False, id="people's own"),
    ],
)
def test_nothing_is_taken_away_that_is_a_stranger_s(run, there, is_taken):
    kube = Recording(there)
    run(plugin(kube).end())
    assert bool(kube.deleted) is is_taken


ASKED = pytest.mark.parametrize("field", ["algorithm", "earlyStopping"])


@ASKED
@pytest.mark.parametrize(
    "endpoint", ["mine.team:6789", "grpcs://mine.team.svc:6789?stateless", None]
)
def test_a_service_of_the_own_namespace_may_be_asked(field, endpoint):
    check_endpoints({field: {"endpoint": endpoint}}, "team")


@ASKED
@pytest.mark.parametrize(
    "endpoint", ["mine.other:6789", "mine:6789", "10.0.0.1:6789", "team.example.com:6789", "x"]
)
def test_a_service_of_elsewhere_may_not_be_asked(field, endpoint):
    with pytest.raises(Invalid, match=r"NAME\.team:PORT") as refused:
        check_endpoints({field: {"endpoint": endpoint}}, "team")
    assert [fault.path for fault in refused.value.faults] == [f"spec.{field}.endpoint"]


def test_an_experiment_without_services_asks_none():
    check_endpoints({"algorithm": {"algorithmName": "random"}, "earlyStopping": None}, "team")
