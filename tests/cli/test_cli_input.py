"""Wrong input: exit code 2, a message that says what would be right, and no traceback."""

import errno
import io
import os
import shlex
import subprocess
import sys

import click
import pytest
from tunewright.cli.exits import code_of, guarded
from tunewright.cli.main import cli
from tunewright.sdk.commands import COMMAND


def no_metric(document):
    del document["spec"]["objective"]["objectiveMetricName"]


def two_faults(document):
    document["spec"]["parameters"][0]["feasibleSpace"] = {"min": "2", "max": "1"}
    document["spec"]["maxTrialCount"] = 0


FLAGS = ["--minimize", "loss", "--", "train", "{x}"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(["run"], "there is nothing to run (name an Experiment file", id="nothing"),
        pytest.param(
            ["run", "no.yaml"], "no.yaml: : cannot be read: No such file", id="no such file"
        ),
        pytest.param(["run", "."], "cannot be read: Is a directory", id="a directory"),
        pytest.param(["run", "--bogus"], "No such option '--bogus'", id="unknown option"),
        pytest.param(
            ["run", "--minimize", "loss"], "--minimize: it needs --param", id="half a command"
        ),
        pytest.param(
            ["run", "--param", "x=1..3", *FLAGS], "write x=int:1..3", id="ambiguous range"
        ),
        pytest.param(
            ["run", "--param", "y=5", *FLAGS], "neither a range nor a list", id="no space"
        ),
        pytest.param(
            ["run", "--", "python3", "t.py", "{x}"],
            "give --param x=SPACE for what stands in {x}",
            id="a command without parameters",
        ),
        pytest.param(["get", "nope"], "no experiment is called nope", id="unknown experiment"),
        pytest.param(["best", "nope"], "no experiment is called nope", id="best of nothing"),
        pytest.param(["logs", "nope"], "no experiment is called nope", id="logs of nothing"),
        pytest.param(["algorithms", "tpee"], "did you mean tpe?", id="unknown algorithm"),
        pytest.param(["wait", "x", "--timeout", "soon"], "soon is not a duration", id="bad time"),
        pytest.param(["frobnicate"], "No such command 'frobnicate'", id="unknown command"),
        pytest.param(["render", "no.yaml"], "cannot be read", id="render no file"),
        pytest.param(["resume", "nope"], "no experiment is called nope", id="resume nothing"),
        pytest.param(["delete", "nope", "-y"], "no experiment is called nope", id="delete nothing"),
        pytest.param(["completion", "tcsh"], "'bash', 'zsh', 'fish'", id="unknown shell"),
    ],
)
def test_wrong_words_are_refused(tunewright, words, says):
    result = tunewright(*words)

    assert (result.code, result.out) == (2, "")
    assert says.replace(": : ", ": ") in result.err.replace(": : ", ": ")
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("a: [1", "bad.yaml:", id="broken YAML"),
        pytest.param("", "the file is empty", id="empty"),
        pytest.param("- 1\n", "must be a mapping", id="a list"),
        pytest.param("kind: Pod\napiVersion: v1\n", "no Experiment", id="no experiment in it"),
        pytest.param("\x00", "bad.yaml", id="binary"),
    ],
)
def test_broken_files_are_refused(tunewright, tmp_path, text, says):
    (tmp_path / "bad.yaml").write_text(text)

    result = tunewright("validate", "bad.yaml")

    assert result.code == 2
    assert says in result.err


def test_all_faults_of_a_file_are_listed_with_line_path_and_remedy(tunewright, experiment):
    result = tunewright("validate", experiment(two_faults))

    lines = [line for line in result.err.splitlines() if "experiment.yaml:" in line]
    assert result.code == 2
    assert any("spec.maxTrialCount" in line for line in lines)
    assert any("spec.parameters[0].feasibleSpace" in line for line in lines)
    assert "2 errors" in result.err


def test_faults_are_values_for_programs(tunewright, experiment):
    result = tunewright("validate", experiment(no_metric), "-o", "json")

    assert result.code == 2
    assert result.json["valid"] is False
    fault = result.json["faults"][0]
    assert fault["path"] == "spec.objective.objectiveMetricName"
    assert fault["line"] > 0


