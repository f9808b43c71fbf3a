"""Experiments from the command line to their end, with real trials."""

import os
import signal
from pathlib import Path

import pytest
import yaml
from support.waiting import until

REPOSITORY = Path(__file__).parents[2]
FLAGS = ["--param", "x=0.0..1.0", "--minimize", "loss", "--algorithm", "random", "--seed", "1"]


def command(script):
    """Return a change of the experiment that runs this shell script in each trial."""

    def change(document):
        template = document["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]
        template["spec"]["containers"][0]["command"] = ["sh", "-c", script]

    return change


def test_a_file_runs_to_its_end_and_sums_up(tunewright, experiment):
    result = tunewright("run", experiment())

    best = tunewright("best", "echo", "-o", "json").json
    assert result.code == 0
    assert result.out.count("Succeeded loss=") == 3
    assert f"again: sh -c 'echo loss={best['parameters']['x']!r}'" in result.out
    assert "sh → " in result.err


def test_a_file_may_be_piped_in(tunewright, experiment):
    text = experiment().read_text()

    assert tunewright("validate", "-", stdin=text).out.startswith("echo: valid; ")
    assert tunewright("run", "-", stdin=text).code == 0
    assert tunewright("get", "echo", "-o", "json").json["state"] == "Succeeded"


def test_a_secret_that_is_piped_in_cannot_be_left_to_a_process_in_the_background(
    tunewright, experiment
):
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {key: value}\n"

    refused = tunewright("run", "-", "--detach", stdin=f"{experiment().read_text()}---\n{secret}")

    assert (refused.code, "cannot be kept (name a file)" in refused.err) == (2, True)


def test_the_same_file_again_shows_the_result_and_names_what_goes_on(tunewright, experiment):
    file = experiment()
    tunewright("run", file)

    again = tunewright("run", file)

    assert again.code == 0
    assert "best: loss" in again.out
    assert "--again" in again.err
    assert tunewright("trials", "echo", "-o", "json").json[-1]["index"] == 2


def test_another_spec_under_the_same_name_is_refused_with_the_difference(tunewright, experiment):
    tunewright("run", experiment())

    def change(document):
        document["spec"]["maxTrialCount"] = 5

    other = tunewright("run", experiment(change))

    assert other.code == 2
    assert "spec.maxTrialCount: 3 → 5" in other.err


def test_again_starts_a_new_one_beside_it(tunewright, experiment):
    file = experiment()
    tunewright("run", file)

    assert tunewright("run", file, "--again").code == 0
    assert [item["name"] for item in tunewright("get", "-o", "json").json] == ["echo-2", "echo"]


def test_a_raised_budget_goes_on_at_resume(tunewright, experiment):
    tunewright("run", experiment())

    assert tunewright("edit", "echo", "--trials", "5").code == 0
    assert tunewright("resume", "echo").code == 0
    assert tunewright("get", "echo", "-o", "json").json["trials"]["Succeeded"] == 5


def test_a_resume_with_nothing_left_to_spend_says_what_goes_on(tunewright, experiment):
    tunewright("run", experiment())

    resumed = tunewright("resume", "echo")

    assert (resumed.code, "raise maxTrialCount to continue" in resumed.err) == (2, True)
    assert tunewright("get", "echo", "-o", "json").json["trials"]["total"] == 3


def test_a_stopped_experiment_goes_on_at_resume_where_a_budget_is_left(
    tunewright, experiment, tmp_path
):
    waits = "echo x >> started; test -e go && echo loss=${trialParameters.x} || sleep 60"
    run = tunewright.start("run", experiment(command(waits)))
    until((tmp_path / "started").exists)
    tunewright("stop", "echo")
    run.communicate(timeout=30)
    (tmp_path / "go").touch()
    tunewright("edit", "echo", "--trials", "5")

    assert tunewright("resume", "echo").code == 0
    assert tunewright("get", "echo", "-o", "json").json["reason"] == "ExperimentMaxTrialsReached"


def test_a_command_without_a_file_runs(tunewright):
    result = tunewright(
        "run", *FLAGS, "--name", "mine", "--trials", "4", "--", "sh", "-c", "echo loss={x}"
    )

    assert result.code == 0
    assert tunewright("get", "mine", "-o", "json").json["trials"]["total"] == 4


def test_a_command_is_run_and_shown_with_the_dollar_signs_that_were_typed(tunewright):
    prints = "import sys; print(sys.argv[1], 'loss={x}')"

    result = tunewright(
        "run", *FLAGS, "--name", "m", "--trials", "1", "--", "python", "-c", prints, "$$ $$$(a)"
    )

    assert tunewright("logs", "m", "0").out.startswith("$$ $$$(a) loss=")
    assert "'$$ $$$(a)'" in result.out


@pytest.mark.parametrize("name", ["click", "random", "yaml", "json"])
def test_a_file_here_that_has_the_name_of_a_library_is_no_part_of_the_program(
    tunewright, experiment, tmp_path, name
):
    (tmp_path / f"{name}.py").write_text("raise RuntimeError")

    assert tunewright("run", experiment(), "--detach").code == 0
    assert tunewright("wait", "echo").code == 0


def test_a_dry_run_prints_commands_and_records_nothing(tunewright, experiment):
    result = tunewright("run", experiment(), "--dry-run")

    assert result.code == 0
    assert result.out.count("sh -c 'echo loss=") == 3
    assert tunewright("get", "-o", "json").json == []


def test_an_experiment_whose_trials_all_fail_ends_with_1_and_shows_the_first(
    tunewright, experiment
):
    result = tunewright(
        "run", experiment(command("echo no such data >&2; exit 3 # ${trialParameters.x}"))
    )

    assert result.code == 1
    assert "no such data" in result.out
    assert tunewright("get", "echo", "-o", "json").json["state"] == "Failed"


def test_a_program_that_is_not_here_is_refused_before_anything_is_recorded(tunewright, experiment):
    def change(document):
        template = document["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]
        template["spec"]["containers"][0]["command"] = ["no-such-program", "${trialParameters.x}"]

    result = tunewright("run", experiment(change))

    assert result.code == 2
    assert "no-such-program" in result.err
    assert tunewright("get", "-o", "json").json == []


def test_ctrl_c_ends_the_trials_and_resume_goes_on(tunewright, experiment, tmp_path):
    waits = "echo x >> started; test -e go && echo loss=${trialParameters.x} || sleep 60"
    run = tunewright.start("run", experiment(command(waits)))
    until((tmp_path / "started").exists)

    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=30)
    (tmp_path / "go").touch()
    resumed = tunewright("resume", "echo")

    assert run.returncode == 130, err
    assert "tunewright resume echo" in out
    assert resumed.code == 0
    assert tunewright("get", "echo", "-o", "json").json["trials"]["Succeeded"] == 3


def test_a_detached_run_is_driven_waited_for_and_stopped(tunewright, experiment, tmp_path):
    waits = "test -e go || sleep 60; echo loss=${trialParameters.x}"
    started = tunewright("run", experiment(command(waits)), "--detach")
    assert started.code == 0, started.err

    assert tunewright("wait", "echo", "--timeout", "1ms").code == 1
    assert tunewright("delete", "echo", "--yes").code == 2
    assert tunewright("stop", "echo").code == 0
    assert tunewright("wait", "echo", "--timeout", "30s").code in {0, 1}
    assert tunewright("get", "echo", "-o", "json").json["state"] == "Failed"  # without a value
    assert tunewright("delete", "echo", "--yes").code == 0


def test_a_detached_resume_is_past_the_end_of_before_when_it_returns(tunewright, experiment):
    file = experiment(command("sleep 60; echo loss=${trialParameters.x}"))
    file.write_text(file.read_text().replace("maxTrialCount: 3", "maxTrialCount: 99"))
    for begin in (["run", file], ["resume", "echo"]):
        assert tunewright(*begin, "--detach").code == 0
        assert tunewright("get", "echo", "-o", "json").json["reason"] != "ExperimentStopped"
        assert tunewright("stop", "echo").code == 0
        assert tunewright("wait", "echo", "--timeout", "60s").code in {0, 1}


def test_trials_that_never_began_use_up_no_budget(tunewright, experiment, tmp_path):
    waits = "echo x >> started; test -e go || sleep 60; echo loss=${trialParameters.x}"
    assert tunewright("run", experiment(command(waits)), "--detach").code == 0
    until((tmp_path / "started").exists)
    tunewright("stop", "echo")
    tunewright("wait", "echo")
    stopped = tunewright("get", "echo", "-o", "json").json["trials"]
    assert (stopped["finished"], stopped["Killed"]) == (1, 1)

    (tmp_path / "go").touch()
    assert tunewright("resume", "echo").code == 0
    resumed = tunewright("get", "echo", "-o", "json").json["trials"]
    assert (resumed["finished"], resumed["Killed"], resumed["Succeeded"]) == (3, 1, 2)


def test_a_resume_that_finds_the_budget_used_up_is_refused(tunewright, experiment, tmp_path):
    file = experiment(command("echo x >> started; sleep 60; echo loss=${trialParameters.x}"))
    file.write_text(file.read_text().replace("maxTrialCount: 3", "maxTrialCount: 1"))
    assert tunewright("run", file, "--detach").code == 0
    until((tmp_path / "started").exists)
    tunewright("stop", "echo")
    tunewright("wait", "echo")

    for words in ([], ["--detach"]):
        resumed = tunewright("resume", "echo", *words)
        assert (resumed.code, resumed.out) == (2, "")
        assert "maxTrialCount 1 is used up (killed trials: 1); raise it" in resumed.err


def test_an_edit_of_an_ended_experiment_says_whether_it_would_go_on(tunewright, experiment):
    tunewright("run", experiment(command("echo loss=${trialParameters.x}")))

    assert "echo stays ended: " in tunewright("edit", "echo", "--trials", "3").err
    assert (
        "`tunewright resume echo` continues it" in tunewright("edit", "echo", "--trials", "4").err
    )


def test_deleting_leaves_the_files_of_another_store_in_the_same_folder(
    tunewright, experiment, tmp_path
):
    for store in ("a.db", "b.db"):
        tunewright("run", experiment(), "--store", store)

    assert tunewright("delete", "echo", "--yes", "--store", "a.db").code == 0

    left = tunewright("trials", "echo", "-o", "json", "--store", "b.db").json
    folder = tmp_path / "trials" / "default" / "echo"
    assert {each.name for each in folder.iterdir()} == {trial["name"] for trial in left}
    assert tunewright("delete", "echo", "--yes", "--store", "b.db").code == 0
    assert not folder.exists()


def test_one_name_for_several_experiments_is_refused_before_any_runs(tunewright, experiment):
    def other(document):
        document["metadata"]["name"] = "other"

    refused = tunewright("run", experiment(), experiment(other, "other.yaml"), "--name", "mine")

    assert (refused.code, "--name: 2 experiments" in refused.err) == (2, True)
    assert tunewright("get", "-o", "json").json == []


def test_deleting_asks_and_without_an_answer_deletes_nothing(tunewright, experiment):
    tunewright("run", experiment(command("echo loss=${trialParameters.x}")))

    refused, unanswered = tunewright("delete", "echo", stdin="n\n"), tunewright("delete", "echo")
    assert (refused.code, unanswered.code) == (1, 2)
    assert "nobody answers (--yes deletes without asking)" in unanswered.err
    assert tunewright("delete", "echo", stdin="y\n").code == 0
    assert tunewright("get", "echo").code == 2


def test_two_engines_never_drive_one_experiment(tunewright, experiment, tmp_path):
    waits = (
        "echo x >> started; while ! test -e go; do sleep 0.05; done; echo loss=${trialParameters.x}"
    )
    file = experiment(command(waits))
    first = tunewright.start("run", file)
    until((tmp_path / "started").exists)

    second = tunewright.start("run", file)
    said = second.stderr.readline()
    (tmp_path / "go").touch()
    second.communicate(timeout=60)
    first.communicate(timeout=60)

    assert (first.returncode, second.returncode) == (0, 0)
    assert "is already running" in said
    assert (tmp_path / "started").read_text().count("x") == 3


def test_a_killed_engine_leaves_nothing_lost(tunewright, experiment, tmp_path):
    waits = "echo x >> started; test -e go && echo loss=${trialParameters.x} || sleep 60"
    run = tunewright.start("run", experiment(command(waits)))
    until((tmp_path / "started").exists)

    os.kill(run.pid, signal.SIGKILL)
    run.communicate(timeout=30)
    (tmp_path / "go").touch()

    assert tunewright("resume", "echo").code == 0
    assert tunewright("get", "echo", "-o", "json").json["trials"]["Succeeded"] == 3


def test_pause_and_resume_without_an_engine_change_the_document(tunewright, experiment, tmp_path):
    run = tunewright.start(
        "run", experiment(command("echo > started; sleep 60 # ${trialParameters.x}"))
    )
    until((tmp_path / "started").exists)
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=30)

    assert tunewright("pause", "echo").code == 0
    shown = tunewright("explain", "echo")
    assert "suspended" in shown.out
    assert "no engine is running it" in shown.out


