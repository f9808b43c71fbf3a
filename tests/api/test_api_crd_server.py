"""What a real API server makes of our resource definitions."""

import copy
import json
from pathlib import Path

import pytest
import yaml
from support.apiserver import NEEDED
from support.apiserver import api_server as api_server_alone
from support.waiting import until
from tunewright.api.documents import load, parse

pytestmark = NEEDED

HERE = Path(__file__).parent
SHAPES = sorted((HERE / "shapes").glob("*.yaml"))
BARE_NUMBERS = {"every-extension", "every-parameter-kind"}
QUOTED = [file for file in SHAPES if file.stem not in BARE_NUMBERS]
EXAMPLES = sorted((HERE.parents[1] / "examples").glob("*/experiment.yaml"))
CRDS = HERE.parents[1] / "deploy" / "crds"
GROUP = "/apis/kubeflow.org/v1beta1"
MAIN = {"name": "main", "command": ["train", "--lr=${trialParameters.lr}"]}


def experiment(**spec):
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"generateName": "e-"},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "parameters": [
                {
                    "name": "lr",
                    "parameterType": "double",
                    "feasibleSpace": {"min": "0.01", "max": "0.1"},
                }
            ],
            "trialTemplate": {
                "trialSpec": {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "spec": {"template": {"spec": {"containers": [MAIN]}}},
                }
            },
            **spec,
        },
    }


@pytest.fixture
def place(api_server):
    return f"{GROUP}/namespaces/{api_server.namespace()}/experiments"


@pytest.fixture
def tried(api_server):
    """Send an Experiment without keeping it; return the status and the answer."""

    def send(document):
        path = f"{GROUP}/namespaces/default/experiments"
        return api_server.ask("POST", path, document, dryRun="All", fieldValidation="Strict")

    return send


@pytest.mark.parametrize("file", SHAPES, ids=lambda file: file.stem)
def test_every_shape_is_accepted_as_the_command_line_sends_it(tried, file):
    (shape,) = load([file]).experiments
    document = shape.write()
    document["metadata"].pop("namespace", None)

    assert tried(document)[0] == 201


@pytest.mark.parametrize("file", QUOTED, ids=lambda file: file.stem)
def test_every_shape_whose_numbers_are_quoted_is_accepted_as_its_file_stands(tried, file):
    for document in yaml.safe_load_all(file.read_text()):
        document["metadata"].pop("namespace", None)
        assert document["kind"] == "ConfigMap" or tried(document)[0] == 201


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.parent.name)
def test_every_example_is_accepted_as_its_file_stands(api_server, file):
    assert "created" in api_server.kubectl("create", "--dry-run=server", "-f", str(file))


def test_what_the_server_keeps_is_read_again_without_a_fault(tried):
    _, kept = tried(experiment(maxTrialCount=2))

    assert parse(kept).spec.parallel_trial_count == 3


def test_constants_are_written_into_the_document(tried):
    _, kept = tried(experiment())

    assert kept["spec"]["parallelTrialCount"] == 3
    assert kept["spec"]["algorithm"] == {"algorithmName": "auto"}
    assert kept["spec"]["metricsCollectorSpec"] == {"collector": {"kind": "StdOut"}}
    assert kept["spec"]["parameters"][0]["feasibleSpace"]["distribution"] == "uniform"
    assert "resumePolicy" not in kept["spec"]


def test_a_filter_alone_reads_standard_output(tried):
    only_filter = {"source": {"filter": {"metricsFormat": ["(a)=(b)"]}}}
    _, kept = tried(experiment(metricsCollectorSpec=only_filter))

    assert kept["spec"]["metricsCollectorSpec"] == {"collector": {"kind": "StdOut"}, **only_filter}


def test_what_is_left_empty_is_as_good_as_left_out(tried):
    empty = {"algorithmName": "random", "algorithmSettings": None}

    status, _ = tried(experiment(algorithm=empty, maxTrialCount=None, nasConfig=None))

    assert status == 201


def test_a_range_may_be_of_one_value(tried):
    status, _ = tried(experiment(**space(min="1", max="1.0")))

    assert status == 201


def parameter(**changes):
    return {"parameters": [{**experiment()["spec"]["parameters"][0], **changes}]}


def space(**feasible):
    return parameter(feasibleSpace=feasible)


def template(**changes):
    job = experiment()["spec"]["trialTemplate"]["trialSpec"]
    return {"trialTemplate": {"trialSpec": {**job, **changes}}}


