"""`OptimizerClient` of `kubeflow` 0.5, unchanged: in a notebook's pod, with the real Trainer."""

import pytest
from cluster.node import clients
from cluster.notebook import open_notebook
from support.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900, func_only=True)]

FIRST = """
import json
from kubeflow.common.types import KubernetesBackendConfig
from kubeflow.optimizer import (
    GridSearch, Objective, OptimizerClient, RandomSearch, Search, TrainJobTemplate, TrialConfig
)
from kubeflow.trainer import CustomTrainer
client = OptimizerClient()

def shows(*values):
    print(json.dumps(values, default=str))
"""
OPTIMIZE = """
def train(lr, layers):
    import os
    for step in range(3):
        print(f"loss={float(lr) / (step + 1)}")
    print(f"accuracy=0.{layers} rank={os.environ['PET_NODE_RANK']}")

name = client.optimize(
    TrainJobTemplate(trainer=CustomTrainer(func=train, image=%r, num_nodes=1)),
    search_space={"lr": Search.loguniform(0.01, 0.1), "layers": Search.choice([2, 4])},
    objectives=[Objective(metric="loss"), Objective(metric="accuracy")],
    trial_config=TrialConfig(num_trials=2, parallel_trials=2, max_failed_trials=1),
    algorithm=RandomSearch(random_state=7),
)
shows(name)
"""
WAIT = """
seen = []
client.wait_for_job_status(%r, timeout=180, callbacks=[lambda job: seen.append(job.status)])
shows(*seen)
"""


def runtime(image):
    """The runtime that the client takes by default; its image's `torchrun` is a look-alike."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "node", "image": image}]}
    step = {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}
    job = {"spec": {"backoffLimit": 0, "template": {"spec": pod}}}
    replicated = {"name": "node", "template": {"metadata": {"labels": step}, **job}}
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainingRuntime",
        "metadata": {
            "name": "torch-distributed",
            "labels": {"trainer.kubeflow.org/framework": "torch"},
        },
        "spec": {
            "mlPolicy": {"numNodes": 1, "torch": {}},
            "template": {"spec": {"replicatedJobs": [replicated]}},
        },
    }


@pytest.fixture(scope="module")
def image(own_cluster):
    return clients.provide(clients.KUBEFLOW)


@pytest.fixture(scope="module")
def notebook(product, kubeflow_operators, image, shared_namespace):
    shared_namespace.create(**runtime(image))
    # What Trainer's own manifests grant nobody.
    kinds = "--resource=trainjobs.trainer.kubeflow.org,trainingruntimes.trainer.kubeflow.org"
    shared_namespace.kubectl("create", "role", "trains", "--verb=get,list", kinds)
    account = f"--serviceaccount={shared_namespace.name}:notebook"
    shared_namespace.kubectl("create", "rolebinding", "trains", "--role=trains", account)
    return open_notebook(shared_namespace, image, FIRST)


@pytest.fixture(scope="module")
def optimized(notebook, image):
    """The name of a job that has been optimized, and the states that it was seen in."""
    (name,) = notebook.tells(OPTIMIZE % image)
    await_train_jobs(notebook, name, 2)
    return name, notebook.tells(WAIT % name)


def await_train_jobs(notebook, name, count):
    """Until each trial has its TrainJob the client's reading verbs fail in themselves."""
    selected = ("-l", f"katib.kubeflow.org/experiment={name}", "-o", "name")
    words = ("get", "trainjobs", *selected)
    until(lambda: len(notebook.namespace.kubectl(*words).split()) == count, seconds=120)


def test_a_function_is_optimized(optimized, notebook):
    name, seen = optimized

    (found,) = notebook.tells(f"""
job = client.get_job({name!r})
shows({{
    "status": job.status,
    "trials": job.trial_config.num_trials,
    "parallel": job.trial_config.parallel_trials,
    "failed": job.trial_config.max_failed_trials,
    "algorithm": job.algorithm.random_state,
    "metrics": [each.metric for each in job.objectives],
    "space": sorted(job.search_space),
}})
""")

    assert seen[-1] == "Complete"
    assert found == {
        "status": "Complete",
        "trials": 2,
        "parallel": 2,
        "failed": 1,
        "algorithm": 7,
        "metrics": ["loss", "accuracy"],
        "space": ["layers", "lr"],
    }


