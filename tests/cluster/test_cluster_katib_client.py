"""Katib's client, `kubeflow-katib` 0.19, unchanged: in a notebook's pod, on the product."""

import json
from datetime import datetime

import pytest
from cluster.node import clients
from cluster.notebook import open_notebook

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600, func_only=True)]

FIRST = """
import json
import kubeflow.katib as katib
client = katib.KatibClient()

def ends(name, condition="Succeeded"):
    return client.wait_for_experiment_condition(
        name, expected_condition=condition, timeout=180, polling_interval=1
    )

def shows(*values):
    print(json.dumps(values))
"""
TUNE = """
def train(parameters):
    import os
    for step in range(3):
        print(f"loss={float(parameters['lr']) / (step + 1)}")
    print(f"accuracy={parameters['n']} mode={os.environ['MODE']}")

client.tune(
    name="tuned",
    objective=train,
    base_image="python:3.11-slim",
    parameters={"lr": katib.search.double(min=0.01, max=0.1), "n": katib.search.int(1, 5)},
    objective_metric_name="loss",
    additional_metric_names=["accuracy"],
    objective_type="minimize",
    algorithm_settings={"random_state": 7},
    max_trial_count=3,
    parallel_trial_count=3,
    resources_per_trial={"cpu": "10m", "memory": "64Mi"},
    env_per_trial={"MODE": "quick"},
    retain_trials=True,
    trial_active_deadline_seconds=120,
)
ends("tuned")
"""
PUSH = """
def train(parameters):
    import kubeflow.katib as katib
    for step in range(3):
        katib.report_metrics({"loss": float(parameters["lr"]) / (step + 1), "accuracy": 0.5})

client.tune(
    name="pushed",
    objective=train,
    base_image=%r,
    parameters={"lr": katib.search.double(min=0.01, max=0.1)},
    objective_metric_name="loss",
    additional_metric_names=["accuracy"],
    objective_type="minimize",
    max_trial_count=1,
    parallel_trial_count=1,
    metrics_collector_config={"kind": "Push"},
)
ends("pushed")
(trial,) = client.list_trials("pushed")
rows = [
    [row.metric.name, float(row.metric.value)]
    for row in client.get_trial_metrics(trial.metadata.name)
]
(value,) = [float(each.value) for each in trial.spec.parameter_assignments]
shows(value, rows)
"""
DISTRIBUTE = """
def train(parameters):
    import os
    print(f"loss={parameters['lr']}\\nrank={os.environ['RANK']}")

client.tune(
    name="distributed",
    objective=train,
    base_image=%r,
    parameters={"lr": katib.search.double(min=0.01, max=0.1)},
    objective_metric_name="loss",
    objective_type="minimize",
    max_trial_count=1,
    parallel_trial_count=1,
    resources_per_trial=katib.TrainerResources(
        num_workers=2, num_procs_per_worker=1, resources_per_worker={"cpu": "10m"}
    ),
    retain_trials=True,
)
ends("distributed")
(trial,) = client.list_trials("distributed")
(metric,) = trial.status.observation.metrics
(value,) = [float(each.value) for each in trial.spec.parameter_assignments]
lines = list(client.get_job_logs("distributed", trial.metadata.name))
shows(trial.spec.run_spec["kind"], value, float(metric.latest), lines)
"""


@pytest.fixture(scope="module")
def image(own_cluster):
    return clients.provide(clients.KATIB)


@pytest.fixture(scope="module")
def notebook(product, image, shared_namespace):
    return open_notebook(shared_namespace, image, FIRST)


@pytest.fixture(scope="module")
def tuned(notebook):
    """A notebook in whose namespace the experiment `tuned` has succeeded, with three trials."""
    notebook.run(TUNE)
    return notebook


def experiment(name, **spec):
    """An Experiment as a plain document."""
    template = {
        "primaryContainerName": "main",
        "trialParameters": [{"name": "lr", "reference": "lr"}],
        "trialSpec": {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "spec": {
                "template": {
                    "spec": {
                        "restartPolicy": "Never",
                        "containers": [
                            {
                                "name": "main",
                                "image": "python:3.11-slim",
                                "command": [
                                    *("python3", "-c"),
                                    "print('loss=${trialParameters.lr}')",
                                ],
                            }
                        ],
                    }
                }
            },
        },
    }
    space = {"min": "0.1", "max": "1"}
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": name},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "algorithm": {"algorithmName": "random"},
            "maxTrialCount": 1,
            "parallelTrialCount": 1,
            "parameters": [{"name": "lr", "parameterType": "double", "feasibleSpace": space}],
            "trialTemplate": template,
            **spec,
        },
    }


def test_a_function_is_tuned(tuned):
    found = tuned.tells("""
experiment = client.get_experiment("tuned")
template = experiment.spec.trial_template
names = [each.metadata.name for each in client.list_experiments()]
shows(experiment.status.trials_succeeded, template.retain, names)
""")

    assert found == [3, True, ["tuned"]]


def test_it_tells_what_became_of_an_experiment(tuned):
    kinds, answers = tuned.tells("""
verbs = ("created", "running", "restarting", "succeeded", "failed")
shows(
    [each.type for each in client.get_experiment_conditions("tuned") if each.status == "True"],
    {verb: getattr(client, f"is_experiment_{verb}")("tuned") for verb in verbs},
)
""")

    assert kinds == ["Created", "Succeeded"]
    assert [verb for verb, answer in answers.items() if answer] == ["created", "succeeded"]