def objective(**changes):
    return {"objective": {**experiment()["spec"]["objective"], **changes}}


def collector(kind, **source):
    return {"metricsCollectorSpec": {"collector": {"kind": kind}, "source": source}}


REFUSED = [
    ("no objective", {"objective": None}, "spec.objective"),
    ("a direction that is none", objective(type="less"), "spec.objective.type"),
    ("an objective listed again", objective(additionalMetricNames=["loss"]), "spec.objective"),
    ("a strategy that is none", objective(metricStrategies=[{"name": "loss", "value": "mean"}]),
     "spec.objective.metricStrategies[0].value"),
    ("neither parameters nor nas", {"parameters": None}, "spec"),
    ("both parameters and nas", {"nasConfig": {"graphConfig": {}, "operations": []}}, "spec"),
    ("an unknown kind of parameter", parameter(parameterType="float"),
     "spec.parameters[0].parameterType"),
    ("a name twice", {"parameters": parameter()["parameters"] * 2}, "spec.parameters[1]"),
    ("a brace in a name", parameter(name="{lr}"), "spec.parameters[0].name"),
    ("a bare number in the place of text", space(min=0.01, max="0.1"),
     "spec.parameters[0].feasibleSpace.min"),
    ("what is no number", space(min="small", max="0.1"), "spec.parameters[0].feasibleSpace.min"),
    ("a range without an end", space(min="0.01"), "spec.parameters[0]"),
    ("a range turned round", space(min="0.1", max="0.01"), "spec.parameters[0]"),
    ("the logarithm of zero", space(min="0", max="1", distribution="logUniform"),
     "spec.parameters[0]"),
    ("a range with a list", space(min="0", max="1", list=["1"]), "spec.parameters[0]"),
    ("no list of categories", parameter(parameterType="categorical", feasibleSpace={"list": []}),
     "spec.parameters[0]"),
    ("categories with a range", parameter(
        parameterType="categorical", feasibleSpace={"list": ["a"], "min": "1"}),
     "spec.parameters[0]"),
    ("a category twice", parameter(
        parameterType="categorical", feasibleSpace={"list": ["a", "a"]}),
     "spec.parameters[0].feasibleSpace.list[1]"),
    ("no trial at all", {"maxTrialCount": 0}, "spec.maxTrialCount"),
    ("more at once than ever", {"maxTrialCount": 2, "parallelTrialCount": 4}, "spec"),
    ("more failures than trials", {"maxTrialCount": 2, "maxFailedTrialCount": 3}, "spec"),
    ("an unknown policy", {"resumePolicy": "Always"}, "spec.resumePolicy"),
    ("no template", {"trialTemplate": {}}, "spec.trialTemplate"),
    ("a template without a kind", template(kind=""), "spec.trialTemplate.trialSpec.kind"),
    ("a template with a name", template(metadata={"name": "mine"}),
     "spec.trialTemplate.trialSpec"),
    ("an unknown collector", collector("Magic"), "spec.metricsCollectorSpec.collector.kind"),
    ("no container for Custom", collector("Custom"), "spec.metricsCollectorSpec"),
    ("a relative file", collector("File", fileSystemPath={"path": "metrics.log"}),
     "spec.metricsCollectorSpec.source.fileSystemPath.path"),
    ("a directory as a file", collector("File", fileSystemPath={"kind": "Directory"}),
     "spec.metricsCollectorSpec"),
    ("a format of event files", collector("TensorFlowEvent", fileSystemPath={"format": "JSON"}),
     "spec.metricsCollectorSpec"),
    ("a filter of JSON", collector("File", fileSystemPath={"format": "JSON"}, filter={}),
     "spec.metricsCollectorSpec"),
    ("a port that is none", collector("PrometheusMetric", httpGet={"port": 70000}),
     "spec.metricsCollectorSpec.source.httpGet.port"),
    ("a constraint that bounds nothing", {"constraints": [{"metric": "size"}]},
     "spec.constraints[0]"),
    ("less than nothing to retry", {"trialPolicy": {"retries": -1}}, "spec.trialPolicy.retries"),
    ("a misspelt field", {"maxTrialCuont": 3}, "spec.maxTrialCuont"),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "field"), [
    pytest.param(spec, field, id=story) for story, spec, field in REFUSED
])  # fmt: skip
def test_what_validate_refuses_the_server_refuses_at_its_field(tried, spec, field):
    status, answer = tried(experiment(**spec))

    assert status in {400, 422}
    causes = answer.get("details", {}).get("causes") or ()
    assert field in {cause["field"] for cause in causes} or f'"{field}"' in answer["message"]


