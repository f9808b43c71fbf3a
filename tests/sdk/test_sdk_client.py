"""What a client refuses and shows, and the equals of Katib's verbs."""

import re
import sys
from types import SimpleNamespace

import pytest
import tunewright
from support.asked import asked
from support.command import ROOT
from tunewright import Client, Conflict, Invalid, NotFound, TunewrightError
from tunewright.api.errors import StoreUnavailable, StoreUnwritable
from tunewright.api.identity import ExperimentKey
from tunewright.api.states import ExperimentState
from tunewright.sdk import commands
from tunewright.sdk.commands import CommandFailed, error_of
from tunewright.sdk.sources.waiting import wait_for_end

pytestmark = pytest.mark.timeout(120)

KATIB_VERBS = (
    *("create_experiment", "tune", "get_experiment", "list_experiments"),
    *("get_experiment_conditions", "is_experiment_created", "is_experiment_running"),
    *("is_experiment_restarting", "is_experiment_succeeded", "is_experiment_failed"),
    *("wait_for_experiment_condition", "edit_experiment_budget", "delete_experiment"),
    *("get_suggestion", "list_suggestions", "get_trial", "list_trials"),
    *("get_success_trial_details", "get_optimal_hyperparameters", "get_trial_metrics"),
    *("get_job_logs", "report_metrics"),
)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / ".types"))


@pytest.fixture
def client():
    with Client() as opened:
        yield opened


def test_every_verb_of_katib_s_client_has_its_equal():
    page = (ROOT / "docs" / "sdk.md").read_text(encoding="utf-8")
    equals = dict(re.findall(r"^\| `(\w+)` \| (`.+`) \|$", page, re.MULTILINE))
    assert set(equals) >= set(KATIB_VERBS)
    for verb in KATIB_VERBS:
        for name in re.findall(r"`(\w+)\(", equals[verb]):
            assert callable(getattr(Client, name, None) or getattr(tunewright, name)), verb


def test_the_equals_of_katib_s_verbs_do_what_those_do(client):
    experiment = client.create(asked(trials=3))
    for loss in (0.3, 0.1):
        experiment.tell(experiment.ask(), {"loss": loss, "val/accuracy": 1 - loss})
    experiment.tell(experiment.ask(), failed="the pump leaks")
    assert client.experiment("asked").state == "Succeeded"
    assert [trial.state for trial in client.trials("asked")] == ["Succeeded"] * 2 + ["Failed"]
    details = client.trials("asked", state="Succeeded")
    assert [(trial.name, trial.metrics["loss"]) for trial in details] == [
        (client.trial("asked", 0).name, 0.3),
        (client.trial("asked", 1).name, 0.1),
    ]
    assert client.best("asked").parameters == client.trial("asked", 1).parameters
    (sample,) = client.metrics("asked", 1, metric="val/accuracy")
    assert (sample.metric, sample.value, sample.step) == ("val/accuracy", 0.9, None)
    assert {"ExperimentRunning", "ExperimentMaxTrialsReached"} <= {
        event["reason"] for event in client.events("asked")
    }
    assert "max trial count has reached" in client.explain("asked")
    client.edit("asked", max_trials=5)
    assert client.experiment("asked").data["max_trials"] == 5
    assert experiment.ask().index == 3


def test_what_is_wrong_with_a_document_comes_as_faults(client):
    document = asked(maxTrialCount=0, objective={"type": "least", "objectiveMetricName": "loss"})
    with pytest.raises(Invalid) as caught:
        client.create(document)
    assert {fault.path for fault in caught.value.faults} == {
        "spec.maxTrialCount",
        "spec.objective.type",
    }
    assert all(fault.message for fault in caught.value.faults)


def test_what_is_not_there_is_not_found(client):
    client.create(asked())
    for call in (
        lambda: client.experiment("askd"),
        lambda: client.trial("asked", 7),
        lambda: client.best("asked"),
        lambda: client.delete("nothing"),
        lambda: client.resume("nothing"),
        lambda: client.stop("nothing"),
    ):
        with pytest.raises(NotFound):
            call()
    with pytest.raises(NotFound, match="did you mean asked"):
        client.experiment("askd")


def test_labels_and_a_note_are_written(client):
    client.create(asked())
    client.edit("asked", labels={"team": "vision", "kind": "try"}, note="no dropout")
    client.edit("asked", labels={"kind": None})
    data = client.experiment("asked").data
    assert (data["labels"], data["note"]) == ({"team": "vision"}, "no dropout")


