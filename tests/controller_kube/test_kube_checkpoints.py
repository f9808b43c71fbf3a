"""The checkpoint of a trial on a cluster: what its pod mounts, and what is copied before."""

import subprocess
from pathlib import Path

import pytest
from tunewright.api.errors import Invalid
from tunewright.controller.kube.workloads.checkpoints import NAME, Kept
from tunewright.controller.kube.workloads.collector import Settings
from tunewright.controller.kube.workloads.injection import Injection, instrument

VOLUME = {"persistentVolumeClaim": {"claimName": "checkpoints"}}


def injected(manifest, kept):
    injection = Injection(
        experiment="digits",
        trial="digits-b",
        namespace="team",
        attempt=1,
        container="main",
        metrics=("loss",),
        parameters="{}",
        settings=Settings(image="tunewright/collector:1", metrics="metrics:6790"),
        kept=kept,
    )
    return instrument(manifest, injection)[0]


def pod(kept):
    main = {"name": "main", "image": "train:1", "command": ["train"]}
    template = {"spec": {"containers": [main], "securityContext": {"runAsUser": 7}}}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {}, "spec": {"template": template}}
    return injected(job, kept)["spec"]["template"]["spec"]


def named(items, name):
    return next(each for each in items if each["name"] == name)


def variables(container):
    return {
        each["name"]: each["value"]
        for each in container["env"]
        if each["name"] in {"TUNEWRIGHT_CHECKPOINT_DIR", "TUNEWRIGHT_RESUME_FROM"}
    }


def test_the_trial_mounts_its_own_directory_of_the_claim_and_no_other():
    made = pod(Kept(VOLUME, "/ckpt", "digits-b"))
    assert named(made["volumes"], NAME) == {"name": NAME, **VOLUME}
    mounts = made["containers"][0]["volumeMounts"]
    assert named(mounts, NAME) == {"name": NAME, "mountPath": "/ckpt", "subPath": "digits-b"}


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        (Kept(VOLUME, "/c", "digits-b"), {"TUNEWRIGHT_CHECKPOINT_DIR"}),
        (
            Kept(VOLUME, "/c", "digits-b", parent="digits-a"),
            {"TUNEWRIGHT_CHECKPOINT_DIR", "TUNEWRIGHT_RESUME_FROM"},
        ),
        (
            Kept(VOLUME, "/c", "digits-b", is_retried=True),
            {"TUNEWRIGHT_CHECKPOINT_DIR", "TUNEWRIGHT_RESUME_FROM"},
        ),
    ],
)
def test_a_trial_is_told_whether_it_goes_on_from_something(kept, told):
    assert variables(pod(kept)["containers"][0]) == dict.fromkeys(told, "/c")


def test_without_a_volume_nothing_is_added():
    made = pod(None)
    assert NAME not in {each["name"] for each in (*made["volumes"], *made["initContainers"])}
    assert variables(made["containers"][0]) == {}


def test_each_pod_of_a_training_job_mounts_it():
    template = {"spec": {"containers": [{"name": "main", "image": "t", "command": ["t"]}]}}
    specs = {role: {"replicas": 1, "template": template} for role in ("Master", "Worker")}
    job = {"kind": "PyTorchJob", "metadata": {}, "spec": {"pytorchReplicaSpecs": specs}}
    made = injected(job, Kept(VOLUME, "/c", "digits-b"))["spec"]["pytorchReplicaSpecs"]
    for each in made.values():
        assert named(each["template"]["spec"]["initContainers"], NAME)


def test_a_kind_whose_pods_are_described_elsewhere_is_refused_by_field():
    job = {"kind": "TrainJob", "metadata": {}, "spec": {"trainer": {"command": ["t"]}}}
    with pytest.raises(Invalid, match=r"spec\.checkpoint: no pod template of this TrainJob"):
        injected(job, Kept(VOLUME, "/c", "digits-b"))


def test_the_copying_container_may_do_next_to_nothing():
    copying = named(pod(Kept(VOLUME, "/c", "digits-b"))["initContainers"], NAME)
    assert copying["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert copying["securityContext"]["readOnlyRootFilesystem"] is True


class TestCopy:
    """The command of the init container, run with the claim's folder in a temporary one."""

    def run(self, claim: Path, kept: Kept) -> None:
        command = named(pod(kept)["initContainers"], NAME)["command"]
        words = [each.replace("/tunewright/checkpoints", str(claim)) for each in command]
        subprocess.run(words, check=True, env={"PATH": "/usr/bin:/bin", "HOSTNAME": "pod"})

    @pytest.fixture
    def claim(self, tmp_path: Path) -> Path:
        (tmp_path / "digits-a").mkdir()
        (tmp_path / "digits-a" / "weights").write_text("parent's", encoding="utf-8")
        return tmp_path

    def test_a_child_gets_a_copy(self, claim: Path):
        self.run(claim, Kept(VOLUME, "/c", "digits-b", parent="digits-a"))
        assert (claim / "digits-b" / "weights").read_text(encoding="utf-8") == "parent's"
        assert sorted(each.name for each in claim.iterdir()) == ["digits-a", "digits-b"]

    def test_a_second_attempt_keeps_what_the_first_wrote(self, claim: Path):
        kept = Kept(VOLUME, "/c", "digits-b", parent="digits-a")
        self.run(claim, kept)
        (claim / "digits-b" / "weights").write_text("child's", encoding="utf-8")
        self.run(claim, kept)
        assert (claim / "digits-b" / "weights").read_text(encoding="utf-8") == "child's"

    def test_a_copy_that_was_cut_short_is_made_again(self, claim: Path):
        (claim / "digits-b.pod").mkdir()
        (claim / "digits-b.pod" / "rubbish").touch()
        self.run(claim, Kept(VOLUME, "/c", "digits-b", parent="digits-a"))
        assert [each.name for each in (claim / "digits-b").iterdir()] == ["weights"]

    def test_what_nobody_goes_on_from_is_removed_with_its_repetitions(self, claim: Path):
        for name in ("digits-o", "digits-o-1", "digits-oo"):
            (claim / name).mkdir()
        self.run(claim, Kept(VOLUME, "/c", "digits-b", "digits-a", spare=["digits-o", "digits-n"]))
        left = sorted(each.name for each in claim.iterdir())
        assert left == ["digits-a", "digits-b", "digits-oo"]

    def test_a_folder_of_the_volume_is_made(self, claim: Path):
        self.run(claim, Kept(VOLUME, "/c", "digits/digits-b"))
        assert list((claim / "digits" / "digits-b").iterdir()) == []

    @pytest.mark.parametrize("parent", [None, "digits-gone"])
    def test_without_something_to_copy_there_is_an_empty_directory(self, claim: Path, parent):
        self.run(claim, Kept(VOLUME, "/c", "digits-b", parent=parent))
        assert list((claim / "digits-b").iterdir()) == []
