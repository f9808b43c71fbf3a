"""The plug is pulled: engines that are killed, interrupted, or started twice."""

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest
from support import command
from support.waiting import until

pytestmark = [pytest.mark.timeout(200), pytest.mark.needs("linux")]

TRIALS = 12
SCRIPT = """\
mkdir "running-$TUNEWRIGHT_TRIAL" || { echo twice >> "$OLDPWD/twice"; exit 9; }
trap 'rmdir "running-$TUNEWRIGHT_TRIAL"' EXIT
echo "$TUNEWRIGHT_TRIAL $TUNEWRIGHT_ATTEMPT" >> started
sleep 0.15
echo loss=$1
"""


class Run:
    """An experiment of short trials that note their starts, and cannot run twice at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        (folder / "trial.sh").write_text(SCRIPT, encoding="utf-8")

    def start(self, script: str = "trial.sh"):
        return command.start(
            self.home,
            *("run", "--name", "chaos", "--param", "x=0.0..1.0", "--minimize", "loss"),
            *("--algorithm", "tpe", "--trials", str(TRIALS), "--parallel", "2"),
            *("--", "bash", script, "{x}"),
            cwd=self.folder,
        )

    def resume(self):
        return command.run(self.home, "resume", "chaos", cwd=self.folder)

    def started(self) -> list[str]:
        note = self.folder / "started"
        return note.read_text(encoding="utf-8").splitlines() if note.exists() else []

    def rows(self):
        return command.trials(self.home, "chaos", cwd=self.folder)

    def clear_marks(self) -> None:
        """A killed trial leaves its mark; nothing may run now that could hold one."""
        for mark in self.folder.glob("running-*"):
            mark.rmdir()


def alive_with(folder: Path) -> list[int]:
    """Return the processes that work in the folder, trials and guards included."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environ = (entry / "environ").read_bytes()
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if f"TUNEWRIGHT_HOME={folder}/home".encode() in environ and state != "Z":
            found.append(int(entry.name))
    return found


def kill_all(folder: Path) -> None:
    for pid in alive_with(folder):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def chaos(tmp_path: Path) -> Run:
    return Run(tmp_path)


@pytest.mark.parametrize("after", [1, 4, 9])
def test_a_killed_engine_leaves_nothing_and_resume_goes_on(chaos: Run, after: int):
    engine = chaos.start()
    until(lambda: len(chaos.started()) >= after)
    engine.kill()
    engine.communicate()
    until(lambda: not alive_with(chaos.folder))
    chaos.clear_marks()
    done = chaos.resume()
    assert done.returncode == 0, done.stdout + done.stderr
    rows = chaos.rows()
    assert [row["state"] for row in rows] == ["Succeeded"] * TRIALS
    assert not (chaos.folder / "twice").exists()
    names = [line.split()[0] for line in chaos.started()]
    assert set(names) == {row["name"] for row in rows}
    assert len(names) <= TRIALS + 2, "only what was interrupted ran again"


def test_everything_killed_at_once_leaves_a_store_that_goes_on(chaos: Run):
    engine = chaos.start()
    until(lambda: len(chaos.started()) >= 3)
    kill_all(chaos.folder)
    engine.communicate()
    until(lambda: not alive_with(chaos.folder))
    chaos.clear_marks()
    assert chaos.resume().returncode == 0
    assert [row["state"] for row in chaos.rows()] == ["Succeeded"] * TRIALS


def test_the_same_points_come_whether_or_not_it_was_killed(tmp_path: Path):
    points = []
    for kills in (0, 2):
        folder = tmp_path / str(kills)
        folder.mkdir()
        chaos = Run(folder)
        arguments = (
            *("run", "--name", "chaos", "--param", "x=0.0..1.0", "--minimize", "loss"),
            *("--algorithm", "tpe", "--seed", "5", "--trials", "14", "--parallel", "1"),
            *("--", "bash", "trial.sh", "{x}"),
        )
        engine = command.start(chaos.home, *arguments, cwd=folder)
        for count in range(kills):
            until(lambda c=count, run=chaos: len(run.started()) >= 4 * (c + 1))
            engine.kill()
            engine.communicate()
            until(lambda run=chaos: not alive_with(run.folder))
            chaos.clear_marks()
            engine = command.start(chaos.home, "resume", "chaos", cwd=folder)
        _, err = engine.communicate()
        assert engine.returncode == 0, err
        points.append([row["param.x"] for row in chaos.rows()])
    assert points[0] == points[1]


ON_A_DEVICE = """\
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: NAME}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  parameters: [{name: x, parameterType: double, feasibleSpace: {min: "0", max: "1"}}]
  maxTrialCount: 1
  trialTemplate:
    trialParameters: [{name: x, reference: x}]
    trialSpec:
      apiVersion: batch/v1
      kind: Job
      spec:
        template:
          spec:
            containers:
              - name: main
                command: [bash, -c, "COMMAND; echo loss=${trialParameters.x}"]
                resources: {limits: {nvidia.com/gpu: 1}}
"""


@pytest.mark.parametrize("is_deleted", [False, True], ids=["forgotten", "deleted"])
def test_a_device_of_a_run_that_was_killed_serves_the_next(
    chaos: Run, monkeypatch, *, is_deleted: bool
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    for name, what in (("first", "touch started; sleep 600"), ("second", "true")):
        text = ON_A_DEVICE.replace("NAME", name).replace("COMMAND", what)
        (chaos.folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    engine = command.start(chaos.home, "run", "first.yaml", cwd=chaos.folder)
    until((chaos.folder / "started").exists)
    kill_all(chaos.folder)
    engine.communicate()
    if is_deleted:
        assert command.run(chaos.home, "delete", "first", "--yes", cwd=chaos.folder).returncode == 0
    done = command.run(chaos.home, "run", "second.yaml", cwd=chaos.folder, seconds=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ctrl_c_ends_gracefully_and_says_how_to_go_on(chaos: Run):
    engine = chaos.start()
    until(lambda: len(chaos.started()) >= 2)
    engine.send_signal(signal.SIGINT)
    out, err = engine.communicate(timeout=60)
    assert engine.returncode == 130
    assert "tunewright resume chaos" in out + err
    assert not alive_with(chaos.folder)
    chaos.clear_marks()
    assert chaos.resume().returncode == 0
    assert len(chaos.rows()) == TRIALS


def test_ctrl_c_twice_ends_at_once_even_what_will_not_end(chaos: Run):
    (chaos.folder / "deaf.sh").write_text(
        "trap '' TERM INT; echo here >> started; while :; do sleep 0.05; done", encoding="utf-8"
    )
    engine = chaos.start("deaf.sh")
    until(lambda: len(chaos.started()) >= 2)
    engine.send_signal(signal.SIGINT)
    time.sleep(0.3)  # two presses, not one
    engine.send_signal(signal.SIGINT)
    engine.communicate(timeout=20)
    assert engine.returncode == 130
    assert not alive_with(chaos.folder)


def test_two_engines_never_drive_one_experiment(chaos: Run):
    first = chaos.start()
    until(lambda: len(chaos.started()) >= 1)
    second = chaos.resume()
    out, _ = first.communicate(timeout=100)
    assert first.returncode == 0, out
    assert not (chaos.folder / "twice").exists()
    assert len(chaos.started()) == TRIALS
    assert second.returncode in {0, 2}
