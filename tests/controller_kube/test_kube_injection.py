"""From a rendered manifest to the workload that is created."""

import copy
import json

import pytest
from support.apiserver import NEEDED
from tunewright.controller.kube.workloads.collector import Settings
from tunewright.controller.kube.workloads.injection import (
    Injection,
    Way,
    instrument,
)

SETTINGS = Settings(image="tunewright/collector:1", metrics="metrics.tunewright:6790")
LABELS = {
    "katib.kubeflow.org/experiment": "digits",
    "katib.kubeflow.org/trial": "digits-x7k2",
    "tunewright.dev/attempt": "1",
}
WORDS = ["python", "train.py", "--note", "two words", 'a "quote"', "$(HOME)", "new\nline"]


def injection(**given):
    return Injection(
        **{
            "experiment": "digits",
            "trial": "digits-x7k2",
            "namespace": "team",
            "attempt": 1,
            "container": "main",
            "metrics": ("loss", "accuracy"),
            "parameters": '{"lr": 0.1}',
            "settings": SETTINGS,
            **given,
        }
    )


def collects(kind, **source):
    """A metricsCollectorSpec."""
    return {"collector": {"kind": kind}, "source": source}


def job(pod=None, **container):
    main = {"name": "main", "image": "train:1", "command": [*WORDS], **container}
    spec = {"restartPolicy": "Never", "containers": [main], **(pod or {})}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "digits-x7k2", "namespace": "team"},
        "spec": {"template": {"spec": spec}},
    }


def replicas(kind="PyTorchJob", key="pytorchReplicaSpecs", **roles):
    """A job of the training operator; each role has so many replicas."""
    pod = {"containers": [{"name": "main", "image": "train:1", "command": [*WORDS]}]}
    specs = {
        role: {"replicas": count, "template": {"spec": copy.deepcopy(pod)}}
        for role, count in roles.items()
    }
    return {"apiVersion": "kubeflow.org/v1", "kind": kind, "metadata": {}, "spec": {key: specs}}


def pod_of(workload):
    return workload["spec"]["template"]["spec"]


def instrumented(manifest, **given):
    return instrument(manifest, injection(**given))[0]


def main_of(workload):
    return pod_of(workload)["containers"][0]


def sidecar_of(pod):
    found = [
        each
        for each in pod.get("initContainers", ())
        if each["name"] == "metrics-logger-and-collector"
    ]
    return found[0] if found else None


def prepared(container):
    return container["lifecycle"]["postStart"]["exec"]["command"]


def environment(container):
    return {each["name"]: each.get("value") for each in container["env"]}


def mounts(container):
    return {each["mountPath"]: each["name"] for each in container.get("volumeMounts", ())}


# Labels.


def test_the_workload_and_each_of_its_pods_say_whose_they_are():
    workload = instrumented(replicas(Master=1, Worker=3))
    assert workload["metadata"]["labels"] == LABELS
    for spec in workload["spec"]["pytorchReplicaSpecs"].values():
        assert spec["template"]["metadata"]["labels"] == LABELS


def test_labels_of_the_users_stay_and_none_passes_for_another_trial():
    manifest = job()
    manifest["metadata"]["labels"] = {"team": "a", "katib.kubeflow.org/trial": "another"}
    manifest["spec"]["template"]["metadata"] = {"labels": {"app": "b"}, "annotations": {"c": "d"}}
    workload = instrumented(manifest)
    assert workload["metadata"]["labels"] == {"team": "a", **LABELS}
    assert workload["spec"]["template"]["metadata"] == {
        "labels": {"app": "b", **LABELS},
        "annotations": {"c": "d"},
    }


def test_argos_pods_get_their_labels_from_the_workflows_pod_metadata():
    workflow = {"kind": "Workflow", "spec": {"templates": [{"container": {"image": "train:1"}}]}}
    assert instrumented(workflow)["spec"]["podMetadata"] == {"labels": LABELS}


# Variables.


def test_the_primary_container_knows_its_trial_and_point():
    assert environment(main_of(instrumented(job(), environment={"TUNEWRIGHT_REPEAT": "2"}))) == {
        "KATIB_TRIAL_NAME": "digits-x7k2",
        "TUNEWRIGHT_EXPERIMENT": "digits",
        "TUNEWRIGHT_TRIAL": "digits-x7k2",
        "TUNEWRIGHT_ATTEMPT": "1",
        "TUNEWRIGHT_PARAMETERS": '{"lr": 0.1}',
        "TUNEWRIGHT_REPEAT": "2",
        "PYTHONUNBUFFERED": "1",
    }


