"""A namespace of its own for each test, on the cluster that `make cluster` starts."""

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cluster.experiments import PRODUCT, Experiments
from cluster.node import images, install, node, operators, store
from cluster.node.layout import BUSYBOX, FRONT, NODE_NAME, OVERLAY, REGISTRY
from support.waiting import until


@dataclass(frozen=True)
class Namespace:
    """One namespace, seen by its administrator through kubectl; without a name, all of them."""

    name: str
    kubeconfig: Path

    def kubectl(self, *words: str, given: str = "") -> str:
        done = self.tried(*words, given=given)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def tried(self, *words: str, given: str = "") -> "subprocess.CompletedProcess[str]":
        program = FRONT / "bin" / "kubectl"
        seen = (*(("--namespace", self.name) if self.name else ()), "--kubeconfig", self.kubeconfig)
        kept = ("--cache-dir", FRONT / "cache")
        return subprocess.run(
            [program if program.exists() else "kubectl", *seen, *kept, *words],
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )

    def create(self, **document: Any) -> None:
        self.kubectl("create", "-f", "-", given=json.dumps(document))

    def get(self, kind: str, name: str) -> Any:
        return json.loads(self.kubectl("get", kind, name, "-o", "json"))

    def pod(self, name: str, *command: str, image: str = BUSYBOX, **spec: Any) -> None:
        """Start a pod of one container, with a small shell unless another image is named."""
        main = {"name": "main", "image": image, "command": list(command)}
        self.create(
            apiVersion="v1",
            kind="Pod",
            metadata={"name": name, "labels": {"app": name}},
            spec={"restartPolicy": "Never", "containers": [main], **spec},
        )

    @property
    def elsewhere(self) -> "Namespace":
        """The whole cluster."""
        return Namespace("", self.kubeconfig)

    def ends(self, kind: str, name: str) -> str:
        """Wait for the end of a pod or a Job; return the word for it."""
        words = {"Succeeded", "Failed", "Complete"}
        found: list[str] = []

        def ended() -> bool:
            status = self.get(kind, name)["status"]
            found[:] = [status.get("phase", "")] + [
                each["type"] for each in status.get("conditions", ()) if each["status"] == "True"
            ]
            return bool(words.intersection(found))

        until(ended, seconds=60)
        return next(word for word in found if word in words)


@pytest.fixture(scope="session")
def kubeconfig() -> Path:
    named = os.environ.get("TUNEWRIGHT_TEST_KUBECONFIG")
    path = Path(named) if named else FRONT / "kubeconfig"
    if not path.exists():
        pytest.fail("there is no cluster: start one with `make cluster`")
    return path


@pytest.fixture(scope="session")
def own_cluster(kubeconfig: Path) -> None:
    """Run the test on our own cluster only, whose network this machine is part of."""
    if kubeconfig != FRONT / "kubeconfig":
        pytest.skip("it is about the cluster of `make cluster`")


@pytest.fixture(scope="session")
def cluster(kubeconfig: Path) -> Namespace:
    return Namespace("", kubeconfig)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what looks back on the others, or ends what they use, behind them."""
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


@contextmanager
def a_namespace(kubeconfig: Path) -> Iterator[Namespace]:
    made = Namespace(f"test-{secrets.token_hex(4)}", kubeconfig)
    made.kubectl("create", "namespace", made.name)
    made.kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=30s")
    yield made
    made.kubectl("delete", "namespace", made.name, "--wait=false", "--ignore-not-found")


@pytest.fixture
def namespace(kubeconfig: Path) -> Iterator[Namespace]:
    with a_namespace(kubeconfig) as made:
        yield made


@pytest.fixture(scope="module")
def shared_namespace(kubeconfig: Path) -> Iterator[Namespace]:
    """A namespace for all tests of a module, which look at the same things."""
    with a_namespace(kubeconfig) as made:
        yield made


@pytest.fixture
def experiments(product, namespace: Namespace) -> Experiments:
    return Experiments(namespace)


@pytest.fixture(scope="module")
def shared(product, kubeconfig: Path) -> Iterator[Experiments]:
    """Experiments in a namespace of one module: they run at once, and each test judges one."""
    with a_namespace(kubeconfig) as made:
        yield Experiments(made)


@pytest.fixture(scope="session")
def product_image(product, cluster: Namespace) -> str:
    """The image that the installed product runs from: it knows both protocols."""
    operator = cluster.kubectl(
        *("get", "deployment", "tunewright-operator", "--namespace", PRODUCT),
        *("-o", "jsonpath={.spec.template.spec.containers[0].image}"),
    )
    return operator.strip()


@pytest.fixture(scope="session")
def bare_image(own_cluster, tmp_path_factory) -> str:
    """An image of one static program."""
    name, folder = f"{REGISTRY}/bare:1", tmp_path_factory.mktemp("bare")
    source = images.FOLDER / "bare"
    subprocess.run(["cc", "-static", "-o", folder / "trial", source / "trial.c"], check=True)
    images.build(source / "Containerfile", folder, name, folder / "image.tar")
    assert images.load(folder / "image.tar")
    return name


@dataclass(frozen=True)
class Images:
    """The names of the product's images, as they are on the cluster."""

    tunewright: str
    collector: str


@contextmanager
def advertised(cluster: Namespace, resource: str, quantity: str) -> Iterator[None]:
    """Have the node offer a resource that it does not have, as a device plug-in does."""
    places = [f"/status/{kind}/{resource}" for kind in ("capacity", "allocatable")]
    words = ("patch", "node", NODE_NAME, "--subresource=status", "--type=json")

    def patch(operation: str) -> None:
        changes = [{"op": operation, "path": each, "value": quantity} for each in places]
        cluster.kubectl(*words, f"--patch={json.dumps(changes)}")

    patch("add")
    yield
    patch("remove")


@pytest.fixture
def one_device(own_cluster, cluster: Namespace) -> Iterator[None]:
    with advertised(cluster, "nvidia.com~1gpu", "1"):
        yield


@pytest.fixture(scope="module")
def mpi(kubeflow_operators, cluster: Namespace) -> Iterator[None]:
    """Have what the training-operator puts beside the launcher of an MPIJob find a place."""
    store.provide(store.KUBECTL_DELIVERY)
    with advertised(cluster, "ephemeral-storage", "100Gi"):
        yield


@pytest.fixture(scope="session")
def our_overlay() -> Iterator[None]:
    """Have the tests' overlay be the one that is written out and installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OVERLAY", str(OVERLAY))
        yield


@pytest.fixture(scope="session")
def product_images(own_cluster, our_overlay) -> Images:
    """Build what is checked out, and give it to the cluster."""
    with node.alone():
        names = install.build()
        for name in names:
            store.load(name)
    return Images(*names)


@pytest.fixture(scope="session")
def kubeflow_operators(own_cluster) -> None:
    """Have the real training-operator, Trainer and JobSet run."""
    operators.install("kubeflow")


@pytest.fixture(scope="session")
def workflow_operators(own_cluster) -> None:
    """Have Argo's real workflow-controller and Tekton's run."""
    operators.install("workflows")


@pytest.fixture(scope="session")
def kueue(own_cluster) -> None:
    """Have the real Kueue run."""
    operators.install("kueue")


@pytest.fixture(scope="session")
def product(own_cluster, our_overlay) -> None:
    """Have what is checked out installed, over PostgreSQL.

    TUNEWRIGHT_TEST_PRODUCT=there takes what is installed already.
    """
    if os.environ.get("TUNEWRIGHT_TEST_PRODUCT") == "there":
        return
    install.install()