def test_trying_runs_one_trial_that_counts_for_nothing(tunewright, experiment):
    result = tunewright("try", experiment(), "--set", "x=0.25")

    assert result.code == 0
    assert "loss=0.25" in result.out
    assert tunewright("get", "-o", "json").json == []


def architecture(document):
    """Search an architecture, of which each trial prints the number of layers."""
    command("echo loss=${trialParameters.layers}")(document)
    sizes = {"name": "s", "parameterType": "categorical", "feasibleSpace": {"list": ["3", "5"]}}
    operation = {"operationType": "pooling", "parameters": [sizes]}
    spec = document["spec"]
    del spec["parameters"]
    spec["algorithm"] = {"algorithmName": "darts"}
    spec["nasConfig"] = {"graphConfig": {"numLayers": 7}, "operations": [operation]}
    spec["trialTemplate"]["trialParameters"] = [{"name": "layers", "reference": "num-layers"}]


def test_trying_an_architecture_search_runs_what_its_algorithm_proposes_first(
    tunewright, experiment
):
    result = tunewright("try", experiment(architecture))

    assert result.code == 0, result.err
    assert "loss=7" in result.out


def test_an_objective_may_be_a_text_as_in_katibs_darts(tunewright, experiment):
    def change(document):
        command("echo 'Best-Genotype=Genotype(${trialParameters.x})'")(document)
        document["spec"]["objective"] = {
            "type": "maximize",
            "objectiveMetricName": "Best-Genotype",
        }
        document["spec"]["metricsCollectorSpec"] = {
            "collector": {"kind": "StdOut"},
            "source": {"filter": {"metricsFormat": [r"([\w-]+)=(Genotype.*)"]}},
        }

    ran = tunewright("run", experiment(change))
    assert ran.code == 0, ran.err

    best = tunewright("best", "echo", "-o", "json").json
    assert best["index"] == len(tunewright("trials", "echo", "-o", "json").json) - 1
    assert best["value"] == f"Genotype({best['parameters']['x']})"
    assert f"best: Best-Genotype = {best['value']}" in ran.out