def test_it_finds_the_best_trial_with_its_metrics(tuned):
    best, point, metrics, trials = tuned.tells("""
best = client.get_optimal_hyperparameters("tuned")
shows(
    best.best_trial_name,
    {each.name: each.value for each in best.parameter_assignments},
    {
        each.name: [float(each.min), float(each.max), float(each.latest)]
        for each in best.observation.metrics
    },
    {
        each["name"]: float(each["metrics"][0].latest)
        for each in client.get_success_trial_details("tuned")
    },
)
""")

    value = float(point["lr"])
    assert metrics["loss"] == pytest.approx([value / 3, value, value / 3])
    assert metrics["accuracy"] == [float(point["n"])] * 3
    assert len(trials) == 3
    assert best == min(trials, key=trials.__getitem__)


def test_it_reads_trials_and_the_suggestion(tuned):
    name, reason, trials, everywhere, suggested, names = tuned.tells("""
trial = client.get_trial(client.get_optimal_hyperparameters("tuned").best_trial_name)
suggestion = client.get_suggestion("tuned")
status = suggestion.status
shows(
    trial.metadata.name,
    trial.status.conditions[-1].reason,
    sorted(each.metadata.name for each in client.list_trials("tuned")),
    sorted(each.metadata.name for each in client.list_trials()),
    [suggestion.spec.requests, status.suggestion_count, status.conditions[-1].type],
    sorted(each.name for each in status.suggestions),
)
""")

    assert name in trials
    assert reason == "TrialSucceeded"
    assert trials == everywhere == names
    assert suggested == [3, 3, "Succeeded"]


def test_its_list_of_suggestions_is_that_of_experiments(tuned):
    """It asks for experiments where it means suggestions: so it does on Katib."""
    assert tuned.tells("shows(*[each.metadata.name for each in client.list_suggestions()])") == [
        "tuned"
    ]


def test_it_reads_every_value_that_a_trial_reported(tuned):
    value, losses, times = tuned.tells("""
best = client.get_optimal_hyperparameters("tuned")
rows = [row for row in client.get_trial_metrics(best.best_trial_name) if row.metric.name == "loss"]
(value,) = [float(each.value) for each in best.parameter_assignments if each.name == "lr"]
shows(value, [float(row.metric.value) for row in rows], [row.time_stamp for row in rows])
""")

    assert losses == pytest.approx([value, value / 2, value / 3])
    moments = [datetime.fromisoformat(each) for each in times]  # as text, .31889 is after .318892
    assert moments == sorted(moments)


@pytest.mark.parametrize("follow", [False, True])
def test_it_reads_a_trial_s_log(tuned, follow):
    lines = tuned.tells(f"""
best = client.get_optimal_hyperparameters("tuned").best_trial_name
shows(*client.get_job_logs("tuned", best, follow={follow}))
""")

    assert [line.partition("=")[0] for line in lines] == ["loss", "loss", "loss", "accuracy"]
    assert lines[-1].endswith("mode=quick")


def test_a_trial_s_job_has_what_was_asked_for_it(tuned):
    jobs = json.loads(tuned.namespace.kubectl("get", "jobs", "-o", "json"))["items"]

    assert {job["spec"]["activeDeadlineSeconds"] for job in jobs} == {120}
    (container,) = jobs[0]["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == {"cpu": "10m", "memory": "64Mi"}
    assert {"name": "MODE", "value": "quick"} in container["env"]


def test_the_workers_of_a_function_are_those_of_a_pytorch_job(notebook, kubeflow_operators):
    """The real training-operator runs them; the image's `torchrun` is a look-alike."""
    workers = clients.provide(clients.KUBEFLOW)

    kind, value, loss, lines = notebook.tells(DISTRIBUTE % workers)

    assert kind == "PyTorchJob"
    assert loss == value
    assert lines == [f"loss={value}", "rank=0"]


def test_a_program_reports_its_own_metrics(notebook, image):
    value, rows = notebook.tells(PUSH % image)

    losses = [number for name, number in rows if name == "loss"]
    assert losses == pytest.approx([value, value / 2, value / 3])
    assert [number for name, number in rows if name == "accuracy"] == [0.5] * 3


def test_an_experiment_goes_on_when_its_budget_is_raised_and_goes_when_it_is_deleted(notebook):
    document = experiment("grown")

    found = notebook.tells(f"""
client.create_experiment({document!r})
ends("grown")
client.edit_experiment_budget(
    "grown", max_trial_count=2, parallel_trial_count=2, max_failed_trial_count=1
)
ends("grown", "Restarting")
experiment = ends("grown")
spec = experiment.spec
shows(
    experiment.status.trials_succeeded,
    [spec.max_trial_count, spec.parallel_trial_count, spec.max_failed_trial_count],
)
client.delete_experiment("grown")
""")

    assert found == [2, [2, 2, 1]]
    notebook.namespace.kubectl("wait", "--for=delete", "experiment/grown", "--timeout=60s")


def test_a_name_that_is_taken_is_said_to_be(notebook):
    document = experiment("twice", suspend=True)

    (said,) = notebook.tells(f"""
client.create_experiment({document!r})
try:
    client.create_experiment({document!r})
except Exception as error:
    shows(str(error))
""")

    assert said.endswith("/twice already exists.")


def test_an_experiment_that_failed_ends_the_wait_for_its_success(notebook):
    document = experiment("wrong", maxFailedTrialCount=0)
    document["spec"]["trialTemplate"]["trialSpec"]["spec"]["backoffLimit"] = 0
    (container,) = document["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"][
        "containers"
    ]
    container["command"] = ["python3", "-c", "raise SystemExit('${trialParameters.lr}')"]

    failed, said = notebook.tells(f"""
client.create_experiment({document!r})
try:
    ends("wrong")
except RuntimeError as error:
    shows(client.is_experiment_failed("wrong"), str(error))
""")

    assert failed
    assert "is Failed" in said