@pytest.mark.parametrize(("limit", "is_remarked"), [(None, True), (3, True), (0, False)])
def test_a_job_that_starts_failed_pods_anew_is_remarked(tunewright, experiment, limit, is_remarked):
    def with_limit(document):
        document["spec"]["trialTemplate"]["trialSpec"]["spec"]["backoffLimit"] = limit

    result = tunewright("validate", experiment(with_limit), "--for", "cluster")

    assert ("backoffLimit: 0 ends a trial at its first failure" in result.err) is is_remarked


def test_a_template_that_lies_on_the_cluster_is_left_to_it(tunewright, experiment):
    there = {"configMapName": "t", "configMapNamespace": "kubeflow", "templatePath": "job.yaml"}

    def elsewhere(document):
        template = document["spec"]["trialTemplate"]
        del template["trialSpec"]
        conditions = {"successCondition": "status.done", "failureCondition": "status.failed"}
        template |= {"configMap": there, "primaryContainerName": "main", **conditions}

    assert tunewright("validate", experiment(elsewhere), "--for", "cluster").code == 0


def test_what_has_a_meaning_on_a_cluster_alone_is_named(tunewright, experiment):
    def on_a_cluster(document):
        document["spec"] |= {"trialServiceAccount": "trials", "ttlSecondsAfterFinished": 60}

    result = tunewright("validate", experiment(on_a_cluster), "--for", "laptop")

    assert result.code == 0
    assert "spec.trialServiceAccount has no effect here: there is no API server" in result.err
    assert "spec.ttlSecondsAfterFinished has no effect here" in result.err


def test_a_valid_file_says_what_it_is(tunewright, experiment):
    result = tunewright("validate", experiment())

    assert result.code == 0
    assert result.out == "echo: valid; 1 parameter, 3 trials, random\n"


def test_a_sample_of_output_shows_which_metrics_are_found(tunewright, experiment, tmp_path):
    (tmp_path / "good.log").write_text("loss=0.5\nloss=0.25\n")
    (tmp_path / "other.log").write_text("losss=0.5\n")

    good = tunewright("validate", experiment(), "--log", "good.log")
    other = tunewright("validate", experiment(), "--log", "other.log")

    assert good.code == 0
    assert "min 0.25" in good.out
    assert other.code == 2
    assert "loss is not in other.log" in other.err


def test_a_sample_of_output_may_be_piped_in(tunewright, experiment):
    file = experiment()

    good = tunewright("validate", file, "--log", "-", stdin="loss=0.5\nloss=0.25\n")
    other = tunewright("validate", file, "--log", "-", stdin="losss=0.5\n")
    twice = tunewright("validate", "-", "--log", "-", stdin=file.read_text())

    assert (good.code, "min 0.25" in good.out) == (0, True)
    assert (other.code, "loss is not in what was piped in" in other.err) == (2, True)
    piped_in = "the Experiment is piped in already (name a file)"
    assert (twice.code, piped_in in twice.err) == (2, True)


def test_an_unknown_setting_of_the_algorithm_is_refused(tunewright, experiment):
    def change(document):
        settings = [{"name": "randomstate", "value": "1"}]
        document["spec"]["algorithm"]["algorithmSettings"] = settings

    result = tunewright("validate", experiment(change))

    assert result.code == 2
    assert "did you mean random_state?" in result.err


def test_an_experiment_is_written_from_options(tunewright, tmp_path):
    words = ["--param", "x=0.0..1.0", "--minimize", "loss", "--print", "--", "train", "--x={x}"]

    printed = tunewright("run", *words)
    (tmp_path / "written.yaml").write_text(printed.out)

    assert printed.code == 0
    assert tunewright("validate", "written.yaml").code == 0
    assert tunewright("render", "written.yaml", "--set", "x=0.25").out == "train --x=0.25\n"


def test_options_that_are_printed_are_the_experiment_that_they_run(tunewright, tmp_path):
    searched = ["--param", "lr=log:1e-5..1e-1", "--param", "model=choice:1e3,08,y"]
    words = [*searched, "--minimize", "loss", "--trials", "1", "--name", "same"]
    command = ["--", "sh", "-c", "echo loss={lr}; : {model}"]

    (tmp_path / "same.yaml").write_text(tunewright("run", *words, "--print", *command).out)
    ran, found = tunewright("run", *words, *command), tunewright("run", "same.yaml")

    assert (ran.code, found.code) == (0, 0), found.err


