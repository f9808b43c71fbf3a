"""Single turns over a real store, at times of the test's choosing."""

import pytest
from tunewright.api.history import Proposal, SearchState, Suggestion
from tunewright.api.identity import ExperimentKey
from tunewright.api.observation import Batch, Sample
from tunewright.api.states import TrialState
from tunewright.controller.effects import AskFor, StopAttempt, Suggested, Turn
from tunewright.controller.loading import Memory, TrialMemory
from tunewright.controller.plan import explain
from tunewright.controller.plan.view import EndReason
from tunewright.controller.turn import Turns
from tunewright.db.records import Usage
from tunewright.db.store import Store

SPEC = {
    "objective": {"type": "minimize", "objectiveMetricName": "loss"},
    "algorithm": {"algorithmName": "random"},
    "parallelTrialCount": 1,
    "maxTrialCount": 2,
    "parameters": [
        {"name": "x", "parameterType": "double", "feasibleSpace": {"min": "0", "max": "1"}}
    ],
    "trialPolicy": {"activeDeadlineSeconds": 60, "pendingDeadlineSeconds": 10},
    "trialTemplate": {
        "primaryContainerName": "main",
        "trialSpec": {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "spec": {
                "template": {
                    "spec": {"containers": [{"name": "main", "command": ["${trialParameters.x}"]}]}
                }
            },
        },
    },
}


def create(store: Store, **spec: object) -> str:
    document = {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": "turn"},
        "spec": {**SPEC, **spec},
    }
    key = ExperimentKey("default", "turn")
    return store.create_experiment(key, document, seed=1, workdir="/", now=1.0).uid


@pytest.fixture
def uid(store: Store) -> str:
    """An experiment whose first attempt is recorded as starting at 100."""
    uid = create(store)
    store.propose(uid, 0, [("turn-0", Proposal({"x": 0.5}))], made_from=0, now=90.0)
    store.start_attempt(uid, 0, 1, token="t", now=100.0)
    return uid


def end(
    store: Store,
    uid: str,
    at: float,
    attempt: int = 1,
    reason: EndReason = EndReason.STOPPED,
    message: str = "stopped",
) -> None:
    store.attempt_ended(
        uid, 0, attempt, exit_code=143, reason=reason, message=message, usage=Usage(), now=at
    )


def run(store: Store, uid: str) -> None:
    store.attempt_running(uid, 0, 1, pid=7, pid_started_at=1.0, now=101.0)


def test_a_trial_past_its_active_deadline_is_stopped_and_then_failed(store: Store, uid: str):
    turns, memory = Turns(store, uid), Memory()
    run(store, uid)
    turns.take([], memory, 102.0)
    assert turns.take([], memory, 159.0).wake_at == 160.0
    stopped = [
        effect
        for effect in turns.take([], memory, 161.0).effects
        if isinstance(effect, StopAttempt)
    ]
    assert [effect.ref.index for effect in stopped] == [0]
    end(store, uid, 165.0)
    turns.take([], memory, 165.0)
    trial = store.trial(uid, 0)
    assert (trial.state, trial.reason) == (TrialState.FAILED, "DeadlineExceeded")


def test_a_trial_that_could_not_start_in_time_fails(store: Store, uid: str):
    end(store, uid, 111.0)
    memory = Memory(trials={0: TrialMemory(waits_for="its image is not there")})
    Turns(store, uid).take([], memory, 111.0)
    trial = store.trial(uid, 0)
    assert (trial.state, trial.reason) == (TrialState.FAILED, "PendingDeadlineExceeded")
    assert trial.message.endswith("(10 s): its image is not there")


def test_an_interrupted_trial_that_ran_longer_than_a_start_may_take_runs_again(
    store: Store, uid: str
):
    run(store, uid)
    end(store, uid, 130.0)
    Turns(store, uid).take([], Memory(), 130.0)
    trial = store.trial(uid, 0)
    assert (trial.state, trial.reason, trial.retries) == (TrialState.CREATED, "Interrupted", 0)


def test_a_lost_trial_waits_by_its_losses_in_a_row_and_not_by_its_interruptions(
    store: Store, uid: str
):
    turns, memory, waited = Turns(store, uid), Memory(), []
    lost, stopped = EndReason.LOST, EndReason.STOPPED
    at = 101.0
    for attempt, reason in enumerate([stopped] * 5 + [lost] * 3 + [stopped, lost], start=1):
        end(store, uid, at, attempt, reason)
        turns.take([], memory, at)
        retry_at = store.trial(uid, 0).retry_at
        assert retry_at is not None
        waited.append(retry_at - at)
        at = retry_at + 1
        turns.take([], memory, at)
    assert waited == [0.0] * 5 + [0.0, 2.0, 4.0] + [0.0, 0.0]


def test_what_ended_an_attempt_is_said_while_the_next_one_waits(store: Store, uid: str):
    turns, memory = Turns(store, uid), Memory()
    for attempt, at in ((1, 101.0), (2, 103.0)):
        end(store, uid, at, attempt, EndReason.LOST, "Too many open files\nraise the limit")
        turns.take([], memory, at)
        turns.take([], memory, at + 1)
    waits = turns.take([], memory, 103.0).view
    assert "trial 0 is retried in 2 s: Too many open files" in explain(waits, 103.0)


