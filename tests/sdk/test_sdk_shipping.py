"""`tune` on a cluster: what it sends, and the program in it, run as a container would run it."""

import json
import os
import subprocess
import sys

import pytest
from support import apiserver, shipped
from tunewright import Client, Conflict, Invalid, NotFound, search
from tunewright.api.documents import parse
from tunewright.api.errors import Unsupported
from tunewright.sdk import tune as tuning
from tunewright.sdk.shipping import program
from tunewright.sdk.template import Machine


def run(command, parameters, tmp_path):
    """Run a container's command as Kubernetes would: `$$` is one sign, and nothing is at hand."""
    python, *words = (word.replace("$$", "$") for word in command)
    assert python == "python"
    return subprocess.run(
        [sys.executable, "-I", *words],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "TUNEWRIGHT_PARAMETERS": json.dumps(parameters)},
        capture_output=True,
        text=True,
        check=False,
    )


def template_of(function, metric="loss", packages=(), **machine):
    return tuning.shipped(function, metric, packages, Machine(**machine))


def container_of(template):
    return template["trialSpec"]["spec"]["template"]["spec"]["containers"][0]


def document(template, name="sent"):
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": name},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "maxTrialCount": 2,
            "parallelTrialCount": 1,
            **search.parameters({"x": search.double(0, 1)}),
            "trialTemplate": template,
        },
    }


def test_the_program_computes_what_the_function_does_with_numbers_as_numbers(tmp_path):
    command = container_of(template_of(shipped.loss))["command"]
    ran = run(command, {"x": 1.5, "n": 3, "kind": "a"}, tmp_path)
    expected = shipped.loss(1.5, 3, "a")
    assert ran.stdout == "".join(f"{name}={float(value)!r}\n" for name, value in expected.items())


def test_a_number_is_the_objective_by_its_name(tmp_path):
    ran = run(container_of(template_of(shipped.helper, "error"))["command"], {"x": 3}, tmp_path)
    assert ran.stdout == "error=18.0\n"


def test_names_of_its_own_are_not_taken_for_those_of_its_module(tmp_path):
    ran = run(container_of(template_of(shipped.own))["command"], {"HANDLE": 3}, tmp_path)
    assert ran.stdout == "loss=7.0\n"


def test_packages_are_installed_before_anything_is_imported(tmp_path):
    command = container_of(template_of(shipped.helper, packages=["./nowhere"]))["command"]
    ran = run(command, {"x": 3}, tmp_path)
    assert "nowhere" in ran.stderr
    assert (ran.returncode, ran.stdout) == (1, "")


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda x: x, "made by `def`"),
        (print, "made by `def`"),
        (shipped.around(1.0), "uses offset of the function around it"),
        (shipped.unwritable, "uses HANDLE, a object"),
    ],
)
def test_what_cannot_be_written_down_is_refused_with_its_name(function, told):
    with pytest.raises(Unsupported, match=told):
        program(function, "loss")


def test_a_trial_gets_what_its_machine_says():
    made = template_of(
        shipped.helper,
        image="registry/train:1",
        resources={"nvidia.com/gpu": 1, "memory": "4Gi"},
        env={"OMP_NUM_THREADS": "1"},
        volumes={"/data": "dataset", "/scratch": {"emptyDir": {}}},
        node_selector={"pool": "gpu"},
        template={
            "retain": True,
            "trialSpec": {
                "spec": {
                    "activeDeadlineSeconds": 60,
                    "template": {
                        "spec": {
                            "containers": [{"name": "training", "workingDir": "/w"}],
                            "tolerations": [{"key": "gpu", "operator": "Exists"}],
                        }
                    },
                }
            },
        },
    )
    pod = made["trialSpec"]["spec"]["template"]["spec"]
    container = container_of(made)
    assert container["image"] == "registry/train:1"
    assert container["workingDir"] == "/w"
    assert container["resources"] == {"limits": {"nvidia.com/gpu": 1, "memory": "4Gi"}}
    assert container["env"] == [{"name": "OMP_NUM_THREADS", "value": "1"}]
    assert [each["mountPath"] for each in container["volumeMounts"]] == ["/data", "/scratch"]
    assert pod["volumes"] == [
        {"name": "volume-0", "persistentVolumeClaim": {"claimName": "dataset"}},
        {"name": "volume-1", "emptyDir": {}},
    ]
    assert pod["nodeSelector"] == {"pool": "gpu"}
    assert pod["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert (made["retain"], made["trialSpec"]["spec"]["backoffLimit"]) == (True, 0)
    assert parse(document(made)).spec.trial_template.primary_container_name == "training"


def test_without_a_word_the_image_is_that_of_this_python():
    image = container_of(template_of(shipped.helper))["image"]
    assert image == f"python:{sys.version_info.major}.{sys.version_info.minor}"


class TestAgainstAnApiServer:
    pytestmark = apiserver.NEEDED

    @pytest.fixture
    def client(self, api_server):
        return Client(kubeconfig=api_server.kubeconfig, namespace="default")

    def test_the_server_takes_what_is_sent_and_shows_it(self, client):
        made = client.create(document(template_of(shipped.loss), "taken"))
        assert (made.name, made.state) == ("taken", "Created")
        assert "taken" in {each.name for each in client.experiments()}
        command = container_of(made.data["document"]["spec"]["trialTemplate"])["command"]
        assert command == container_of(template_of(shipped.loss))["command"]
        client.edit("taken", max_trials=7)
        client.pause("taken")
        found = client.experiment("taken")
        assert (found.data["max_trials"], found.data["suspended"]) == (7, True)
        assert client.trials("taken") == []
        client.delete("taken")
        with pytest.raises(NotFound, match="no experiment is called taken"):
            client.experiment("taken")

    def test_what_it_refuses_is_said_by_type_and_text(self, client):
        client.create(document(template_of(shipped.loss), "first"))
        with pytest.raises(Conflict, match="another spec"):
            client.create(document(template_of(shipped.helper), "first"))
        with pytest.raises(NotFound):
            client.best("first")
        with pytest.raises(Invalid) as caught:
            client.edit("first", parallel=-1)
        assert caught.value.faults[0].path == "spec.parallelTrialCount"
        with pytest.raises(TimeoutError, match="first is Created"):
            client.wait("first", timeout=0.1)
        client.delete("first")

    def test_a_cluster_runs_its_trials_itself(self, client):
        with pytest.raises(Unsupported, match="ask and tell need a store"):
            client.ask("first")