def test_rendering_quotes_for_a_shell_and_fills_in_the_middle(tunewright, experiment):
    assert tunewright("render", experiment()).out == "sh -c 'echo loss=0.5'\n"


def test_rendering_a_template_without_a_command_points_at_its_manifest(tunewright, experiment):
    def change(document):
        template = document["spec"]["trialTemplate"]
        (container,) = template["trialSpec"]["spec"]["template"]["spec"]["containers"]
        del container["command"]
        container["env"] = [{"name": "X", "value": "${trialParameters.x}"}]

    shown = tunewright("render", experiment(change))

    assert (shown.code, shown.out) == (0, "X=0.5\n"), shown.err
    assert "-o yaml" in shown.err


@pytest.mark.parametrize(
    ("low", "high", "distribution"),
    [
        ("0.99999990", "0.99999999", "uniform"),
        ("1e-300", "1e-200", "logUniform"),
        ("1e200", "1e300", "logUniform"),
    ],
)
def test_the_middle_of_a_range_is_in_it_however_narrow_or_far_away_that_is(
    tunewright, experiment, low, high, distribution
):
    def change(document):
        space = {"min": low, "max": high, "distribution": distribution}
        document["spec"]["parameters"][0]["feasibleSpace"] = space

    tried = tunewright("try", experiment(change))
    assert tried.code == 0, tried.err


def test_rendering_an_architecture_search_shows_what_its_algorithm_says_first(
    tunewright, experiment
):
    sizes = {"name": "s", "parameterType": "categorical", "feasibleSpace": {"list": ["3", "5"]}}

    def change(document):
        spec = document["spec"]
        del spec["parameters"]
        spec["algorithm"] = {"algorithmName": "darts"}
        operation = {"operationType": "pooling", "parameters": [sizes]}
        spec["nasConfig"] = {"graphConfig": {"numLayers": 1}, "operations": [operation]}
        template = spec["trialTemplate"]
        template["trialParameters"] = [{"name": "space", "reference": "search-space"}]
        (container,) = template["trialSpec"]["spec"]["template"]["spec"]["containers"]
        container["command"] = ["train", '--space="${trialParameters.space}"']

    shown = tunewright("render", experiment(change))

    assert shlex.split(shown.out) == ["train", "--space=['pooling_3x3', 'pooling_5x5']"]


@pytest.mark.parametrize(
    ("assignment", "says"),
    [("y=1", "there is no parameter y"), ("x", "not an assignment"), ("x=2", "x may be [0, 1]")],
)
def test_a_point_outside_the_space_is_refused(tunewright, experiment, assignment, says):
    result = tunewright("render", experiment(), "--set", assignment)

    assert result.code == 2
    assert says in result.err


def test_init_asks_and_writes_an_experiment(tunewright, tmp_path):
    answers = "python train.py\nlr=log:1e-5..1e-1\nn=1..3\nn=int:1..3\n\nloss\nminimize\n10\n2\n"

    result = tunewright("init", "mine.yaml", stdin=answers)

    assert result.code == 0
    assert "write n=int:1..3" in result.err
    assert tunewright("render", "mine.yaml", "--set", "lr=0.01").out == (
        "python train.py --lr=0.01 --n=2\n"
    )
    assert tunewright("init", "mine.yaml").code == 2


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        pytest.param(["python 'train.py", "python train.py", "lr=0.1..1", ""], "quote", id="quote"),
        pytest.param(["train", "", "lr=0.1..1", ""], "at least one", id="no parameter"),
        pytest.param(["train", "lr=0.1..1", "lr=a,b", ""], "is given twice", id="twice"),
        pytest.param(["train", "lr=0.5..0.1", "lr=0.1..1", ""], "less than min", id="no range"),
        pytest.param(["train {lr}", "n=int:1..3", "", "lr=0.1..1", ""], "has {lr}", id="a field"),
        pytest.param(["train", "lr=0.1..1", "", " "], "objectiveMetricName", id="no metric"),
    ],
)
def test_init_asks_again_where_an_answer_cannot_be(tunewright, answers, says):
    result = tunewright(
        "init", "My.Exp.yaml", stdin="\n".join([*answers, "", "", "1", "3", "1", ""])
    )

    assert result.code == 0, result.err
    assert says in result.out + result.err
    assert tunewright("validate", "My.Exp.yaml").out.startswith("my-exp: valid")