def test_trying_a_command_without_the_metric_says_what_it_saw(tunewright, experiment):
    result = tunewright("try", experiment(command("echo losss=${trialParameters.x}")))

    assert result.code == 1
    assert "losss" in result.out


@pytest.mark.parametrize(
    ("file", "code", "says"),
    [
        ("missing/dir/x.csv", 1, "missing/dir/x.csv: No such file or directory (create its folder"),
        ("experiment.yaml/x.csv", 1, "experiment.yaml/x.csv: Not a directory (a part of the path"),
        ("x.xlsx", 2, ".xlsx is not a format (end it with .csv, .json, .parquet, or say --format)"),
    ],
)
def test_a_file_that_cannot_be_written_is_named(tunewright, experiment, file, code, says):
    tunewright("run", experiment())

    refused = tunewright("export", "echo", "-f", file)

    assert (refused.code, says in refused.err) == (code, True), refused.err


def test_a_metric_that_was_not_reported_is_named_with_those_that_were(tunewright, experiment):
    tunewright("run", experiment())

    refused = tunewright("metrics", "echo", "best", "--log", "--metric", "foo")

    assert (refused.code, "has no metric foo (there are loss)" in refused.err) == (2, True)


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_every_format_holds_every_trial(tunewright, experiment, tmp_path, kind):
    tunewright("run", experiment())

    result = tunewright("export", "echo", "-f", f"out.{kind}")

    assert result.code == 0
    data = (tmp_path / f"out.{kind}").read_bytes()
    if kind == "csv":
        assert len(data.splitlines()) == 4
    elif kind == "json":
        assert [row["index"] for row in yaml.safe_load(data)] == [0, 1, 2]
    else:
        assert data.startswith(b"PAR1")


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_every_format_holds_the_architectures_that_were_tried(
    tunewright, experiment, tmp_path, kind
):
    tunewright("run", experiment(architecture))

    result = tunewright("export", "echo", "-f", f"out.{kind}")

    assert result.code == 0, result.err
    assert b"param.num-layers" in (tmp_path / f"out.{kind}").read_bytes()


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_every_format_holds_whole_numbers_of_any_size(tunewright, experiment, tmp_path, kind):
    def change(document):
        (x,) = document["spec"]["parameters"]
        x["parameterType"] = "int"
        x["feasibleSpace"] = {"min": "1", "max": "1000000000000000000000000000000"}

    tunewright("run", experiment(change))

    result = tunewright("export", "echo", "-f", f"out.{kind}")

    assert (result.code, (tmp_path / f"out.{kind}").exists()) == (0, True), result.err


