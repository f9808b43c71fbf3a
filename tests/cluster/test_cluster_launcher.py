"""The launcher in real pods: a container runs as it would without it."""

import random

import pytest
from support.launcher import built
from support.waiting import until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.needs("cc"),
    pytest.mark.timeout(180, func_only=True),
]

PYTHON = "python:3.11-slim"
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}
BYTES = 5 << 20  # the kubelet cuts logs that are longer than ten
PRINTS = f"import random; print(random.Random(1).randbytes({BYTES // 2}).hex(), end='')"


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    """The launcher as images have it: static, and small enough for a ConfigMap."""
    return built(tmp_path_factory.mktemp("launcher"), "-static", "-s")


@pytest.fixture
def launched(namespace, program):
    """Start a pod whose command stands behind the launcher."""
    namespace.kubectl("create", "configmap", "launcher", f"--from-file=launcher={program}")
    volumes = [
        {"name": "launcher", "configMap": {"name": "launcher", "defaultMode": 0o555}},
        {"name": "spool", "emptyDir": {}},
    ]
    mounts = [{"name": each["name"], "mountPath": f"/tw/{each['name']}"} for each in volumes]
    words = ("/tw/launcher/launcher", "--spool", "/tw/spool", "--metric", "loss", "--")

    def start(*command, image, **container):
        main = {"name": "main", "image": image, "command": [*words, *command],
                "volumeMounts": mounts, **container}  # fmt: skip
        namespace.create(
            apiVersion="v1",
            kind="Pod",
            metadata={"name": "trial"},
            spec={"restartPolicy": "Never", "volumes": volumes, "containers": [main],
                  "securityContext": {"fsGroup": 1000}},
        )  # fmt: skip

    return start


def exit_code(namespace):
    (status,) = namespace.get("pod", "trial")["status"]["containerStatuses"]
    return status["state"]["terminated"]["exitCode"]


def test_every_byte_of_a_container_stands_in_its_log(namespace, launched):
    launched("python3", "-c", PRINTS, image=PYTHON)

    assert namespace.ends("pod", "trial") == "Succeeded"
    written = random.Random(1).randbytes(BYTES // 2).hex()
    assert namespace.kubectl("logs", "trial") == written


def test_an_exit_code_and_a_last_line_without_end_are_kept(namespace, launched):
    launched("sh", "-c", "echo first; printf loss=0.5; exit 7", image=PYTHON)

    assert namespace.ends("pod", "trial") == "Failed"
    assert (exit_code(namespace), namespace.kubectl("logs", "trial")) == (7, "first\nloss=0.5")


def test_a_pod_that_is_told_to_end_ends_as_its_command_decides(namespace, launched):
    trap = "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.1; done"
    launched("sh", "-c", trap, image=PYTHON)
    until(lambda: namespace.tried("logs", "trial").stdout == "up\n", seconds=60)
    namespace.kubectl("exec", "trial", "--", "sh", "-c", "kill -TERM 1")

    assert namespace.ends("pod", "trial") == "Failed"
    assert (exit_code(namespace), namespace.kubectl("logs", "trial")) == (3, "up\nbye\n")


def test_it_runs_where_pods_may_do_next_to_nothing(namespace, launched):
    namespace.kubectl(
        "label", "namespace", namespace.name, "pod-security.kubernetes.io/enforce=restricted"
    )
    launched(
        *("sh", "-c", "echo loss=1; sleep 0.2; head -n 1 /tw/spool/000000"),
        image=PYTHON,
        securityContext=RESTRICTED,
    )

    assert namespace.ends("pod", "trial") == "Succeeded"
    shown, kept = namespace.kubectl("logs", "trial").splitlines()
    assert (shown, kept.split(" ", 1)[1]) == ("loss=1", "1 loss=1")