def test_init_without_anybody_to_answer_says_what_does_without(tunewright):
    result = tunewright("init")

    assert (result.code, "`tunewright run --print`" in result.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--algorithm", "mine=localhost:6789"], "endpoint: localhost:6789"),
        (["--early-stopping", "rule=localhost:6790"], "endpoint: localhost:6790"),
    ],
)
def test_a_printed_experiment_has_the_address_of_its_plug_in(tunewright, words, says):
    given = ["--param", "x=0.0..1.0", "--minimize", "loss", *words, "--print"]

    assert says in tunewright("run", *given, "--", "train", "{x}").out


def test_another_algorithm_is_not_asked_at_the_address_of_a_files_plug_in(tunewright, experiment):
    def change(document):
        served = {"algorithmName": "mine", "endpoint": "localhost:1"}
        document["spec"] |= {"algorithm": served, "earlyStopping": served}

    given = ["--algorithm", "random", "--early-stopping", "medianstop"]
    result = tunewright("run", experiment(change), *given)

    assert result.code == 0, result.err
    assert tunewright("get", "echo", "-o", "json").json["trials"]["Succeeded"] == 3


def test_what_cannot_be_run_is_not_printed(tunewright):
    words = ["--param", "x=1.0..0.0", "--minimize", "loss", "--print", "--", "train", "{x}"]

    result = tunewright("run", *words)

    assert (result.code, result.out) == (2, "")


def test_a_reader_that_leaves_is_no_error(tunewright):
    process = tunewright.start("algorithms", "-o", "json")
    process.stdout.close()

    with process.stderr:
        assert process.stderr.read() == ""
    assert process.wait(30) in {0, 1}


def test_a_trial_that_is_tried_outlives_the_reader_of_its_output(tunewright, experiment):
    tried = tunewright.start("try", experiment())
    tried.stdout.close()

    with tried.stderr:
        said = tried.stderr.read()
    assert tried.wait(30) == 0
    assert "Traceback" not in said
    assert "its output cannot be written: Broken pipe" in said


def test_of_several_experiments_none_is_run_before_all_can_be(tunewright, experiment):
    def change(document):
        document["metadata"]["name"] = "second"
        document["spec"]["algorithm"] = {"algorithmName": "nonsense"}

    files = [experiment(), experiment(change, name="second.yaml")]
    result = tunewright("run", *files)

    assert (result.code, "unknown algorithm name nonsense" in result.err) == (2, True)
    assert tunewright("get", "-o", "json").json == []


def test_of_several_experiments_none_is_run_whose_name_another_has_taken(tunewright, experiment):
    def named(document):
        document["metadata"]["name"] = "second"

    def otherwise(document):
        named(document)
        document["spec"]["maxTrialCount"] = 1

    tunewright("run", experiment(named, "second.yaml"))
    result = tunewright("run", experiment(), experiment(otherwise, "second.yaml"))

    assert (result.code, "default/second exists with another spec" in result.err) == (2, True)
    assert [each["name"] for each in tunewright("get", "-o", "json").json] == ["second"]


@pytest.mark.parametrize("named", ["data", ""])
def test_a_folder_for_data_that_is_relative_says_nothing(tunewright, experiment, tmp_path, named):
    env = {"TUNEWRIGHT_HOME": "", "XDG_DATA_HOME": named}
    tunewright("run", experiment(), env=env)

    assert (tmp_path / ".local" / "share" / "tunewright" / "store.db").is_file()


def test_a_store_that_ends_in_a_slash_is_a_folder(tunewright, experiment, tmp_path):
    assert tunewright("run", experiment(), "--store", "new/").code == 0
    assert (tmp_path / "new" / "store.db").is_file()


