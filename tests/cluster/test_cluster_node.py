"""What the test cluster itself must do for the tests that stand on it."""

import socket
import subprocess
from pathlib import Path

import pytest
from cluster.node.layout import BUSYBOX, DNS, HOST, STATE
from support.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180, func_only=True)]


def test_a_job_with_a_native_sidecar_ends_when_its_main_container_does(namespace):
    sidecar = {
        "name": "beside",
        "image": BUSYBOX,
        "restartPolicy": "Always",
        "command": ["sh", "-c", "echo beside; sleep 1000"],
    }
    main = {"name": "main", "image": BUSYBOX, "command": ["sh", "-c", "seq 1 1000; echo last"]}
    template = {"restartPolicy": "Never", "initContainers": [sidecar], "containers": [main],
                "terminationGracePeriodSeconds": 1}  # fmt: skip
    namespace.create(
        apiVersion="batch/v1",
        kind="Job",
        metadata={"name": "job"},
        spec={"backoffLimit": 0, "template": {"spec": template}},
    )

    assert namespace.ends("job", "job") == "Complete"
    lines = namespace.kubectl("logs", "job/job", "--container", "main").split()
    assert lines == [*map(str, range(1, 1001)), "last"]
    assert namespace.kubectl("logs", "job/job", "--container", "beside") == "beside\n"


@pytest.fixture
def greeter(namespace):
    """A Service of one pod, which says `served` to every caller."""
    serves = "while true; do echo served | nc -l -p 8000; done"
    namespace.pod("server", "sh", "-c", serves, terminationGracePeriodSeconds=0)
    namespace.create(
        apiVersion="v1",
        kind="Service",
        metadata={"name": "greeter"},
        spec={"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 8000}]},
    )
    until(lambda: namespace.get("pod", "server")["status"]["phase"] == "Running", seconds=60)
    return namespace.get("service", "greeter")


def test_a_service_is_found_by_its_name(namespace, greeter):
    asks = "until nc -w 2 greeter 80 </dev/null; do sleep 0.2; done"
    namespace.pod("client", "sh", "-c", asks)

    assert namespace.ends("pod", "client") == "Succeeded"
    assert "served" in namespace.kubectl("logs", "client")


def test_a_pod_has_the_token_of_its_service_account(namespace):
    folder = "/var/run/secrets/kubernetes.io/serviceaccount"
    namespace.pod("holder", "sh", "-c", f"cat {folder}/namespace; test -s {folder}/token")

    assert namespace.ends("pod", "holder") == "Succeeded"
    assert namespace.kubectl("logs", "holder") == namespace.name


def test_an_exit_code_is_kept(namespace):
    namespace.pod("fails", "sh", "-c", "exit 7")

    assert namespace.ends("pod", "fails") == "Failed"
    (status,) = namespace.get("pod", "fails")["status"]["containerStatuses"]
    assert status["state"]["terminated"]["exitCode"] == 7


def test_the_python_image_is_used_as_dockers_is(namespace):
    asks = "pip install --no-index pip && python -c 'import sys; print(sys.version_info[:2])'"
    namespace.pod("python", "sh", "-c", asks, image="python:3.11-slim")

    assert namespace.ends("pod", "python") == "Succeeded"
    assert namespace.kubectl("logs", "python").splitlines()[-1] == "(3, 11)"


def test_this_machine_reaches_a_service(own_cluster, greeter):
    address = greeter["spec"]["clusterIP"], 80

    def answers() -> bool:
        with socket.socket() as asked:
            asked.settimeout(2)
            return asked.connect_ex(address) == 0 and asked.recv(100) == b"served\n"

    until(answers)


def test_a_pod_reaches_this_machine_which_sees_the_address_of_the_pod(own_cluster, namespace):
    with socket.create_server((HOST, 0)) as server:
        server.settimeout(60)
        namespace.pod("caller", "nc", HOST, str(server.getsockname()[1]))
        caller, (address, _) = server.accept()
        caller.close()

    assert namespace.ends("pod", "caller") == "Succeeded"
    assert address == namespace.get("pod", "caller")["status"]["podIP"]


def test_the_node_has_no_mount_and_no_packet_rule_on_this_machine(own_cluster):
    rules = subprocess.run(["iptables-save"], check=True, capture_output=True, text=True).stdout

    assert str(STATE) not in Path("/proc/self/mountinfo").read_text()
    assert DNS not in rules