def test_variables_that_the_user_set_stay_and_may_name_ours():
    theirs = [
        {"name": "PYTHONUNBUFFERED", "value": ""},
        {"name": "OUT", "value": "/out/$(TUNEWRIGHT_TRIAL)"},
    ]
    written = main_of(instrumented(job(env=theirs)))["env"]
    assert written[-2:] == theirs
    assert [each["name"] for each in written].count("PYTHONUNBUFFERED") == 1


def test_a_value_that_looks_like_a_reference_is_given_as_it_is():
    workload = instrumented(job(), parameters='{"name": "$(HOME)"}')
    assert environment(main_of(workload))["TUNEWRIGHT_PARAMETERS"] == '{"name": "$$(HOME)"}'


def test_no_other_container_is_changed():
    beside = {"name": "proxy", "image": "proxy:1"}
    manifest = job({"containers": [beside, job()["spec"]["template"]["spec"]["containers"][0]]})
    assert pod_of(instrumented(manifest))["containers"][0] == beside


def test_each_worker_gets_the_variables_and_the_primary_alone_the_collector():
    specs = instrumented(replicas(Master=1, Worker=3))["spec"]["pytorchReplicaSpecs"]
    master, worker = (specs[role]["template"]["spec"] for role in ("Master", "Worker"))
    assert environment(worker["containers"][0])["KATIB_TRIAL_NAME"] == "digits-x7k2"
    assert worker["containers"][0]["command"] == WORDS
    assert sidecar_of(worker) is None
    assert sidecar_of(master) is not None


def test_a_train_job_passes_the_variables_on_to_its_node():
    manifest = {"kind": "TrainJob", "metadata": {}, "spec": {"trainer": {"command": ["a"]}}}
    workload, done = instrument(manifest, injection(container="node"))
    assert environment(workload["spec"]["trainer"])["TUNEWRIGHT_TRIAL"] == "digits-x7k2"
    assert workload["spec"]["trainer"]["command"] == ["a"]
    assert done is Way.LOGS


# The launcher.


def test_the_command_stands_word_for_word_behind_the_launcher():
    main = main_of(instrumented(job(args=["--epochs", "3"])))
    assert main["command"] == [
        *("/tunewright/launcher/launcher", "--spool", "/tunewright/spool"),
        *("--metric", "loss", "--metric", "accuracy", "--"),
        *WORDS,
    ]
    assert main["args"] == ["--epochs", "3"]


def test_the_collector_brings_the_launcher_before_the_container_starts():
    workload = instrumented(job({"initContainers": [{"name": "fetch", "image": "fetch:1"}]}))
    first, brings = pod_of(workload)["initContainers"]
    assert first["name"] == "fetch"
    assert prepared(brings) == ["/launcher", "--prepare", "/tunewright/launcher/launcher"]
    assert (
        mounts(brings)["/tunewright/launcher"] == mounts(main_of(workload))["/tunewright/launcher"]
    )
    assert brings["restartPolicy"] == "Always"


@pytest.mark.parametrize(
    ("manifest", "given"),
    [
        pytest.param(job(command=None, args=["--lr", "1"]), {}, id="no command"),
        pytest.param(job(), {"reads_logs": True}, id="asked for"),
        pytest.param(job(), {"container": "other"}, id="no such container"),
        pytest.param(replicas("TFJob", "tfReplicaSpecs", Worker=2), {}, id="any of several pods"),
        pytest.param(
            {"kind": "PipelineRun", "spec": {"pipelineSpec": {"tasks": []}}},
            {},
            id="no pod template",
        ),
        pytest.param(
            {
                "kind": "TrainJob",
                "spec": {"podSpecOverrides": [{"containers": [{"name": "main"}]}]},
            },
            {},
            id="overrides of pods alone",
        ),
    ],
)
def test_where_no_launcher_can_stand_the_log_is_read_and_no_container_added(manifest, given):
    workload, done = instrument(manifest, injection(**given))
    assert done is Way.LOGS
    assert "initContainers" not in json.dumps(workload)
    assert "/tunewright/" not in json.dumps(workload)


# The sidecar.