def test_a_store_that_is_not_there_yet_holds_nothing_and_is_not_made(tmp_path):
    client = Client(store=tmp_path / "digit.db")
    assert client.experiments() == []
    with pytest.raises(NotFound, match=r"there is no store at .*digit\.db"):
        client.experiment("digits")
    assert list(tmp_path.iterdir()) == []


def test_what_waits_for_whoever_asks_is_warned_of(client):
    client.create(asked(trials=3))
    point = client.ask("asked")
    with pytest.warns(RuntimeWarning, match="when a point is asked for or told"):
        client.stop_trial("asked", point.index)
    assert client.ask("asked").index == point.index + 1
    assert client.trial("asked", point.index).state == "Killed"


def test_a_goal_is_set_and_taken_away(client):
    client.create(asked())
    client.edit("asked", goal=0.5)
    assert client.experiment("asked").data["objective"]["goal"] == 0.5
    client.edit("asked", goal="none")
    assert client.experiment("asked").data["objective"]["goal"] is None


class Left:
    """An experiment that nothing drives, and that somebody ends after a while."""

    def __init__(self, *, asked=False, ends_at=20.0, away=()):
        spec = {"askTell": {}} if asked else {}
        self._away = away
        self.now, self._spec, self._ends_at = 0.0, spec, ends_at
        self.records = self

    def experiment(self, key=None):
        if self.now in self._away:
            raise StoreUnavailable("the store does not answer")
        state = ExperimentState.SUCCEEDED if self.now >= self._ends_at else ExperimentState.RUNNING
        key = ExperimentKey("default", "left")
        return SimpleNamespace(key=key, state=state, document={"spec": self._spec})

    def is_driven(self, record):
        return False

    def rest(self, seconds):
        self.now += 0.5

    def waited(self, seconds=None):
        said = []
        ended = wait_for_end(self, self.experiment(), seconds, said.append, lambda: self.now)
        return ended.state, said


def test_whoever_waits_is_told_once_that_nothing_drives_it():
    remark = "No engine is running left: `tunewright resume left`."
    assert Left().waited() == ("Succeeded", [remark])
    assert Left().waited(6.0) == ("Running", [remark])
    assert Left(ends_at=4.0).waited() == ("Succeeded", [])
    assert Left(asked=True).waited() == ("Succeeded", [])


def test_a_store_that_is_away_ends_no_waiting():
    state, said = Left(asked=True, away=[3.0, 3.5, 7.0]).waited()
    assert (state, said) == ("Succeeded", ["Still waiting: the store does not answer"] * 2)


def test_an_edit_that_cannot_be_is_invalid(client):
    client.create(asked())
    with pytest.raises(Invalid, match=r"spec\.maxTrialCount"):
        client.edit("asked", max_trials=0)
    with pytest.raises(ValueError, match="nothing to change"):
        client.edit("asked")


@pytest.mark.parametrize(
    ("said", "kind", "text"),
    [
        ('note\n{"error": "Conflict", "message": "taken", "faults": []}\n', Conflict, "taken"),
        ('{"error": "StoreUnavailable", "message": "away", "faults": []}', TunewrightError, "away"),
        ('{"error": "Novelty", "message": "who knows", "faults": []}', CommandFailed, "who knows"),
        ("Usage: tunewright run\nno such option", CommandFailed, "no such option"),
        ("", CommandFailed, "`tunewright run` ended with 2"),
    ],
)
def test_what_a_command_ends_with_is_raised(said, kind, text):
    error = error_of(said, "run", 2)
    assert isinstance(error, kind)
    assert text in str(error)


def test_an_engine_that_cannot_go_on_is_no_experiment_that_failed(monkeypatch):
    told = '{"error": "StoreUnwritable", "message": "the disk is full", "faults": []}'
    program = "import sys; sys.stderr.write(sys.argv[1]); sys.exit(1)"
    monkeypatch.setattr(commands, "COMMAND", (sys.executable, "-c", program))

    with pytest.raises(StoreUnwritable, match="the disk is full"):
        commands.watch([told], lambda: None)
    assert commands.watch(["trial 0 Failed"], lambda: None) == 1


def test_a_state_that_is_none_is_told_which_there_are(client):
    with pytest.raises(ValueError, match="state 'zz' is none: name one of Created, Running, "):
        client.trials("none", state="zz")


def test_an_experiment_of_no_client_is_not_asked():
    data = dict.fromkeys(("name", "namespace", "state", "reason", "message"), "x")
    with pytest.raises(ValueError, match="came from no client"):
        tunewright.sdk.results.Experiment.read(data).ask()