def test_an_edit_that_would_make_the_document_wrong_is_refused_and_changes_nothing(
    store: Store, uid: str
):
    store.wish(uid, "edit", {"parallelTrialCount": -1}, now=101.0)
    turn = Turns(store, uid).take([], Memory(), 102.0)
    refused = [effect for effect in turn.effects if getattr(effect, "reason", "") == "WishRefused"]
    assert len(refused) == 1
    assert "parallelTrialCount" in refused[0].message
    assert store.view(uid).wishes == ()
    assert store.view(uid).experiment.document["spec"]["parallelTrialCount"] == 1


def test_a_refusal_is_an_event_that_other_processes_can_read(store: Store, uid: str):
    store.wish(uid, "trial-stop", {"index": 9}, now=101.0)
    Turns(store, uid).take([], Memory(), 102.0)
    assert [event.message for event in store.events(uid) if event.reason == "WishRefused"] == [
        "there is no such trial"
    ]


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        pytest.param("fly", {}, id="a verb that is not known"),
        pytest.param("trial-stop", {"index": "seven"}, id="an index that is no number"),
    ],
)
def test_a_wish_that_this_version_cannot_read_is_refused(
    store: Store, uid: str, verb: str, arguments: dict[str, object]
):
    store.wish(uid, verb, arguments, now=101.0)
    Turns(store, uid).take([], Memory(), 102.0)
    assert store.view(uid).wishes == ()
    (told,) = [event.message for event in store.events(uid) if event.reason == "WishRefused"]
    assert verb in told


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("objective.goal", 0.25),
        ("trialPolicy.retries", 2),
        ("stopWhen.noImprovement.trials", 9),
        ("maxDuration", "1h"),
    ],
)
def test_an_edit_reaches_what_lies_deep_and_leaves_the_rest(
    store: Store, uid: str, path: str, value: object
):
    store.wish(uid, "edit", {path: value}, now=101.0)
    turns, memory = Turns(store, uid), Memory()
    for now in (102.0, 103.0):
        turns.take([], memory, now)
    experiment = store.view(uid).experiment
    found: object = experiment.document["spec"]
    for step in path.split("."):
        assert isinstance(found, dict)
        found = found[step]
    assert found == value
    assert experiment.document["spec"]["objective"]["objectiveMetricName"] == "loss"
    assert experiment.version == 2
    assert store.view(uid).wishes == ()


def test_several_changes_of_the_document_are_made_in_one_turn(store: Store, uid: str):
    store.wish(uid, "pause", {}, now=101.0)
    store.wish(uid, "edit", {"maxTrialCount": 3}, now=101.0)
    Turns(store, uid).take([], Memory(), 102.0)
    experiment = store.view(uid).experiment
    assert experiment.suspended
    assert experiment.document["spec"]["suspend"] is True
    assert experiment.document["spec"]["maxTrialCount"] == 3


@pytest.mark.parametrize("between", [False, True], ids=["at once", "while trials are ending"])
def test_a_later_edit_is_not_undone_by_one_that_stops_trials(store: Store, uid: str, between: bool):
    turns, memory = Turns(store, uid), Memory()
    store.propose(uid, 1, [("turn-1", Proposal({"x": 0.75}))], made_from=1, now=90.0)
    store.start_attempt(uid, 1, 1, token="u", now=100.0)
    store.wish(uid, "edit", {"parallelTrialCount": 1, "maxTrialCount": 5, "now": True}, now=101.0)
    stops = 0
    for at in range(6):
        if at == 3 * between:
            store.wish(uid, "edit", {"parallelTrialCount": 2}, now=101.0)
        effects = turns.take([], memory, 102.0 + at).effects
        for stop in (each for each in effects if isinstance(each, StopAttempt)):
            memory.of(stop.ref.index).stopping = stop.grace
            stops += 1
    spec = store.view(uid).experiment.document["spec"]
    assert (spec["parallelTrialCount"], spec["maxTrialCount"], stops) == (2, 5, 1)
    assert store.view(uid).wishes == ()


def test_a_point_of_a_persons_own_grows_a_budget_that_is_used_up(store: Store, uid: str):
    store.propose(uid, 1, [("turn-1", Proposal({"x": 0.75}))], made_from=1, now=101.0)
    store.wish(uid, "trial-add", {"point": {"x": 0.25}}, now=101.0)
    Turns(store, uid).take([], Memory(), 102.0)
    assert store.view(uid).experiment.document["spec"]["maxTrialCount"] == 3
    assert store.trial(uid, 2).proposal.point == {"x": 0.25}


def test_what_a_plug_in_forgot_is_told_as_a_warning(store: Store, uid: str):
    turns, memory = Turns(store, uid), Memory()
    turns.take([], memory, 102.0)
    answer = Suggestion((Proposal({"x": 0.25}),), forgotten=7)
    turns.take([Suggested(1, 1, answer)], memory, 103.0)
    (told,) = [event for event in store.events(uid) if event.reason == "PluginForgot"]
    assert told.kind == "Warning"
    assert "it continues without 7 trials that it does not know" in told.message