def test_the_metrics_of_its_trials_are_those_that_they_print(optimized, notebook):
    name, _ = optimized

    trials = notebook.tells(f"""
def metrics(trial):
    return {{each.name: [each.min, each.max, each.latest] for each in trial.metrics}}

trials = client.get_job({name!r}).trials
shows(*[[each.trainjob.status, each.parameters, metrics(each)] for each in trials])
""")

    assert len(trials) == 2
    for status, point, metrics in trials:
        value = float(point["lr"])
        assert status == "Complete"
        assert [float(each) for each in metrics["loss"]] == pytest.approx(
            [value / 3, value, value / 3]
        )
        assert {float(each) for each in metrics["accuracy"]} == {float(point["layers"]) / 10}


def test_the_best_result_is_that_of_the_best_trial(optimized, notebook):
    name, _ = optimized

    point, loss, losses = notebook.tells(f"""
best = client.get_best_results({name!r})
losses = [float(each.metrics[0].latest) for each in client.get_job({name!r}).trials]
shows(best.parameters, float(best.metrics[0].latest), losses)
""")

    assert loss == min(losses) == pytest.approx(float(point["lr"]) / 3)


def test_jobs_are_listed(optimized, notebook):
    name, _ = optimized

    assert [name, "Complete"] in notebook.tells(
        "shows(*[[each.name, each.status] for each in client.list_jobs()])"
    )


def test_events_tell_what_happened_in_order(optimized, notebook):
    name, _ = optimized

    events = notebook.tells(f"""
events = client.get_job_events({name!r})
shows(*[[each.involved_object_kind, each.reason, each.event_time] for each in events])
""")

    kinds = {(kind, reason) for kind, reason, _ in events}
    times = [at for *_, at in events]
    assert times == sorted(times)
    assert ("Experiment", "ExperimentMaxTrialsReached") in kinds
    assert ("Trial", "TrialSucceeded") in kinds


def test_a_job_s_log_is_what_its_best_trial_printed(optimized, notebook):
    """The client reads the collector's container; Trainer's own client reads the program's."""
    name, _ = optimized

    collected, printed = notebook.tells(f"""
from kubeflow.trainer import TrainerClient
best = min(client.get_job({name!r}).trials, key=lambda trial: float(trial.metrics[0].latest))
lines = list(client.get_job_logs({name!r}))
shows(lines, list(TrainerClient().get_job_logs(best.name)))
""")

    assert [line.partition("=")[0] for line in printed] == ["loss", "loss", "loss", "accuracy"]
    assert collected == printed


def test_a_job_that_is_deleted_takes_its_trials_along(notebook, image):
    (name,) = notebook.tells(f"""
def train(lr):
    import time
    time.sleep(600)

name = client.optimize(
    TrainJobTemplate(trainer=CustomTrainer(func=train, image={image!r})),
    search_space={{"lr": Search.uniform(0.01, 0.1)}},
    trial_config=TrialConfig(num_trials=1),
    algorithm=RandomSearch(),
)
shows(name)
""")
    await_train_jobs(notebook, name, 1)
    notebook.run(f"""
client.wait_for_job_status({name!r}, {{"Running"}}, timeout=120, polling_interval=1)
client.delete_job({name!r})
""")

    for kind in ("experiment", "trials", "trainjobs"):
        gone = (
            (f"{kind}/{name}",)
            if kind == "experiment"
            else (kind, "-l", f"katib.kubeflow.org/experiment={name}")
        )
        notebook.namespace.kubectl("wait", "--for=delete", *gone, "--timeout=90s")