@pytest.mark.parametrize("name", ["Upper-case", "a" * 41, "1st", "with.dot", "ends-"])
def test_a_name_that_trials_could_not_carry_is_refused(tried, name):
    document = {**experiment(), "metadata": {"name": name}}

    assert tried(document)[0] == 422


CHANGES = [
    ("a larger budget", ("maxTrialCount",), 9, True),
    ("a smaller budget", ("maxTrialCount",), 3, True),
    ("a pause", ("suspend",), True, True),
    ("more patience", ("trialPolicy",), {"retries": 2}, True),
    ("another goal", ("objective", "goal"), 0.1, True),
    ("another metric", ("objective", "objectiveMetricName"), "error", False),
    ("another range", ("parameters", 0, "feasibleSpace", "max"), "0.5", False),
    ("another algorithm", ("algorithm",), {"algorithmName": "grid"}, False),
    ("a seed afterwards", ("seed",), 4, False),
    ("another job", ("trialTemplate", "trialSpec", "spec"), {"backoffLimit": 0}, False),
]


@pytest.mark.parametrize(("path", "value", "allowed"), [
    pytest.param(path, value, allowed, id=story) for story, path, value, allowed in CHANGES
])  # fmt: skip
def test_what_may_change_in_an_experiment_that_exists(api_server, place, path, value, allowed):
    _, kept = api_server.ask("POST", place, experiment(maxTrialCount=5))
    changed = copy.deepcopy(kept)
    *steps, last = path
    part = changed["spec"]
    for step in steps:
        part = part[step]
    part[last] = value

    status, answer = api_server.ask("PUT", f"{place}/{kept['metadata']['name']}", changed)

    assert (status == 200) is allowed, answer
    assert allowed or "cannot be changed" in answer["message"]


@pytest.mark.parametrize(("budget", "allowed"), [(4, True), (3, False), (6, True)])
def test_a_budget_is_lowered_no_further_than_the_trials_that_have_started(
    api_server, place, budget, allowed
):
    _, kept = api_server.ask("POST", place, experiment(maxTrialCount=5))
    path = f"{place}/{kept['metadata']['name']}"
    _, kept = api_server.ask(
        "PUT", f"{path}/status", {**kept, "status": {"trials": 7, "trialsPending": 3}}
    )

    status, answer = api_server.ask(
        "PUT", path, {**kept, "spec": {**kept["spec"], "maxTrialCount": budget}}
    )

    assert (status == 200) is allowed, answer
    assert (
        allowed
        or "must not be lowered below the number of trials that have started" in answer["message"]
    )


def test_the_status_is_written_on_its_own(api_server, place):
    _, kept = api_server.ask("POST", place, experiment())
    path = f"{place}/{kept['metadata']['name']}"
    status = {
        "conditions": [
            {"type": "Created", "status": "True", "reason": "ExperimentCreated", "message": ""},
            {"type": "Running", "status": "True", "reason": "ExperimentRunning", "message": ""},
        ],
        "trials": 4, "trialsSucceeded": 2, "trialsRunning": 2, "completionTime": None,
        "best": "0.25",
    }  # fmt: skip

    _, ignored = api_server.ask("PUT", path, {**kept, "status": status})
    _, written = api_server.ask("PUT", f"{path}/status", {**ignored, "status": status})

    assert "status" not in ignored
    assert written["status"] == status
    assert written["metadata"]["generation"] == kept["metadata"]["generation"]


def test_a_list_of_experiments_shows_state_progress_best_and_age(api_server, place):
    _, kept = api_server.ask("POST", place, experiment(maxTrialCount=8))
    condition = {"type": "Running", "status": "True", "reason": "ExperimentRunning"}
    status = {"conditions": [condition], "trialsSucceeded": 3, "trialsRunning": 2, "best": "0.25"}
    name = kept["metadata"]["name"]
    api_server.ask("PUT", f"{place}/{name}/status", {**kept, "status": status})

    head, row = api_server.kubectl("get", "experiments", "-n", place.split("/")[5]).splitlines()

    assert head.split() == ["NAME", "STATE", "SUCCEEDED", "RUNNING", "FAILED", "MAX", "BEST", "AGE"]
    assert row.split()[:6] == [name, "Running", "3", "2", "8", "0.25"]


