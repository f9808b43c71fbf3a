"""Which code was run: seen at the start, and again when it changes, true to the time of that."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from support.waiting import until
from tunewright.api.identity import ExperimentKey
from tunewright.controller.provenance import Witness, provenance_of, script_of
from tunewright.db.records import Provenance
from tunewright.db.store import Store

GIT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@b.c",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@b.c",
}


class Project:
    """A repository with a script in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.script = folder / "train.py"
        self.git("init", "--quiet")
        self.write("print(1)")
        self.commit()

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=self.folder, env=GIT, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self) -> str:
        self.git("add", ".")
        self.git("commit", "--quiet", "--allow-empty", "-m", "x")
        return self.git("rev-parse", "HEAD")

    def write(self, code: str) -> str:
        self.script.write_text(code, encoding="utf-8")
        return hashlib.sha256(code.encode()).hexdigest()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture
def witness(project: Project, store: Store) -> Witness:
    key = ExperimentKey("default", "e")
    document = {"spec": {"objective": {"type": "minimize", "objectiveMetricName": "loss"}}}
    uid = store.create_experiment(key, document, seed=1, workdir="/", now=1.0).uid
    return Witness(store, uid, project.folder, project.script, GIT)


@pytest.mark.parametrize(
    ("command", "script"),
    [
        (("python", "train.py", "--lr", "0.1"), "train.py"),
        (("python", "-u", "sub/model.py"), "sub/model.py"),
        (("sh", "-c", "cd . && python train.py --lr 1"), "train.py"),
        (("./train.py",), "train.py"),
        (("python", "-c", "print(1)"), None),
        (("learn", "data.bin", "settings.toml"), "settings.toml"),
    ],
)
def test_the_script_is_the_first_file_that_the_command_names(
    tmp_path: Path, command: tuple[str, ...], script: str | None
):
    (tmp_path / "sub").mkdir()
    for name in ("train.py", "sub/model.py", "settings.toml"):
        (tmp_path / name).touch()
    with (tmp_path / "data.bin").open("wb") as data:
        data.truncate(1 << 30)
    assert script_of(command, tmp_path) == (None if script is None else tmp_path / script)


def test_a_look_tells_commit_tree_and_script(project: Project):
    commit = project.git("rev-parse", "HEAD")
    digest = project.write("print(2)")
    found = provenance_of(project.folder, project.script, GIT)
    assert found == Provenance(0.0, commit, changed=True, script=str(project.script), digest=digest)
    project.commit()
    assert not provenance_of(project.folder, project.script, GIT).changed


def test_outside_of_a_repository_nothing_is_told_of_a_commit(tmp_path: Path):
    assert provenance_of(tmp_path, None, GIT) == Provenance(0.0)


def test_what_does_not_change_is_written_down_once(witness: Witness, store: Store):
    for _ in range(2):
        with witness.watching():
            pass
    (found,) = store.provenance(witness.uid)
    assert found.commit
    assert store.events(witness.uid) == []


def test_a_script_that_changes_counts_from_its_own_time_and_is_warned_of(
    witness: Witness, store: Store, project: Project
):
    with witness.watching():
        until(lambda: store.provenance(witness.uid))
        digest = project.write("print(3)")
    before, after = store.provenance(witness.uid)
    assert (after.changed, after.digest) == (True, digest)
    assert before.at < after.at == project.script.stat().st_mtime_ns / 1e9
    (event,) = store.events(witness.uid)
    assert (event.kind, event.reason) == ("Warning", "CodeChanged")
    assert str(project.script) in event.message


def test_a_commit_between_two_runs_is_warned_of(witness: Witness, store: Store, project: Project):
    with witness.watching():
        pass
    commit = project.commit()
    with witness.watching():
        pass
    assert store.provenance(witness.uid)[-1].commit == commit
    assert "the commit, from" in store.events(witness.uid)[0].message