def test_what_is_shown_of_a_finished_experiment_agrees(tunewright, experiment):
    tunewright("run", experiment())

    best = tunewright("best", "echo", "-o", "json").json
    trials = tunewright("trials", "echo", "--sort", "value", "-o", "json").json
    one = tunewright("describe", "echo", "best", "-o", "json").json
    metrics = tunewright("metrics", "echo", "best", "-o", "json").json
    log = tunewright("logs", "echo", "best")

    assert trials[0]["index"] == best["index"] == one["index"] == metrics["trial"]
    assert one["attempts"][0]["exit_code"] == 0
    assert metrics["metrics"]["loss"]["count"] == 1
    assert log.out == f"loss={best['parameters']['x']!r}\n"
    assert "ExperimentMaxTrialsReached" in tunewright("describe", "echo").out
    assert "raise maxTrialCount" in tunewright("explain", "echo").out


def test_the_code_that_trials_ran_is_shown_with_them(tunewright, experiment, tmp_path):
    (tmp_path / "train.sh").write_text("echo loss=$1\n")
    run = experiment(command("sh train.sh ${trialParameters.x}"))

    assert tunewright("run", run).code == 0
    of_all = tunewright("describe", "echo", "-o", "json").json["code"]
    of_one = tunewright("describe", "echo", "last", "-o", "json").json["code"]

    assert of_all == of_one
    assert of_one["script"] == str(tmp_path / "train.sh")
    assert (
        f"train.sh (sha256 {of_one['digest'][:12]})" in tunewright("describe", "echo", "last").out
    )


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("best ec", "plain,echo\n"),
        ("best -n default ec", "plain,echo\n"),
        ("best -n elsewhere ec", "\n"),
        ("best default/ec", "plain,default/echo\n"),
        ("best elsewhere/ec", "\n"),
        ("trials ec", "plain,echo\n"),
        ("run ex", "file,ex\n"),
        ("get --store st", "file,st\n"),
    ],
)
def test_names_are_completed_from_the_store_and_files_by_the_shell(
    tunewright, experiment, typed, offered
):
    tunewright("run", experiment())
    words = ["tunewright", *typed.split()]
    asked = {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}

    result = tunewright(env={"_TUNEWRIGHT_COMPLETE": "bash_complete", **asked})

    assert result.out == offered