def test_the_collector_is_told_by_its_environment_whom_it_reports_for_and_where():
    sidecar = sidecar_of(pod_of(instrumented(job(), attempt=2)))
    assert sidecar["command"] == [
        *("/launcher", "--hold", "--", "tunewright", "collector", "--stay"),
        *("--metric", "loss", "--metric", "accuracy"),
    ]
    assert environment(sidecar) == {
        "TUNEWRIGHT_TRIAL": "digits-x7k2",
        "TUNEWRIGHT_NAMESPACE": "team",
        "TUNEWRIGHT_ATTEMPT": "2",
        "TUNEWRIGHT_SPOOL": "/tunewright/spool",
        "TUNEWRIGHT_METRICS": "metrics.tunewright:6790",
        "TUNEWRIGHT_METRICS_TOKEN": "/tunewright/access/token",
        "TUNEWRIGHT_POD": None,  # its uid, by reference
        "TUNEWRIGHT_COLLECTOR": "{}",
    }


def test_the_collector_has_a_token_of_its_own_and_the_user_keeps_the_service_account():
    pod = pod_of(instrumented(job({"automountServiceAccountToken": False})))
    (access,) = (each for each in pod["volumes"] if each["name"] == "tunewright-access")
    assert access["projected"]["sources"] == [
        {
            "serviceAccountToken": {
                "audience": "tunewright",
                "expirationSeconds": 3600,
                "path": "token",
            }
        }
    ]
    assert pod["automountServiceAccountToken"] is False
    assert "tunewright-access" not in mounts(pod["containers"][0]).values()


def test_an_authority_travels_with_the_pod():
    settings = Settings(image="i", metrics="m:1", authority="PEM")
    workload = instrumented(job(), settings=settings)
    template = workload["spec"]["template"]
    assert template["metadata"]["annotations"] == {"tunewright.dev/metrics-authority": "PEM"}
    assert environment(sidecar_of(template["spec"]))["TUNEWRIGHT_METRICS_CA"] == (
        "/tunewright/access/ca.crt"
    )


def test_image_policy_resources_and_pull_secrets_are_the_operators():
    settings = Settings(
        image="registry/collector:2",
        metrics="m:1",
        pull_policy="Always",
        pull_secrets=("ours", "both"),
        resources={"limits": {"memory": "1Gi"}},
    )
    pod = pod_of(instrumented(job({"imagePullSecrets": [{"name": "both"}]}), settings=settings))
    for each in pod["initContainers"]:
        assert (each["image"], each["imagePullPolicy"]) == ("registry/collector:2", "Always")
        assert each["resources"] == {"limits": {"memory": "1Gi"}}
    assert pod["imagePullSecrets"] == [{"name": "both"}, {"name": "ours"}]


