"""The custom resource definitions, as a real API server takes them."""

import copy
import json
from pathlib import Path

import pytest
import yaml

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

REPOSITORY = Path(__file__).parents[2]
CRDS = REPOSITORY / "deploy" / "crds"
BARE_NUMBERS = {"every-extension.yaml", "every-parameter-kind.yaml", "nas-darts.yaml"}
FILES = [
    *sorted((REPOSITORY / "examples").glob("*/experiment.yaml")),
    *(
        path
        for path in sorted((REPOSITORY / "tests" / "api" / "shapes").glob("*.yaml"))
        if path.name not in BARE_NUMBERS
    ),
]
SMALLEST = {
    "apiVersion": "kubeflow.org/v1beta1",
    "kind": "Experiment",
    "metadata": {"name": "smallest"},
    "spec": {
        "objective": {"type": "minimize", "objectiveMetricName": "loss"},
        "parameters": [
            {"name": "x", "parameterType": "double", "feasibleSpace": {"min": "0", "max": "1"}}
        ],
        "trialTemplate": {"trialSpec": {"kind": "Job", "spec": {"anything": [1, {"goes": True}]}}},
    },
}


@pytest.fixture
def served(namespace, definitions):
    """Return what creates an Experiment and says what the server made or thought of it."""

    def ask(document):
        document = copy.deepcopy(document)
        document.get("metadata", {}).pop("namespace", None)
        done = namespace.tried("create", "-f", "-", "-o", "json", given=json.dumps(document))
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr

    return ask


@pytest.mark.parametrize("file", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_experiment_is_accepted(served, file):
    documents = [each for each in yaml.safe_load_all(file.read_text()) if each]

    assert all(isinstance(served(document), dict) for document in documents)


def test_constant_defaults_are_written(served):
    spec = served(SMALLEST)["spec"]

    assert spec["parallelTrialCount"] == 3
    assert spec["algorithm"] == {"algorithmName": "auto"}
    assert spec["metricsCollectorSpec"] == {"collector": {"kind": "StdOut"}}
    assert spec["parameters"][0]["feasibleSpace"]["distribution"] == "uniform"
    assert "resumePolicy" not in spec


def test_a_job_is_kept_as_it_was_written(served):
    template = SMALLEST["spec"]["trialTemplate"]

    assert served(SMALLEST)["spec"]["trialTemplate"] == template


NO_LIST = {"name": "x", "parameterType": "categorical", "feasibleSpace": {}}
MIXED = {"name": "x", "parameterType": "int", "feasibleSpace": {"list": ["1"]}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"maxTrailCount": 3}, 'unknown field "spec.maxTrailCount"'),
        ({"objective": None}, "spec.objective: Required value"),
        ({"objective": {"type": "least", "objectiveMetricName": "a"}}, "Unsupported value"),
        ({"parameters": None}, "one of spec.parameters and spec.nasConfig must be specified"),
        ({"nasConfig": {}}, "one of spec.parameters and spec.nasConfig must be specified"),
        ({"parameters": [NO_LIST]}, "feasibleSpace.list must be specified"),
        ({"parameters": [MIXED]}, "feasibleSpace.list is not supported for double and int"),
        ({"maxTrialCount": 0}, "should be greater than or equal to 1"),
        ({"maxTrialCount": 4, "parallelTrialCount": 5}, "less than or equal to spec.maxTrialCount"),
        ({"maxTrialCount": 4, "maxFailedTrialCount": 5}, "spec.maxFailedTrialCount should be"),
        ({"trialTemplate": {}}, "one of trialSpec and configMap must be specified"),
        ({"constraints": [{"metric": "m"}]}, "min or max must be specified"),
        ({"constraints": [{"metric": "m", "min": 2, "max": 1}]}, "max must not be less than min"),
        ({"resumePolicy": "Always"}, "Unsupported value"),
    ],
)
def test_what_a_schema_can_refuse_it_refuses(served, changes, said):
    spec = {
        key: value for key, value in {**SMALLEST["spec"], **changes}.items() if value is not None
    }

    assert said in served({**SMALLEST, "spec": spec})


def test_a_budget_below_the_default_parallelism_needs_no_second_number(served):
    assert served({**SMALLEST, "spec": {**SMALLEST["spec"], "maxTrialCount": 2}})["spec"]


@pytest.mark.parametrize("name", ["a" * 41, "1st", "with.dot"])
def test_a_name_from_which_no_trial_could_be_named_is_refused(served, name):
    assert "metadata.name must consist of" in served({**SMALLEST, "metadata": {"name": name}})


def test_explain_is_the_reference(namespace, definitions):
    said = namespace.kubectl("explain", "experiment.spec.objective.goal")

    assert "reaching it ends the experiment" in said


def test_a_list_shows_where_an_experiment_is(namespace, served):
    served(SMALLEST)
    status = {"status": {"conditions": [{"type": "Running", "status": "True"}], "best": "0.25",
                         "trialsSucceeded": 7}}  # fmt: skip
    patch = ("--subresource=status", "--type=merge", "-p", json.dumps(status))
    namespace.kubectl("patch", "experiment", "smallest", *patch)

    head, row = namespace.kubectl("get", "experiments").splitlines()
    assert head.split() == ["NAME", "STATE", "SUCCEEDED", "RUNNING", "FAILED", "MAX", "BEST", "AGE"]
    assert row.split()[:3] == ["smallest", "Running", "7"]
    assert "0.25" in row
