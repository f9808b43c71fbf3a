"""The product's images in real pods, as restricted namespaces want them."""

import os

import pytest
from support.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400, func_only=True)]

RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
POD = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}

COLLECTED = 64 << 10  # kibibytes of memory that a collector may hold
STARTED = 0.5  # seconds of processor time that it may take to start

ASK = (
    "print(open('/proc/1/status').read().split('VmRSS:')[1].split()[0],"
    " *open('/proc/1/stat').read().rpartition(')')[2].split()[11:13])"
)


@pytest.fixture
def restricted(namespace):
    enforced = "pod-security.kubernetes.io/enforce=restricted"
    namespace.kubectl("label", "namespace", namespace.name, enforced)
    return namespace


def start(namespace, image: str, *words: str, **more) -> None:
    """Start a pod of one container as the image has it; its user is the image's."""
    main = {"name": "main", "image": image, "securityContext": RESTRICTED, **more}
    namespace.create(
        apiVersion="v1",
        kind="Pod",
        metadata={"name": "pod"},
        spec={
            "restartPolicy": "Never",
            "securityContext": POD,
            "terminationGracePeriodSeconds": 0,
            "volumes": [{"name": "spool", "emptyDir": {}}],
            "containers": [{**main, **({"args": list(words)} if words else {})}],
        },
    )


@pytest.mark.parametrize(
    ("image", "words", "said"),
    [
        ("tunewright", ["--version"], "version"),
        ("tunewright", ["operator", "--help"], "/readyz"),
        ("tunewright", ["algorithms"], "multivariate-tpe"),
        ("collector", ["collector", "--help"], "TUNEWRIGHT_SPOOL"),
    ],
)
def test_a_command_runs_without_a_writable_file(restricted, product_images, image, words, said):
    start(restricted, getattr(product_images, image), *words)

    assert restricted.ends("pod", "pod") == "Succeeded", restricted.kubectl("logs", "pod")
    assert said in restricted.kubectl("logs", "pod")


def test_the_launcher_is_in_the_collector_s_image(restricted, product_images):
    command = ["/launcher", "--spool", "/spool", "--metric", "loss", "--", "echo", "loss=1"]
    mounted = [{"name": "spool", "mountPath": "/spool"}]
    start(restricted, product_images.collector, command=command, volumeMounts=mounted)

    assert restricted.ends("pod", "pod") == "Succeeded"
    assert restricted.kubectl("logs", "pod") == "loss=1\n"


def test_a_collector_that_has_started_holds_little_memory_and_took_little_time(
    restricted, product_images
):
    words = ["collector", "--spool", "/spool", "--trial", "t", "--metric", "loss"]
    mounted = [{"name": "spool", "mountPath": "/spool"}]
    served = ("--server", "127.0.0.1:1")
    start(restricted, product_images.collector, *words, *served, volumeMounts=mounted)
    until(lambda: restricted.get("pod", "pod")["status"]["phase"] == "Running", seconds=60)
    seen: list[list[int]] = []

    def rests() -> bool:
        asked = restricted.tried("exec", "pod", "--", "python", "-c", ASK)
        seen.append([int(word) for word in asked.stdout.split()])
        return len(seen) > 2 and seen[-1] == seen[-2] != []

    until(rests, seconds=60)
    memory, in_program, in_kernel = seen[-1]
    assert memory < COLLECTED
    assert (in_program + in_kernel) / os.sysconf("SC_CLK_TCK") < STARTED
    print(f"{memory / 1024:.0f} MiB, {in_program + in_kernel} ticks")  # noqa: T201
