"""What this machine does to a run, and what a run is told about this machine."""

import os
import pty
import shlex
import signal
import subprocess
import sys

import pytest
from support.waiting import until
from tunewright.sdk.commands import COMMAND

WAITS = "echo x >> started; while ! test -e go; do sleep 0.02; done; echo loss=$0"
LEAVES = "trap 'echo bye >> left; exit 1' TERM; echo x >> started; while :; do sleep 0.02; done"


def pod_of(document):
    return document["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]


def shell(script, **container):
    """Return a change of the experiment that runs this script in each trial."""

    def change(document):
        command = ["sh", "-c", script, "${trialParameters.x}"]
        pod_of(document)["containers"][0] |= {"command": command, **container}

    return change


def succeeded(tunewright):
    return tunewright("get", "echo", "-o", "json").json["trials"].get("Succeeded", 0)


class TestSignals:
    def test_a_terminal_that_goes_away_ends_only_the_display(
        self, tunewright, experiment, tmp_path
    ):
        ours, theirs = pty.openpty()
        run = subprocess.Popen(
            [
                *("setsid", "--ctty", sys.executable, "-m", "tunewright"),
                *("run", str(experiment(shell(WAITS)))),
            ],
            cwd=tmp_path,
            env={**tunewright.environ, "TERM": "xterm"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        until((tmp_path / "started").exists)

        os.close(ours)
        (tmp_path / "go").touch()

        assert run.wait(timeout=60) == 0
        assert succeeded(tunewright) == 3

    def test_a_file_gets_the_output_to_its_end_although_the_terminal_goes_away(
        self, tunewright, experiment, tmp_path
    ):
        run = tunewright.start("run", experiment(shell(WAITS)))
        until((tmp_path / "started").exists)

        run.send_signal(signal.SIGHUP)
        (tmp_path / "go").touch()
        out, _ = run.communicate(timeout=60)

        assert run.returncode == 0
        assert "echo Succeeded" in out

    def test_sigterm_is_the_first_ctrl_c(self, tunewright, experiment, tmp_path):
        run = tunewright.start("run", experiment(shell(LEAVES)))
        until((tmp_path / "started").exists)

        run.send_signal(signal.SIGTERM)
        out, _ = run.communicate(timeout=60)

        assert run.returncode == 130
        assert (tmp_path / "left").read_text() == "bye\n"
        assert "tunewright resume echo" in out
        assert tunewright("get", "echo", "-o", "json").json["trials"]["finished"] == 0


class TestLimits:
    def test_trials_for_which_there_are_no_descriptors_wait_for_those_that_run(
        self, tunewright, experiment
    ):
        def many(document):
            shell("echo loss=$0")(document)
            document["spec"] |= {"maxTrialCount": 40, "parallelTrialCount": 40}

        words = shlex.join([*COMMAND, "run", str(experiment(many))])
        done = subprocess.run(
            ["sh", "-c", f"ulimit -n 48; exec {words}"],
            env=tunewright.environ,
            cwd=tunewright.folder,
            capture_output=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert succeeded(tunewright) == 40


class TestOutput:
    @pytest.mark.parametrize("away", ["| head -n 1", ">/dev/full"])
    def test_output_that_nobody_takes_any_more_ends_no_run(self, tunewright, experiment, away):
        words = shlex.join([*COMMAND, "run", str(experiment(shell("echo loss=$0")))])
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {words} {away}"],
            env=tunewright.environ,
            cwd=tunewright.folder,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "The run continues, but its output cannot be written" in done.stderr
        assert succeeded(tunewright) == 3


FROM_SECRET = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}


class TestEnvFile:
    SECRET = "hunter2"
    NEEDS_IT = "test ${#TOKEN} = 7 && test ${#KEY} = 7 && test $PLAIN = 1 && echo loss=$0"

    @pytest.mark.parametrize("how", [[], ["--detach"]], ids=["here", "in the background"])
    def test_its_variables_reach_every_trial_and_are_kept_nowhere(
        self, tunewright, experiment, tmp_path, how
    ):
        lines = ["# ours", f"export TOKEN='{self.SECRET}'", f"KEY={self.SECRET}", "", "PLAIN=1"]
        (tmp_path / "vars.env").write_text("\n".join(lines))
        file = experiment(shell(self.NEEDS_IT, env=[FROM_SECRET]))

        assert tunewright("run", file, "--env-file", "vars.env", *how).code == 0
        tunewright("wait", "echo", "--timeout", "60s")

        assert succeeded(tunewright) == 3
        kept = [each for each in (tmp_path / "home").rglob("*") if each.is_file()]
        assert kept
        assert not [each for each in kept if self.SECRET.encode() in each.read_bytes()]

    def test_without_it_the_run_is_refused_before_the_first_trial(self, tunewright, experiment):
        result = tunewright("run", experiment(shell(self.NEEDS_IT, env=[FROM_SECRET])))

        assert result.code == 2
        assert "--env-file" in result.err
        assert tunewright("get", "-o", "json").json == []

    def test_a_line_that_is_no_variable_is_named(self, tunewright, experiment, tmp_path):
        (tmp_path / "vars.env").write_text("A=1\nnonsense\n")

        result = tunewright("run", experiment(), "--env-file", "vars.env")

        assert result.code == 2
        assert "vars.env:2" in result.err

    def test_a_file_that_cannot_be_read_is_told_in_words_and_with_its_remedy(
        self, tunewright, experiment, tmp_path
    ):
        (tmp_path / "bytes.env").write_bytes(b"A=\xff")
        given = ("--env-file", "no.env", "--env-file", "bytes.env")

        result = tunewright("run", experiment(), *given)

        assert result.err.splitlines()[:2] == [
            "error: --env-file: no.env cannot be read: No such file or directory",
            "error: --env-file: bytes.env is not UTF-8 (save it as UTF-8)",
        ]


@pytest.mark.needs("mount-namespaces")
class TestMount:
    @pytest.fixture
    def claims(self, tmp_path):
        """A change that reads a file from a claim, which lies in `data` here."""
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "offset").write_text("1")
        (tmp_path / "inside").mkdir()
        place = str(tmp_path / "inside")

        def change(document):
            mounts = [{"name": "data", "mountPath": place}]
            shell(f"echo loss=$(cat {place}/offset)", volumeMounts=mounts)(document)
            claim = {"name": "data", "persistentVolumeClaim": {"claimName": "c"}}
            pod_of(document)["volumes"] = [claim]

        return change

    @pytest.mark.parametrize("how", [[], ["--detach"]], ids=["here", "in the background"])
    def test_a_claim_is_the_directory_that_was_named(
        self, tunewright, experiment, tmp_path, claims, how
    ):
        (tmp_path / "elsewhere").mkdir()
        options = ["--mount", "data=data", "--workdir", "elsewhere", *how]

        assert tunewright("run", experiment(claims), *options).code == 0
        tunewright("wait", "echo", "--timeout", "60s")

        assert tunewright("best", "echo", "-o", "json").json["value"] == 1.0

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ([], "--mount data=DIR"),
            (["--mount", "data=nowhere"], "nowhere is not a directory"),
            (["--mount", "data"], "data is not NAME=VALUE"),
        ],
    )
    def test_a_claim_without_a_directory_is_refused_before_the_first_trial(
        self, tunewright, experiment, claims, options, said
    ):
        result = tunewright("run", experiment(claims), *options)

        assert result.code == 2
        assert said in result.err
        assert tunewright("get", "-o", "json").json == []

    def test_a_directory_whose_name_is_no_text_is_refused(self, tunewright, experiment, tmp_path):
        folder = tmp_path / os.fsdecode(b"runs\xff")
        folder.mkdir()

        result = tunewright("run", experiment(), "--workdir", str(folder))

        assert result.code == 2
        assert "runs\\udcff' is not written in UTF-8 (rename it)" in result.err

    def test_a_place_that_would_hide_what_a_trial_needs_is_refused(
        self, tunewright, experiment, tmp_path, claims
    ):
        (tmp_path / "inside").rmdir()

        result = tunewright("run", experiment(claims), "--mount", "data=data")

        assert result.code == 2
        assert f"make the directory first (mkdir -p {tmp_path / 'inside'})" in result.err