@pytest.mark.parametrize(
    ("of_pod", "of_main", "added"),
    [
        ({}, {}, {"seccompProfile": {"type": "RuntimeDefault"}}),
        ({"runAsUser": 1000}, {}, {"seccompProfile": {"type": "RuntimeDefault"}}),
        ({"seccompProfile": {"type": "Localhost"}}, {}, {}),
        (
            {},
            {"runAsUser": 1001, "runAsGroup": 7, "privileged": True},
            {"runAsUser": 1001, "runAsGroup": 7, "seccompProfile": {"type": "RuntimeDefault"}},
        ),
        ({}, {"runAsUser": 0}, {"seccompProfile": {"type": "RuntimeDefault"}}),
        ({"runAsUser": 0}, {}, {"runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}),
    ],
)
def test_what_is_added_may_do_nothing_and_is_the_programs_user_unless_that_is_root(
    of_pod, of_main, added
):
    workload = instrumented(job({"securityContext": of_pod}, securityContext=of_main))
    for each in pod_of(workload)["initContainers"]:
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            **added,
        }
    assert pod_of(workload)["securityContext"] == of_pod
    assert main_of(workload)["securityContext"] == of_main


# Kinds of collector.


def collected(container):
    return json.loads(environment(container)["TUNEWRIGHT_COLLECTOR"])


def test_of_a_file_only_the_file_is_mounted_for_its_folder_may_hold_the_image_s():
    document = collects("File", fileSystemPath={"path": "/app/metrics.log", "format": "JSON"})
    workload = instrumented(job(), collector=document)
    main, pod = main_of(workload), pod_of(workload)
    assert {
        "name": "metrics-volume",
        "mountPath": "/app/metrics.log",
        "subPath": "metrics.log",
    } in main["volumeMounts"]
    assert prepared(sidecar_of(pod))[-1] == "/tunewright/files/app/metrics.log"
    assert mounts(sidecar_of(pod))["/tunewright/files/app"] == "metrics-volume"
    assert collected(sidecar_of(pod))["source"]["fileSystemPath"] == {
        "path": "/tunewright/files/app/metrics.log",
        "format": "JSON",
    }


@pytest.mark.parametrize(
    ("document", "folder"),
    [
        (collects("File"), "/var/log/katib"),
        (collects("TensorFlowEvent"), "/var/log/katib/tfevent"),
        (collects("TensorFlowEvent", fileSystemPath={"path": "/logs/run/"}), "/logs/run"),
    ],
)
def test_a_folder_that_is_the_collectors_is_shared_whole(document, folder):
    workload = instrumented(job(), collector=document)
    assert mounts(main_of(workload))[folder] == "metrics-volume"
    sidecar = sidecar_of(pod_of(workload))
    assert mounts(sidecar)[f"/tunewright/files{folder}"] == "metrics-volume"
    path = collected(sidecar)["source"]["fileSystemPath"]["path"]
    assert path.startswith(f"/tunewright/files{folder}")


def test_metrics_in_a_volume_of_the_users_are_read_there():
    mount = {"name": "work", "mountPath": "/work", "subPathExpr": "$(KATIB_TRIAL_NAME)"}
    document = collects("File", fileSystemPath={"path": "/work/out/metrics.log"})
    workload = instrumented(
        job({"volumes": [{"name": "work", "emptyDir": {}}]}, volumeMounts=[mount]),
        collector=document,
    )
    sidecar = sidecar_of(pod_of(workload))
    assert {**mount, "mountPath": "/tunewright/files/work"} in sidecar["volumeMounts"]
    assert environment(sidecar)["KATIB_TRIAL_NAME"] == "digits-x7k2"
    assert "metrics-volume" not in json.dumps(workload)


def test_a_file_is_collected_although_no_command_is_named():
    workload, done = instrument(job(command=None), injection(collector=collects("File")))
    assert done is Way.SIDECAR
    assert main_of(workload)["command"] is None
    assert [each["name"] for each in pod_of(workload)["initContainers"]] == [
        "metrics-logger-and-collector"
    ]


def test_a_page_of_the_containers_is_asked_for_in_its_pod():
    document = collects("PrometheusMetric", httpGet={"port": 9000, "path": "/metrics"})
    workload, done = instrument(job(), injection(collector=document))
    assert done is Way.SIDECAR
    assert collected(sidecar_of(pod_of(workload))) == document


def test_what_is_pushed_needs_no_container():
    workload, done = instrument(job(), injection(collector=collects("Push")))
    assert done is Way.PUSH
    assert main_of(workload)["command"] == WORDS
    assert environment(main_of(workload))["KATIB_TRIAL_NAME"] == "digits-x7k2"
    assert "initContainers" not in pod_of(workload)


MALFORMED = [
    {"env": {"A": "1"}},
    {"env": ["A"]},
    {"command": "python train.py"},
    {"volumeMounts": ["data"]},
    {"securityContext": "none"},
]


@pytest.mark.parametrize("container", MALFORMED, ids=str)
def test_what_is_no_pod_template_in_a_kind_without_a_schema_is_left_alone(container):
    template = job(**container)["spec"]["template"]
    workload, _ = instrument({"kind": "Custom", "spec": {"template": template}}, injection())
    assert workload["spec"]["template"] == template


def custom(**container):
    return {
        "collector": {"kind": "Custom", "customCollector": {"image": "mine:1", **container}},
        "source": {"fileSystemPath": {"path": "/out/metrics.log", "kind": "File"}},
    }


def test_a_custom_collector_stands_beside_and_finds_the_files_where_they_are():
    document = custom(name="mine", args=["-t", "x"])
    workload, done = instrument(job(), injection(collector=document))
    _, mine = pod_of(workload)["containers"]
    assert done is Way.PUSH
    assert (mine["name"], mine["args"]) == ("mine", ["-t", "x"])
    assert mounts(mine) == {"/out": "metrics-volume"} == mounts(main_of(workload))
    assert environment(mine) == {"KATIB_TRIAL_NAME": "digits-x7k2"}
    assert main_of(workload)["command"] == WORDS


def test_a_custom_collector_sees_the_programs_processes_as_under_katib():
    workload, _ = instrument(job(), injection(collector=custom()))
    assert pod_of(workload)["shareProcessNamespace"] is True
    assert "initContainers" not in pod_of(workload)


def test_a_custom_collector_that_asks_for_it_is_a_native_sidecar():
    workload, _ = instrument(job(), injection(collector=custom(restartPolicy="Always")))
    (mine,) = pod_of(workload)["initContainers"]
    assert mine["restartPolicy"] == "Always"
    assert len(pod_of(workload)["containers"]) == 1
    assert "shareProcessNamespace" not in pod_of(workload)


# Any kind.


def test_the_container_is_found_wherever_its_template_stands():
    ray = {
        "kind": "RayJob",
        "spec": {
            "rayClusterSpec": {
                "headGroupSpec": {"template": pod_of_job()},
                "workerGroupSpecs": [{"replicas": 2, "template": {"spec": {"containers": []}}}],
            },
            "submitterPodTemplate": {"spec": {"containers": [{"name": "submit"}]}},
        },
    }
    workload, done = instrument(ray, injection())
    cluster = workload["spec"]["rayClusterSpec"]
    assert done is Way.SIDECAR
    assert sidecar_of(cluster["headGroupSpec"]["template"]["spec"]) is not None
    for template in (cluster["workerGroupSpecs"][0]["template"],
                     workload["spec"]["submitterPodTemplate"]):  # fmt: skip
        assert template["metadata"]["labels"] == LABELS
        assert "initContainers" not in template["spec"]


def pod_of_job():
    return {"spec": job()["spec"]["template"]["spec"]}


@pytest.mark.parametrize(
    ("manifest", "given", "roles"),
    [
        (replicas(Master=1, Worker=2), {}, ["Master"]),
        (replicas(Worker=1), {}, ["Worker"]),
        (replicas("TFJob", "tfReplicaSpecs", PS=2, Chief=1, Worker=2), {}, ["Chief"]),
        (replicas("MPIJob", "mpiReplicaSpecs", Launcher=1, Worker=2), {}, ["Launcher"]),
    ],
)
def test_the_replica_that_reports_is_the_one_that_its_operator_calls_master(manifest, given, roles):
    workload = instrumented(manifest, **given)
    (specs,) = workload["spec"].values()
    assert [role for role, each in specs.items() if sidecar_of(each["template"]["spec"])] == roles


def test_labels_of_the_template_tell_which_pods_are_primary():
    manifest = replicas(Worker=1, Evaluator=1)
    evaluator = manifest["spec"]["pytorchReplicaSpecs"]["Evaluator"]["template"]
    evaluator["metadata"] = {"labels": {"reports": "yes"}}
    specs = instrumented(manifest, primary_labels={"reports": "yes"})["spec"]["pytorchReplicaSpecs"]
    assert sidecar_of(specs["Evaluator"]["template"]["spec"]) is not None
    assert sidecar_of(specs["Worker"]["template"]["spec"]) is None


def test_the_same_manifest_becomes_the_same_workload_and_is_left_as_it_was():
    manifest = job({"securityContext": {"runAsUser": 5}}, env=[{"name": "A", "value": "b"}])
    before = copy.deepcopy(manifest)
    assert instrumented(manifest) == instrumented(manifest)
    assert manifest == before


# The API server's word.

RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
COLLECTORS = [
    {},
    collects("File", fileSystemPath={"path": "/app/metrics.log", "kind": "File"}),
    collects("TensorFlowEvent"),
    collects("PrometheusMetric"),
    custom(securityContext=RESTRICTED),
    custom(securityContext=RESTRICTED, restartPolicy="Always"),
]


def on_an_api_server(test):
    for mark in NEEDED:
        test = mark(test)
    return test


@pytest.fixture
def restricted(api_server):
    """Give a namespace whose pods may do next to nothing."""
    name = api_server.namespace()
    label = {"pod-security.kubernetes.io/enforce": "restricted"}
    account = {"metadata": {"name": "default"}}
    assert api_server.ask("POST", f"/api/v1/namespaces/{name}/serviceaccounts", account)[0] == 201
    api_server.kubectl("label", "namespace", name, *(f"{k}={v}" for k, v in label.items()))
    return name


@on_an_api_server
@pytest.mark.parametrize("collector", COLLECTORS)
def test_a_job_and_its_pod_are_accepted_where_little_is_allowed(api_server, restricted, collector):
    settings = Settings(image="i", metrics="m:1", authority="PEM", pull_secrets=("s",))
    manifest = job(securityContext=RESTRICTED)
    del manifest["metadata"]["namespace"]
    given = {"collector": collector, "settings": settings}
    workload = instrumented(manifest, **given)
    template = workload["spec"]["template"]
    pod = {"metadata": {"name": "pod", **template["metadata"]}, "spec": template["spec"]}
    for path, document in (
        (f"/apis/batch/v1/namespaces/{restricted}/jobs", workload),
        (f"/api/v1/namespaces/{restricted}/pods", pod),
    ):
        status, said = api_server.ask(
            "POST", path, document, dryRun="All", fieldValidation="Strict"
        )
        assert status == 201, said["message"]
