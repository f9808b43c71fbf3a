"""What of a manifest is done here, and what the documentation says of it."""

import pytest
from support.command import ROOT
from support.runtime import container, job
from tunewright.api.errors import Unsupported
from tunewright.controller.local.fields import page, remarks_of
from tunewright.controller.local.kinds import kind_of


def test_the_page_has_the_table():
    assert page().rstrip() in (ROOT / "docs" / "laptop.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("manifest", "remark"),
    [
        (job(container("true", image="x")), "spec.template.spec.containers[0].image is ignored"),
        (job(container("true", lifecycle={})), "hooks do not run"),
        (job(container("true"), securityContext={}), "run as whoever typed `run`"),
        (job(container("true"), containres=[]), "spec.template.spec.containres is not known here"),
    ],
)
def test_what_is_not_done_is_remarked(manifest, remark: str):
    assert any(remark in each for each in remarks_of(manifest))


def test_what_is_done_or_means_nothing_here_is_not():
    manifest = job(container("true", args=["x"], ports=[]), nodeSelector={}, restartPolicy="Never")
    assert list(remarks_of(manifest)) == []


def test_a_used_image_is_not_remarked():
    assert list(remarks_of(job(container("true", image="x")), containers=True)) == []


@pytest.mark.parametrize("empty", [None, {}])
def test_a_replica_that_is_left_empty_is_refused_by_its_name(empty):
    main = {"template": {"spec": {"containers": [container("true", name="pytorch")]}}}
    spec = {"pytorchReplicaSpecs": {"Master": main, "Worker": empty}}
    manifest = {"kind": "PyTorchJob", "metadata": {"name": "t"}, "spec": spec}

    assert list(remarks_of(manifest)) == []
    with pytest.raises(Unsupported, match="t-worker-0: the pod template has no containers"):
        kind_of(manifest).plan(manifest, "pytorch", lambda: 1)


@pytest.mark.parametrize("replicas", [None, {}])
def test_a_job_without_replicas_has_no_remarks(replicas):
    assert list(remarks_of({"kind": "TFJob", "spec": {"tfReplicaSpecs": replicas}})) == []
