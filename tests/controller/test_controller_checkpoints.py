"""Checkpoints on this machine: what a child, a retried attempt and a repetition find."""

import contextlib
import errno
import os
import shutil
import socket
from pathlib import Path

import pytest
from tunewright.api.checkpoint import Checkpoint
from tunewright.api.compile import checkpoint
from tunewright.api.errors import StoreUnwritable
from tunewright.api.experiment import ExperimentSpec
from tunewright.controller.checkpoints import DIRECTORY, RESUME_FROM, Places, restore


def places(home: Path, trial: str = "child", *, path: str | None = None, run: int = 0) -> Places:
    return Places.of(Checkpoint(path), home / trial, run)


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    kept = tmp_path / "parent" / "checkpoint"
    kept.mkdir(parents=True)
    (kept / "weights").write_text("parent's", encoding="utf-8")
    return kept.parent


def test_a_trial_without_a_parent_begins_with_an_empty_directory(tmp_path: Path):
    found = places(tmp_path)
    assert restore(found, None) == {DIRECTORY: str(found.own)}
    assert list(found.own.iterdir()) == []


def test_a_child_goes_on_from_a_copy_of_its_parents(tmp_path: Path, parent: Path):
    found = places(tmp_path)
    assert restore(found, parent)[RESUME_FROM] == str(found.own)
    (found.own / "weights").write_text("child's", encoding="utf-8")
    assert (parent / "checkpoint" / "weights").read_text(encoding="utf-8") == "parent's"


def test_a_retried_attempt_finds_its_own_and_not_its_parents_again(tmp_path: Path, parent: Path):
    found = places(tmp_path)
    restore(found, parent)
    (found.own / "weights").write_text("child's", encoding="utf-8")
    assert RESUME_FROM in restore(found, parent)
    assert (found.own / "weights").read_text(encoding="utf-8") == "child's"


def test_a_copy_that_was_cut_short_is_made_again(tmp_path: Path, parent: Path):
    found = places(tmp_path)
    half = found.own.with_name("checkpoint.part")
    half.mkdir(parents=True)
    (half / "rubbish").touch()
    restore(found, parent)
    assert [each.name for each in found.own.iterdir()] == ["weights"]
    assert not half.exists()


def test_what_is_no_file_is_not_handed_down(tmp_path: Path, parent: Path):
    kept = parent / "checkpoint"
    os.mkfifo(kept / "pipe")
    (kept / "latest").symlink_to("weights")
    with contextlib.chdir(kept), socket.socket(socket.AF_UNIX) as left:
        left.bind("socket")
    found = places(tmp_path)
    restore(found, parent)
    assert {each.name for each in found.own.iterdir()} == {"weights", "latest"}
    assert (found.own / "latest").is_symlink()


def test_what_cannot_be_copied_is_said_in_words(tmp_path: Path, parent: Path, monkeypatch):
    def fail(source: str, target: str, **_: bool) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), target)

    monkeypatch.setattr(shutil, "copyfile", fail)
    with pytest.raises(StoreUnwritable, match=r"prepared: \[Errno 28\] No space left on device"):
        restore(places(tmp_path), parent)


def test_a_parent_that_left_nothing_is_no_reason_to_fail(tmp_path: Path):
    assert RESUME_FROM not in restore(places(tmp_path), tmp_path / "gone")


def test_each_run_of_a_repeated_point_begins_where_the_first_did(tmp_path: Path, parent: Path):
    restore(places(tmp_path), parent)
    (places(tmp_path).own / "weights").write_text("child's", encoding="utf-8")
    second = places(tmp_path, run=1)
    restore(second, parent)
    assert (second.own / "weights").read_text(encoding="utf-8") == "parent's"


def test_the_trial_is_told_the_path_at_which_it_sees_it(tmp_path: Path, parent: Path):
    found = places(tmp_path, path="/opt/katib/data")
    assert set(restore(found, parent).values()) == {"/opt/katib/data"}
    assert found.mounts == ((found.own, Path("/opt/katib/data")),)
    assert places(tmp_path).mounts == ()


def test_what_cannot_be_copied_says_so(tmp_path: Path, parent: Path):
    (tmp_path / "child").write_text("no directory", encoding="utf-8")
    with pytest.raises(StoreUnwritable, match="checkpoint cannot be prepared"):
        restore(places(tmp_path), parent)


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({}, None),
        ({"checkpoint": {}}, Checkpoint()),
        ({"checkpoint": {"path": "/c"}}, Checkpoint("/c")),
        (
            {"checkpoint": {"volume": {"persistentVolumeClaim": {"claimName": "c"}}}},
            Checkpoint(None, {"persistentVolumeClaim": {"claimName": "c"}}),
        ),
    ],
)
def test_the_file_says_where(spec, found):
    assert checkpoint(ExperimentSpec.read(spec)) == found


def test_katibs_setting_of_pbt_says_it_and_the_files_own_field_wins():
    setting = {"name": "suggestion_trial_dir", "value": "/opt/katib/data"}
    spec = {"algorithm": {"algorithmName": "pbt", "algorithmSettings": [setting]}}
    assert checkpoint(ExperimentSpec.read(spec)) == Checkpoint("/opt/katib/data")
    assert checkpoint(ExperimentSpec.read(spec | {"checkpoint": {}})) == Checkpoint()


def test_a_pruned_parent_does_not_take_its_childs_copy_along(tmp_path: Path, parent: Path):
    restore(places(tmp_path), parent)
    shutil.rmtree(parent)
    assert RESUME_FROM in restore(places(tmp_path), parent)