def test_looking_makes_no_store(tunewright, tmp_path):
    usual, named = tunewright("get"), tunewright("get", "--store", "digit.db")

    assert (usual.code, "No experiments (store: " in usual.err) == (0, True)
    assert (named.code, f"there is no store at {tmp_path}/digit.db" in named.err) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_is_named_as_what_it_was(tunewright):
    words = ["run", "--param", "x=0.0..1.0", *FLAGS]
    typed = f"mkdir gone && cd gone && rmdir ../gone && {shlex.join([*COMMAND, *words])}"
    done = subprocess.run(
        ["sh", "-c", typed],
        env=tunewright.environ,
        cwd=tunewright.folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "the current folder no longer exists (cd to one that does)" in done.stderr


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        ("get >&-", 0, ""),
        ("validate - <&-", 2, "the file is empty"),
        ("init <&-", 2, "it asks, and nobody answers"),
    ],
)
def test_a_stream_that_is_closed_is_no_bug(tunewright, typed, code, said):
    done = subprocess.run(
        ["sh", "-c", f"{shlex.join(COMMAND)} {typed}"],
        cwd=tunewright.folder,
        env=tunewright.environ,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert done.returncode == code
    assert said in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-l", "team=w"], "No experiment is of -l team=w ("),
        (["-n", "zzz"], "No experiment is of -n zzz ("),
        (["-l", "team!=v"], "team!=v is not a label (write name=value"),
    ],
)
def test_what_leaves_all_experiments_out_is_said(tunewright, words, says):
    assert says in tunewright("get", *words).err


def test_a_home_that_cannot_be_made_is_named(tunewright, experiment, tmp_path):
    (tmp_path / "home").write_text("no folder")

    result = tunewright("run", experiment())

    assert result.code == 1
    assert str(tmp_path / "home") in result.err
    assert "Traceback" not in result.err


def test_an_account_without_a_home_is_told_what_to_name(monkeypatch, capsys):
    for name in ("HOME", "TUNEWRIGHT_HOME", "TUNEWRIGHT_STORE", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 54321)  # of nobody that the machine knows
    monkeypatch.setattr(sys, "argv", ["tunewright", "get"])

    assert guarded(cli) == 2
    assert "TUNEWRIGHT_HOME: this account has no home directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("can't start new thread"),
        BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"),
    ],
)
def test_what_the_machine_lacks_is_no_bug(capsys, error):
    assert code_of(error) == 1
    assert "raise their limit (ulimit -u)" in capsys.readouterr().err


def test_what_the_outputs_encoding_lacks_is_printed_as_its_number(monkeypatch):
    @click.command()
    def told():
        click.echo("größe → \udcff")

    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding="latin-1"))
    monkeypatch.setattr(sys, "argv", ["tunewright"])
    assert guarded(told) == 0
    assert printed.getvalue() == "größe \\u2192 \\udcff\n".encode("latin-1")


def test_a_store_of_an_unknown_kind_is_refused(tunewright):
    result = tunewright("get", "--store", "bogus://x")

    assert result.code in {1, 2}
    assert "bogus" in result.err
    assert "bug" not in result.err


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EIO, "check the disk"),
        (errno.ESTALE, "mount its file system again"),
        (errno.ENAMETOOLONG, "name a shorter one"),
        (errno.ELOOP, "mend the links"),
        (errno.EFBIG, "raise the limit of a file's size (ulimit -f)"),
    ],
)
def test_what_a_file_system_refuses_is_no_bug(number, remedy, capsys):
    assert code_of(OSError(number, os.strerror(number), "trials.csv")) == 1

    shown = capsys.readouterr().err
    assert f"error: trials.csv: {os.strerror(number)} ({remedy}" in shown


def test_a_store_behind_links_that_lead_in_a_circle_is_refused_with_a_remedy(tmp_path, tunewright):
    loop = tmp_path / "loop.db"
    loop.symlink_to(loop)

    options = ["--param", "x=1.0..2.0", "--minimize", "loss", "--store", str(loop)]
    said = tunewright("run", *options, "--", "echo", "loss={x}").err

    assert "loop.db" in said
    assert "mend the links, or choose another place" in said


def test_a_bug_is_one_line_and_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path))

    @click.command()
    def broken():
        raise RuntimeError("impossible")

    monkeypatch.setattr(sys, "argv", ["tunewright"])
    code = guarded(broken)

    shown = capsys.readouterr().err
    [log] = (tmp_path / "logs").iterdir()
    assert code == 1
    assert "this is a bug: RuntimeError: impossible" in shown
    assert "Traceback" not in shown
    assert str(log) in shown
    assert "Traceback" in log.read_text()
