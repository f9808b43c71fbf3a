"""A store where nothing, or little, can be written: looking works, changing says why not."""

import shlex
import shutil
import sqlite3
import subprocess
from contextlib import closing

import pytest
from tunewright.sdk.commands import COMMAND

pytestmark = pytest.mark.needs("mount-namespaces")

LOOKS = (
    *("get", "describe echo", "describe echo 0", "best echo", "trials echo", "export echo"),
    *("explain echo", "logs echo 0", "metrics echo 0", "watch echo"),
)


@pytest.fixture
def kept(tunewright, experiment):
    """The command, with an experiment in its store that has ended, and could go on."""
    assert tunewright("run", experiment()).code == 0
    assert tunewright("edit", "echo", "--trials", "5").code == 0
    return tunewright


def typed(command, *lines: str) -> subprocess.CompletedProcess[str]:
    """Type lines where the home is on a disk that cannot be written, up to the first that fails."""
    home = shlex.quote(str(command.folder / "home"))
    mounted = f"mount --bind {home} {home} && mount -o remount,ro,bind {home}"
    return mounting(command, mounted, *(f"{shlex.join(COMMAND)} {line}" for line in lines))


def mounting(command, *lines: str) -> subprocess.CompletedProcess[str]:
    """Run lines of a shell in a mount namespace of its own, up to the first that fails."""
    return subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", " && ".join(lines)],
        cwd=command.folder,
        env=command.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def leave_a_log(command, *ends: str) -> None:
    """Leave the store as a writer that was killed does, with the files of these ends beside it."""
    home = command.folder / "home"
    left = {end: home / f"left{end}" for end in ends}
    with closing(sqlite3.connect(home / "store.db")) as writer:
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        writer.execute("UPDATE experiments SET reason = 'InTheLog'")
        writer.commit()
        for end, path in left.items():
            shutil.copy(home / f"store.db{end}", path)
    for end, path in left.items():
        path.rename(home / f"store.db{end}")


def test_a_store_on_a_disk_that_cannot_be_written_is_looked_at(kept):
    done = typed(kept, *LOOKS)
    assert done.returncode == 0, done.stderr
    assert "echo" in done.stdout


def test_what_is_still_in_its_log_is_seen(kept):
    leave_a_log(kept, "", "-wal", "-shm")
    done = typed(kept, "describe echo")
    assert done.returncode == 0, done.stderr
    assert "InTheLog" in done.stdout


def test_a_log_that_cannot_be_read_there_is_told_with_what_helps(kept):
    leave_a_log(kept, "", "-wal")
    refused = typed(kept, "get")
    assert refused.returncode == 1
    assert "its last changes are still in store.db-wal: copy both to a folder" in refused.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("edit echo --trials 9", "store.db: the store cannot be written"),
        ("resume echo", "store.db: the store cannot be written"),
        ("prune --no-keep-best", "3 directories cannot be removed, "),
        ("delete echo --yes", "Read-only file system (choose a place that can be written)"),
    ],
)
def test_a_change_is_refused(kept, line, said):
    refused = typed(kept, line)
    assert refused.returncode == 1
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr


def test_what_of_a_deleted_experiment_cannot_be_removed_is_named(kept):
    folder = next((kept.folder / "home/trials/default/echo").iterdir())
    deleting = f"{shlex.join(COMMAND)} delete echo --yes"
    done = mounting(kept, f"mount -t tmpfs none {folder}", deleting)
    assert done.returncode == 0, done.stderr
    assert "Deleted default/echo" in done.stdout
    assert f"1 directory cannot be removed, {folder} for one" in done.stderr


def test_where_an_experiment_cannot_be_deleted_its_directories_stay(kept):
    store = shlex.quote(str(kept.folder / "home/store.db"))
    mounted = f"mount --bind {store} {store} && mount -o remount,ro,bind {store}"
    refused = mounting(kept, mounted, f"{shlex.join(COMMAND)} delete echo --yes")
    assert (refused.returncode, "cannot be written" in refused.stderr) == (1, True)
    assert len([*(kept.folder / "home/trials/default/echo").iterdir()]) == 3


def test_deleting_frees_the_space_on_a_full_disk_that_it_needs(kept):
    (kept.folder / "disk").mkdir()
    done = mounting(
        kept,
        "mount -t tmpfs -o size=8m none disk && cp -r home/. disk",
        "export TUNEWRIGHT_HOME=$PWD/disk",
        "for trial in disk/trials/default/echo/*; do head -c 500k /dev/zero > $trial/log; done",
        "{ cat /dev/zero > disk/full || truncate -s -36k disk/full; } 2> error",  # room to look
        f"{shlex.join(COMMAND)} delete echo --yes && ls disk/trials/default",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Deleted default/echo.\n"