def test_what_an_algorithm_says_of_its_answers_is_told_once(store: Store, uid: str):
    turns, memory = Turns(store, uid), Memory()
    turns.take([], memory, 102.0)
    for index, note in enumerate(["gp: it learns", "gp: it learns", "tpe: many run"], start=1):
        position = store.view(uid).experiment.totals.position
        answer = Suggestion((Proposal({"x": index / 8}),), note=note)
        turn = turns.take([Suggested(index, position, answer)], memory, 102.0 + index)
    told = [event for event in store.events(uid) if event.reason == "SuggestionNote"]
    assert [event.message for event in told] == ["gp: it learns", "tpe: many run"]
    assert turn.view.search.note == "tpe: many run"


def two_goals(store: Store, ends: list[tuple[float, float]]) -> str:
    """Return an experiment with goals for loss and memory, and trials that ended with these."""
    spec = {
        **SPEC,
        "objective": {"type": "minimize", "objectiveMetricName": "loss", "goal": 0.5},
        "objectives": [{"metric": "memory", "type": "minimize", "goal": 3}],
        "maxTrialCount": 9,
    }
    kind = {"apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment"}
    document = {**kind, "metadata": {"name": "turn"}, "spec": spec}
    key = ExperimentKey("default", "turn")
    uid = store.create_experiment(key, document, seed=1, workdir="/", now=1.0).uid
    for index, (loss, memory) in enumerate(ends):
        store.propose(uid, index, [(f"turn-{index}", Proposal({"x": 0.5}))], made_from=0, now=2.0)
        store.start_attempt(uid, index, 1, token=f"t{index}", now=3.0)
        store.attempt_running(uid, index, 1, pid=7, pid_started_at=1.0, now=4.0)
        samples = (Sample("loss", loss, 5.0), Sample("memory", memory, 5.0))
        store.record([Batch(uid, index, 1, "stdout", 0, samples)], now=5.0)
        store.attempt_ended(
            uid, index, 1, exit_code=0, reason="Completed", message="", usage=Usage(), now=6.0
        )
        store.finish_trial(uid, index, TrialState.SUCCEEDED, reason="", message="", now=7.0)
    return uid


def test_goals_that_a_trial_reached_before_a_crash_end_the_experiment(store: Store):
    uid = two_goals(store, [(0.1, 9.0), (0.4, 2.0), (0.3, 9.0)])
    Turns(store, uid).take([], Memory(), 8.0)
    assert store.view(uid).experiment.reason == "ExperimentGoalReached"


def test_a_trial_that_is_taken_out_reaches_no_goal(store: Store):
    """Two objectives, and the one trial that reached both goals is dropped."""
    uid = two_goals(store, [(0.1, 9.0), (0.4, 2.0)])
    store.drop_trial(uid, 1, now=7.5)
    Turns(store, uid).take([], Memory(), 8.0)
    assert store.view(uid).experiment.reason != "ExperimentGoalReached"


def searching(store: Store, rung: int) -> str:
    """Create an experiment whose algorithm has given a rung of points; all of them run."""
    uid = create(store, parallelTrialCount=rung, maxTrialCount=4 * rung, trialPolicy={})
    points = [(f"turn-{index}", Proposal({"x": 0.5})) for index in range(rung)]
    store.propose(uid, 0, points, made_from=0, now=90.0)
    Turns(store, uid).take([], Memory(), 95.0)
    return uid


def succeed(store: Store, uid: str, index: int, at: float) -> None:
    store.record([Batch(uid, index, 1, "s", 0, (Sample("loss", 1.0, at),))], now=at)
    store.finish_trial(uid, index, TrialState.SUCCEEDED, reason="r", message="", now=at)


def answer_to_wait(turn: Turn) -> Suggested:
    """Return the answer to the turn's question that there are no points yet."""
    [asked] = [effect for effect in turn.effects if isinstance(effect, AskFor)]
    return Suggested(asked.first_index, asked.position, Suggestion((), SearchState.WAIT))


def test_a_search_that_waits_for_the_end_of_one_trial_after_another_has_not_stalled(store: Store):
    uid = searching(store, rung=12)
    turns, memory = Turns(store, uid), Memory()
    for index in range(12):
        at = 100.0 + 100 * index
        succeed(store, uid, index, at)
        turns.take([answer_to_wait(turns.take([], memory, at))], memory, at)
    assert not store.view(uid).experiment.state.is_finished


def test_an_end_of_which_a_waiting_search_could_not_know_has_it_asked_at_once(store: Store):
    uid = searching(store, rung=2)
    turns, memory = Turns(store, uid), Memory()
    succeed(store, uid, 0, 100.0)
    answer = answer_to_wait(turns.take([], memory, 100.0))
    succeed(store, uid, 1, 100.0)
    asked = turns.take([answer], memory, 100.0).effects
    assert [type(effect) for effect in asked] == [AskFor]
