"""Wishes to an experiment that another process drives, each carried out by its engine."""

import pytest
from support.waiting import until

HELD = "touch at-$TUNEWRIGHT_TRIAL; until test -e go; do sleep 0.05; done; echo loss={x}"


class Driven:
    """An experiment whose trials wait until they are let go, and the engine that drives it."""

    def __init__(self, tunewright, folder):
        self._tunewright = tunewright
        self._folder = folder
        self.engine = tunewright.start(
            *("run", "--name", "held", "--param", "x=0.0..1.0", "--minimize", "loss"),
            *("--algorithm", "random", "--seed", "1", "--trials", "4", "--parallel", "2"),
            *("--", "sh", "-c", HELD),
        )

    def __call__(self, *words):
        result = self._tunewright(*words)
        assert result.code == 0, result.err
        return result.out

    def let_go(self):
        (self._folder / "go").touch()

    def ends(self):
        """Let the trials go and wait for the end; return the engine's exit code."""
        self.let_go()
        self.engine.communicate(timeout=60)
        return self.engine.returncode

    @property
    def trials(self):
        return self._tunewright("trials", "held", "-o", "json").json

    def states(self):
        return [trial["state"] for trial in self.trials]

    @property
    def started(self):
        return len(list(self._folder.glob("at-*")))


@pytest.fixture
def driven(tunewright, tmp_path):
    experiment = Driven(tunewright, tmp_path)
    until(lambda: experiment.started == 2)
    yield experiment
    experiment.engine.kill()
    experiment.engine.communicate()


def test_an_experiment_whose_engine_is_gone_is_shown_as_interrupted(driven):
    driven.engine.kill()
    driven.engine.wait()

    assert "Running (interrupted)" in driven("get", "held")
    assert "Running (interrupted)" in driven("describe", "held")
    driven("pause", "held")
    assert "Running (paused)" in driven("get", "held")


def test_what_was_paused_and_has_ended_is_no_longer_shown_as_paused(driven):
    driven("pause", "held")
    driven("stop", "held")
    driven.ends()

    assert "(paused)" not in driven("get", "held")
    assert "(paused)" not in driven("describe", "held")


def running(driven):
    return driven.states().count("Running")


def test_a_pause_lets_what_runs_finish_and_starts_nothing(driven):
    driven("pause", "held")
    driven.let_go()
    until(lambda: running(driven) == 0)

    assert driven.states().count("Succeeded") == driven.started == 2
    assert "suspended" in driven("explain", "held")
    driven("resume", "held", "--detach")
    assert driven.ends() == 0
    assert driven.started == 4


def test_a_pause_at_once_runs_the_same_points_again(driven):
    before = [trial["parameters"] for trial in driven.trials]
    driven("pause", "held", "--now")
    until(lambda: running(driven) == 0)

    driven("resume", "held", "--detach")
    assert driven.ends() == 0
    assert [trial["parameters"] for trial in driven.trials][: len(before)] == before
    assert driven.states() == ["Succeeded"] * 4


def test_a_stopped_trial_is_killed_and_the_next_one_starts(driven):
    driven("trials", "stop", "held", "0")
    until(lambda: driven.started == 3)

    assert driven.states()[0] == "Killed"
    assert driven.ends() == 0
    assert driven.states() == ["Killed", "Succeeded", "Succeeded", "Succeeded"]


def test_a_running_trial_is_retried_as_its_next_attempt(driven, tunewright):
    driven("trials", "retry", "held", "1")
    until(lambda: len(tunewright("describe", "held", "1", "-o", "json").json["attempts"]) == 2)

    assert driven.ends() == 0
    assert driven.states() == ["Succeeded"] * 4


def test_a_point_of_ones_own_runs_beside_the_search(driven):
    driven("trials", "add", "held", "x=0.125")

    assert driven.ends() == 0
    assert driven.states() == ["Succeeded"] * 5
    assert 0.125 in [trial["parameters"]["x"] for trial in driven.trials]


def test_what_the_engine_refuses_is_told_to_whoever_asked(driven, tunewright):
    refused = tunewright("edit", "held", "--trials", "1")

    assert refused.code == 2
    assert "parallelTrialCount" in refused.err


def test_a_budget_below_the_trials_that_have_started_is_refused(driven, tunewright):
    refused = tunewright("edit", "held", "--trials", "1", "--parallel", "1")

    assert refused.code == 2
    assert (
        "spec.maxTrialCount: must not be lowered below the 2 trials started so far" in refused.err
    )
    assert driven.started == 2


def test_a_budget_is_raised_while_it_runs(driven):
    driven("edit", "held", "--trials", "6", "--parallel", "3")
    until(lambda: driven.started == 3)

    assert driven.ends() == 0
    assert driven.states() == ["Succeeded"] * 6


def test_more_at_once_than_the_raised_budget_means_all_of_it(driven):
    changed = driven("edit", "held", "--trials", "6", "--parallel", "9")

    assert "maxTrialCount 6, parallelTrialCount 6" in changed


def test_labels_and_a_note_are_written_while_it_runs_and_after(driven, tunewright):
    driven("edit", "held", "--label", "team=vision", "--label", "kind=try", "--note", "no dropout")
    until(lambda: "no dropout" in driven("describe", "held"))
    assert driven.ends() == 0

    driven("edit", "held", "--label", "kind-")
    told = tunewright("get", "held", "-o", "json").json
    assert (told["labels"], told["note"]) == ({"team": "vision"}, "no dropout")
    assert "held" in driven("get", "-l", "team=vision")
    assert "held" not in driven("get", "-l", "team=audio", "-o", "json")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--label", "team"), "write name=value"),
        (("--label", "a b=c"), "cannot name a label"),
        (("--label", "team=a b"), "cannot be the value of team"),
        (("--note", "x" * 8193), "8,192 at most"),
    ],
)
def test_a_label_or_note_that_cannot_be_is_refused(driven, tunewright, words, said):
    refused = tunewright("edit", "held", *words)
    assert (refused.code, said in refused.err) == (2, True), refused.err


def test_a_goal_is_set_while_it_runs(driven):
    driven("edit", "held", "--goal", "1")

    assert driven.ends() == 0
    assert "ExperimentGoalReached" in driven("describe", "held")


def test_a_goal_is_taken_away_while_it_runs(driven):
    driven("edit", "held", "--goal", "1")
    until(lambda: "goal 1" in driven("describe", "held"))
    assert driven("edit", "held", "--goal", "none") == "held: objective.goal none.\n"

    assert driven.ends() == 0
    assert "ExperimentMaxTrialsReached" in driven("describe", "held")


def test_fewer_at_once_leave_alone_what_runs_until_asked(driven):
    driven("edit", "held", "--parallel", "1")
    until(lambda: "1 at once" in driven("describe", "held"))
    assert running(driven) == 2

    driven("edit", "held", "--parallel", "1", "--now")
    until(lambda: running(driven) == 1)
    assert driven.ends() == 0
    assert driven.states() == ["Succeeded"] * 4


def test_a_value_out_of_the_space_is_refused_by_its_name(driven, tunewright):
    refused = tunewright("trials", "add", "held", "x=7")

    assert refused.code == 2
    assert "x" in refused.err
    assert "Traceback" not in refused.err