def test_resources_have_the_categories_that_people_list_by(api_server):
    found = api_server.kubectl("api-resources", "--categories", "katib", "-o", "name")

    plurals = ("experiments", "suggestions", "trials")
    assert sorted(found.split()) == [f"{plural}.kubeflow.org" for plural in plurals]


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("experiment.spec.objective.goal", "Finite; reaching it ends the experiment."),
        ("experiment.spec.parallelTrialCount", "Default: 3, at most maxTrialCount."),
        ("trial.spec.runSpec", "The rendered job."),
        ("suggestion.spec.requests", "The total number of points requested."),
    ],
)
def test_kubectl_explains_a_field_in_the_words_of_the_page(api_server, field, words):
    assert words in " ".join(api_server.kubectl("explain", field).split())


def test_a_trial_and_a_suggestion_are_kept_as_katib_writes_them(api_server):
    namespace = api_server.namespace()
    job = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"anything": [{"goes": 1}]}}
    assignments = [{"name": "lr", "value": "0.1"}]
    specs = {
        "Trial": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "parameterAssignments": assignments,
            "runSpec": job,
            "successCondition": 'status.conditions.#(type=="Complete")#',
            "primaryPodLabels": {"role": "master"},
        },
        "Suggestion": {"algorithm": {"algorithmName": "random"}, "requests": 3},
    }

    for kind, spec in specs.items():
        document = {
            "apiVersion": "kubeflow.org/v1beta1", "kind": kind,
            "metadata": {"name": "a"}, "spec": spec,
        }  # fmt: skip
        path = f"{GROUP}/namespaces/{namespace}/{kind.lower()}s"
        status, kept = api_server.ask("POST", path, document, fieldValidation="Strict")
        assert (status, kept.get("spec")) == (201, spec), json.dumps(kept)


KATIB_FINISHED = {
    **experiment(**space(min="0.01", max="0.1", distribution="uniform"), maxTrialCount=9),
    "metadata": {"name": "finished", "finalizers": ["update-prometheus-metrics"]},
    "status": {
        "startTime": "2024-01-01T00:00:00Z",
        "completionTime": "2024-01-01T01:00:00Z",
        "lastReconcileTime": None,
        "conditions": [
            {
                "type": "Succeeded",
                "status": "True",
                "reason": "ExperimentMaxTrialsReached",
                "message": "Experiment has succeeded because max trial count has reached",
                "lastUpdateTime": "2024-01-01T01:00:00Z",
                "lastTransitionTime": "2024-01-01T01:00:00Z",
            }
        ],
        "currentOptimalTrial": {
            "bestTrialName": "finished-abc",
            "parameterAssignments": [{"name": "lr", "value": "0.05"}],
            "observation": {"metrics": [{"name": "loss", "min": "0.1", "max": "1", "latest": "1"}]},
        },
        "succeededTrialList": ["finished-abc", "finished-def"],
        "trials": 2,
        "trialsSucceeded": 2,
    },
}


def test_what_katib_left_behind_stays_as_it_is_when_ours_are_applied_over_katibs():
    ours = yaml.safe_load((CRDS / "experiments.yaml").read_text())
    katibs = copy.deepcopy(ours)
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    katibs["spec"]["versions"][0]["schema"] = {"openAPIV3Schema": anything}
    path = f"{GROUP}/namespaces/default/experiments"
    with api_server_alone() as server:
        server.kubectl("apply", "-f", "-", given=json.dumps(katibs))
        server.kubectl("wait", "--for=condition=established", "crd", "--all")
        _, made = server.ask("POST", path, KATIB_FINISHED)
        _, before = server.ask(
            "PUT", f"{path}/finished/status", {**made, "status": KATIB_FINISHED["status"]}
        )

        server.kubectl("apply", "-k", str(CRDS))
        until(lambda: "algorithm" in server.ask("GET", f"{path}/finished")[1]["spec"])
        _, after = server.ask("GET", f"{path}/finished")
        released = {**after, "metadata": {**after["metadata"], "finalizers": []}}
        status, _ = server.ask("PUT", f"{path}/finished", released)

    assert after["status"] == before["status"]
    assert (
        after["spec"].items()
        >= {**before["spec"], "parameters": after["spec"]["parameters"]}.items()
    )
    assert status == 200