def test_pruning_keeps_results_and_the_end_of_what_was_printed(tunewright, experiment, tmp_path):
    tunewright("run", experiment())

    assert tunewright("prune", "--no-keep-best").code == 0
    assert list((tmp_path / "home/trials/default/echo").iterdir()) == []
    assert len(tunewright("trials", "echo", "-o", "json").json) == 3
    kept = tunewright("logs", "echo", "0")
    assert "was pruned" in kept.err
    assert kept.out.startswith("loss=0.")
    assert "wrote nothing" in tunewright("logs", "echo", "0", "--stderr").err


def test_a_dropped_trial_leaves_the_best_of_what_has_ended_at_once(tunewright, experiment):
    tunewright("run", experiment())
    before = tunewright("best", "echo", "-o", "json").json["index"]

    dropped = tunewright("trials", "drop", "echo", before)

    assert (dropped.out, dropped.err) == (f"Dropped trial {before} of echo.\n", "")
    assert tunewright("best", "echo", "-o", "json").json["index"] != before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("stop", "echo", "0"), "the trial has ended already"),
        (("retry", "echo", "0"), "raise its budget first"),
        (("add", "echo", "x=0.5"), "raise its budget first"),
    ],
)
def test_what_an_ended_experiment_cannot_do_is_refused_and_leaves_no_wish(
    tunewright, experiment, words, says
):
    tunewright("run", experiment())

    refused = tunewright("trials", *words)

    assert (refused.code, says in refused.err, refused.out) == (2, True, ""), refused
    assert "asked for" not in tunewright("explain", "echo").out


def test_a_point_that_is_added_to_a_raised_budget_waits_for_resume(tunewright, experiment):
    tunewright("run", experiment())
    tunewright("edit", "echo", "--trials", "4")

    added = tunewright("trials", "add", "echo", "x=0.5")

    assert "`tunewright resume echo` carries it out" in added.err
    tunewright("resume", "echo")
    trials = tunewright("trials", "echo", "-o", "json").json
    assert [trial["parameters"]["x"] for trial in trials][3:] == [0.5]


def test_the_shell_example_runs_as_it_is(tunewright):
    file = "examples/shell/experiment.yaml"

    assert tunewright("run", file, "--trials", "3", cwd=REPOSITORY).code == 0