def test_trials_per_gpu_lets_as_many_share_one(tunewright, experiment, tmp_path):
    meets = "touch up-$0; until test $(ls up-* | wc -l) = 2; do sleep 0.02; done"
    script = f"{meets}; echo $CUDA_VISIBLE_DEVICES >> devices; echo loss=$0"

    def change(document):
        shell(script, resources={"limits": {"nvidia.com/gpu": 1}})(document)
        document["spec"] |= {"maxTrialCount": 2, "parallelTrialCount": 2}

    run = tunewright(
        "run", experiment(change), "--trials-per-gpu", 2, env={"CUDA_VISIBLE_DEVICES": "3"}
    )

    assert run.code == 0, run.out + run.err
    assert (tmp_path / "devices").read_text().split() == ["3", "3"]


def test_another_terminal_is_told_which_device_a_trial_waits_for(tunewright, experiment, tmp_path):
    def change(document):
        shell(WAITS, resources={"limits": {"nvidia.com/gpu": 1}})(document)
        document["spec"] |= {"maxTrialCount": 2, "parallelTrialCount": 2}

    run = tunewright.start("run", experiment(change), env={"CUDA_VISIBLE_DEVICES": "3"})
    until((tmp_path / "started").exists)
    until(lambda: "nvidia.com/gpu" in tunewright("explain", "echo").out)
    (tmp_path / "go").touch()
    run.communicate(timeout=60)

    assert run.returncode == 0


@pytest.mark.needs("strace")
def test_fsync_has_every_trial_on_the_disk_before_the_next(tunewright, experiment, tmp_path):
    def synced(*options) -> int:
        log = tmp_path / "calls"
        done = subprocess.run(
            [
                *("strace", "-f", "-e", "trace=fsync,fdatasync", "-o", str(log)),
                *(
                    sys.executable,
                    "-m",
                    "tunewright",
                    "run",
                    str(experiment()),
                    "--again",
                    *options,
                ),
            ],
            cwd=tmp_path,
            env=tunewright.environ,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0
        return log.read_text().count("sync(")

    without = synced()
    assert synced("--fsync") >= without + 3
