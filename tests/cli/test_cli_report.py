"""`report()` in trials of several processes, and in containers, by the real command."""

import contextlib
import os
import sqlite3
import sys

import pytest

STRICT_DOCKER = f"""#!{sys.executable}
import os, sys
words = sys.argv[1:]
if words[0] == "run":  # as in a container: nothing is there but what is named
    named = [words[at + 1] for at, word in enumerate(words) if word == "--env"]
    inside = dict(each.split("=", 1) if "=" in each else (each, os.environ[each]) for each in named)
    at = words.index("--entrypoint")
    os.execve(words[at + 1], [words[at + 1], *words[at + 3:]], inside)
"""
# The job ends with its first process, which therefore waits for what the others had to say.
REPORTS = """\
import atexit, os, pathlib, sys, time
rank, here = int(os.environ.get("RANK", 0)), pathlib.Path(__file__).parent
atexit.register(here.joinpath(f"{rank}.done").touch)  # after what tunewright does at the end
from tunewright import report, should_stop
for step in range(1, 4):
    if rank == 0 or "all" in sys.argv:
        report(loss=rank + 1 / step, step=step)
    else:
        assert should_stop() is False
others = int(os.environ.get("WORLD_SIZE", 1)) - 1
while rank == 0 and len(list(here.glob("*.done"))) < others:
    time.sleep(0.02)
"""


@pytest.fixture
def reporting(tunewright, experiment):
    """Write an experiment of one trial whose processes report."""
    (tunewright.folder / "reports.py").write_text(REPORTS)

    def write(*words, workers=0):
        def change(document):
            spec = document["spec"]
            spec["maxTrialCount"] = 1
            spec["metricsCollectorSpec"] = {"collector": {"kind": "Push"}}
            pod = spec["trialTemplate"]["trialSpec"]["spec"]["template"]
            main = pod["spec"]["containers"][0]
            main["command"] = [sys.executable, "reports.py", *words, "${trialParameters.x}"]
            main["env"] = [{"name": "PYTHONPATH", "value": tunewright.environ["PYTHONPATH"]}]
            if workers:
                main["name"] = "pytorch"
                replicas = {"Master": {"replicas": 1, "template": pod}}
                replicas["Worker"] = {"replicas": workers, "template": pod}
                spec["trialTemplate"]["primaryContainerName"] = "pytorch"
                spec["trialTemplate"]["trialSpec"] = {
                    "apiVersion": "kubeflow.org/v1",
                    "kind": "PyTorchJob",
                    "spec": {"pytorchReplicaSpecs": replicas},
                }

        return experiment(change)

    return write


def reported(tunewright):
    samples = tunewright("metrics", "echo", "0", "--log", "-o", "json").json
    return sorted((each["step"], each["value"]) for each in samples)


def losses(*ranks):
    return sorted((step, rank + 1 / step) for rank in ranks for step in (1, 2, 3))


def test_where_all_processes_report_every_value_counts(tunewright, reporting):
    done = tunewright("run", reporting("all", workers=2))
    assert done.code == 0, done.err
    assert reported(tunewright) == losses(0, 1, 2)
    assert tunewright("best", "echo", "-o", "json").json["value"] == 1 / 3


def test_sources_are_numbered_within_their_attempt_so_that_trials_share_their_names(
    tunewright, reporting
):
    tunewright("run", reporting("all", workers=2))
    (store,) = tunewright.folder.rglob("*.db")
    with contextlib.closing(sqlite3.connect(store)) as database:
        names = database.execute("SELECT text FROM names WHERE text LIKE 'push%'").fetchall()
    assert sorted(names) == [("push/0",), ("push/1",), ("push/2",)]


def test_where_one_process_reports_the_others_may_ask_whether_to_stop(tunewright, reporting):
    done = tunewright("run", reporting(workers=2))
    assert done.code == 0, done.err
    assert reported(tunewright) == losses(0)


def test_what_a_container_reports_arrives(tunewright, reporting):
    tools = tunewright.folder / "tools"
    tools.mkdir()
    (tools / "docker").write_text(STRICT_DOCKER)
    (tools / "docker").chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    done = tunewright("run", reporting(), "--runtime", "docker", env={"PATH": path})
    assert done.code == 0, done.err
    assert reported(tunewright) == losses(0)
