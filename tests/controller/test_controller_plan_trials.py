"""What becomes of trials, and what is started and asked for: one row a story."""

from dataclasses import replace

import pytest
from support.views import (
    NOW,
    POLICY,
    counted,
    ended,
    kinds,
    running,
    starting,
    view,
    waiting,
)
from tunewright.api.history import SearchState
from tunewright.api.moments import written
from tunewright.api.policy import OnLost, Policy
from tunewright.api.states import TrialState
from tunewright.controller.plan import explain, plan
from tunewright.controller.plan.actions import (
    AddTrial,
    Adopt,
    Answer,
    ApplyEdit,
    Ask,
    Finish,
    ProposeInitial,
    RaiseBudget,
    Repeat,
    Start,
    Stop,
    Suspend,
)
from tunewright.controller.plan.view import (
    EndReason,
    Exit,
    InitialTrial,
    Leaving,
    Search,
    TrialView,
    Verb,
    View,
    Wish,
)

DEADLINES = replace(POLICY, active_deadline=60.0, pending_deadline=60.0)
RETRYING = replace(POLICY, retries=3, backoff_seconds=10.0)
ON_LOST_FAIL = replace(POLICY, on_lost=OnLost.FAIL)
THRICE = replace(POLICY, repeats=3)


def first(seen: View) -> object:
    """Return the first thing that is decided."""
    return plan(seen, NOW).actions[0]


@pytest.mark.parametrize(
    ("trial", "policy", "state", "reason"),
    [
        pytest.param(ended(0, value=0.5), POLICY, "Succeeded", "TrialSucceeded", id="a value"),
        pytest.param(
            ended(0, value=float("nan")), POLICY, "Succeeded", "TrialSucceeded", id="NaN is one"
        ),
        pytest.param(
            ended(0, value=0.5, broken="memory 9 is more than 3"), POLICY,
            "Succeeded", "ConstraintBroken", id="a value, with a constraint broken",
        ),
        pytest.param(ended(0), POLICY, "MetricsUnavailable", "MetricsUnavailable", id="no value"),
        pytest.param(
            ended(0, metrics_open=True, exit=Exit(EndReason.COMPLETED, at=969.0)), POLICY,
            "MetricsUnavailable", "MetricsUnavailable", id="none came within the grace",
        ),
        pytest.param(ended(0, EndReason.FAILED), POLICY, "Failed", "TrialFailed", id="own exit"),
        pytest.param(
            ended(0, EndReason.FAILED, value=0.5), POLICY, "Failed", "TrialFailed",
            id="its own exit in spite of a value",
        ),
        pytest.param(
            ended(0, EndReason.OUT_OF_MEMORY), POLICY, "Failed", "OutOfMemory", id="out of memory"
        ),
        pytest.param(
            ended(0, EndReason.REFUSED), RETRYING, "Failed", "TrialRefused", id="it cannot run here"
        ),
        pytest.param(
            ended(0, EndReason.FAILED, retries=3), RETRYING, "Failed", "TrialFailed",
            id="its retries are used up",
        ),
        pytest.param(
            ended(0, EndReason.LOST), ON_LOST_FAIL, "Failed", "TrialLost", id="lost, and that fails"
        ),
        pytest.param(
            ended(0, EndReason.STOPPED), DEADLINES, "Failed", "DeadlineExceeded", id="too long"
        ),
        pytest.param(
            ended(0, EndReason.STOPPED, running_at=None), DEADLINES,
            "Failed", "PendingDeadlineExceeded", id="it never ran",
        ),
        pytest.param(
            ended(0, EndReason.STOPPED, value=0.5, early_stop="hopeless"), POLICY,
            "EarlyStopped", "TrialEarlyStopped", id="stopped early",
        ),
        pytest.param(
            ended(0, value=0.5, early_stop="hopeless"), POLICY,
            "EarlyStopped", "TrialEarlyStopped", id="it ended by itself before the stop came",
        ),
        pytest.param(
            ended(0, value=0.5, completed=2), THRICE, "Succeeded", "TrialSucceeded",
            id="the last of its runs",
        ),
    ],
)  # fmt: skip
def test_an_attempt_that_is_the_last_ends_its_trial_with_state_and_reason(
    trial: TrialView, policy: Policy, state: str, reason: str
):
    end = first(view(trial, policy=policy))
    assert isinstance(end, Finish)
    assert (str(end.state), end.reason) == (state, reason)


@pytest.mark.parametrize(
    ("trial", "policy", "counted_", "at", "reason"),
    [
        pytest.param(
            ended(0, EndReason.FAILED), RETRYING, True, 1000.0, "Retrying", id="the first retry"
        ),
        pytest.param(
            ended(0, EndReason.FAILED, retries=1), RETRYING, True, 1010.0, "Retrying",
            id="the second waits twice as long",
        ),
        pytest.param(
            ended(0, EndReason.FAILED, retries=2),
            replace(RETRYING, backoff_seconds=200.0), True, 1290.0, "Retrying",
            id="no pause is longer than five minutes",
        ),
        pytest.param(
            ended(0, EndReason.FAILED, retries=5000), replace(RETRYING, retries=9999),
            True, 1290.0, "Retrying", id="it fails without end",
        ),
        pytest.param(
            ended(0, EndReason.LOST, losses=5000), POLICY, False, 1290.0, "LostRetrying",
            id="lost without end",
        ),
        pytest.param(
            ended(0, EndReason.LOST), POLICY, False, 990.0, "LostRetrying", id="lost: at once"
        ),
        pytest.param(
            ended(0, EndReason.LOST, losses=3), POLICY, False, 998.0, "LostRetrying",
            id="lost again and again: slower",
        ),
        pytest.param(
            ended(0, EndReason.LOST, attempt=9), POLICY, False, 990.0, "LostRetrying",
            id="lost once after pauses and restarts: at once",
        ),
        pytest.param(
            ended(0, EndReason.STOPPED), POLICY, False, NOW, "Interrupted", id="its engine left"
        ),
        pytest.param(
            ended(0, value=0.5, completed=1), THRICE, False, NOW, "Repeating", id="a run is left"
        ),
    ],
)  # fmt: skip
def test_an_attempt_that_is_not_the_last_is_followed_by_another(
    trial: TrialView, policy: Policy, counted_: bool, at: float, reason: str
):
    again = first(view(trial, policy=policy))
    assert isinstance(again, Repeat)
    assert (again.counted, again.at, again.reason) == (counted_, at, reason)


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(view(ended(0, metrics_open=True)), id="metrics may still come"),
        pytest.param(
            view(ended(0, metrics_open=True, last_sign_at=971.0)), id="the reporter was just heard"
        ),
    ],
)
def test_late_metrics_are_waited_for(seen: View):
    assert [kind for kind in kinds(plan(seen, NOW).actions) if kind != "Ask"] == []


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(view(running(0, early_stop="hopeless")), id="it is hopeless"),
        pytest.param(view(running(0), policy=DEADLINES), id="it ran too long"),
        pytest.param(view(starting(0), policy=DEADLINES), id="it cannot start"),
        pytest.param(view(running(0), wishes=(Wish(1, Verb.TRIAL_STOP, 0),)), id="a wish"),
        pytest.param(view(running(0), wishes=(Wish(1, Verb.TRIAL_DROP, 0),)), id="it is dropped"),
        pytest.param(
            view(running(0), wishes=(Wish(1, Verb.TRIAL_RETRY, 0),)), id="it is to run again"
        ),
        pytest.param(
            view(running(0), wishes=(Wish(1, Verb.PAUSE, now=True),)), id="a pause at once"
        ),
    ],
)
def test_its_workload_is_asked_to_end(seen: View):
    stops = [action for action in plan(seen, NOW).actions if isinstance(action, Stop)]
    assert [(stop.index, stop.attempt) for stop in stops] == [(0, 1)]


def test_a_workload_is_asked_once():
    asked = view(running(0, early_stop="hopeless", stopping=30.0))
    assert not [action for action in plan(asked, NOW).actions if isinstance(action, Stop)]


LOWER = replace(POLICY, parallel=1)


def starts(seen: View) -> list[tuple[int, int]]:
    actions = plan(seen, NOW).actions
    return [(each.index, each.attempt) for each in actions if isinstance(each, Start)]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(view(waiting(0), waiting(1), waiting(2)), [(0, 1), (1, 1)], id="free slots"),
        pytest.param(view(running(0), waiting(1), waiting(2)), [(1, 1)], id="one is taken"),
        pytest.param(view(starting(0), running(1), waiting(2)), [], id="all are taken"),
        pytest.param(view(waiting(0, attempt=1, retry_at=NOW)), [(0, 2)], id="a retry is due"),
        pytest.param(view(waiting(0, attempt=1, retry_at=NOW + 1)), [], id="a retry is not due"),
        pytest.param(
            view(ended(0, EndReason.STOPPED), running(1), waiting(2)), [],
            id="what runs again at once keeps its slot",
        ),
        pytest.param(
            view(ended(0, value=1.0), running(1), waiting(2)), [(2, 1)],
            id="a trial that ends leaves its slot",
        ),
        pytest.param(view(running(0), running(1), policy=LOWER), [], id="more run than now may"),
        pytest.param(view(waiting(0), suspended=True), [], id="it is suspended"),
        pytest.param(view(waiting(0), wishes=(Wish(1, Verb.PAUSE),)), [], id="a pause is asked"),
        pytest.param(
            view(waiting(0), suspended=True, wishes=(Wish(1, Verb.RESUME),)), [(0, 1)],
            id="a pause is taken back",
        ),
        pytest.param(
            view(waiting(0), wishes=(Wish(1, Verb.EDIT),)), [], id="an edit is to be written first"
        ),
        pytest.param(
            view(waiting(0), search=Search(state=SearchState.EXHAUSTED)), [(0, 1)],
            id="it has a point, although there are no more",
        ),
        pytest.param(
            view(waiting(0, attempt=1, retry_at=NOW), search=Search(failure="gone")), [(0, 2)],
            id="a retry is due, although the search cannot go on",
        ),
        pytest.param(
            view(waiting(0), wishes=(Wish(1, Verb.STOP),)), [], id="a person ends the experiment"
        ),
    ],
)  # fmt: skip
def test_what_is_started(seen: View, expected: list[tuple[int, int]]):
    assert starts(seen) == expected


WAITS = Search(state=SearchState.WAIT, waits=1, waited_at=3, retry_at=NOW + 5)


def search(search: Search, *trials: TrialView, finished: int = 3, policy: Policy = POLICY) -> View:
    counts = counted(finished + len(trials), succeeded=finished, observed=finished)
    return view(*trials, search=search, counts=counts, policy=policy)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(search(Search()), Ask(3, 2), id="as many as there are slots"),
        pytest.param(search(Search(), running(3)), Ask(4, 1), id="one slot is taken"),
        pytest.param(search(Search(), running(3), running(4)), None, id="no slot is free"),
        pytest.param(search(Search(ahead=4), running(3), running(4)), Ask(5, 4), id="ahead"),
        pytest.param(search(Search(), finished=9), Ask(9, 1), id="no more than the budget"),
        pytest.param(
            view(counts=replace(counted(14, succeeded=9), unbegun=5)), Ask(14, 1),
            id="those that never began used up none of it",
        ),
        pytest.param(search(Search(asking=1)), None, id="it is being asked"),
        pytest.param(search(Search(retry_at=NOW + 1)), None, id="its service is away"),
        pytest.param(search(Search(retry_at=NOW)), Ask(3, 2), id="its service is tried again"),
        pytest.param(search(WAITS, running(3)), None, id="it waits for what runs"),
        pytest.param(
            search(WAITS, running(4), finished=4), Ask(5, 1), id="a trial ended: asked at once"
        ),
        pytest.param(
            search(replace(WAITS, trouble="away"), running(4), finished=4), None,
            id="a trial ended while its service is away",
        ),
        pytest.param(search(replace(WAITS, retry_at=NOW)), Ask(3, 2), id="it waits for nothing"),
        pytest.param(search(Search(state=SearchState.EXHAUSTED), running(3)), None, id="no more"),
    ],
)  # fmt: skip
def test_what_is_asked_of_the_algorithm(seen: View, expected: Ask | None):
    asked = [action for action in plan(seen, NOW).actions if isinstance(action, Ask)]
    assert asked == ([expected] if expected else [])


OWN = (InitialTrial({"x": 1}), InitialTrial({"x": 2}, (("loss", 0.5),)), InitialTrial({"x": 3}))


def test_the_file_s_own_points_come_before_the_algorithm_is_asked():
    assert plan(view(initial=OWN), NOW).actions == (ProposeInitial(0, 3),)


def test_a_budget_of_one_takes_one_of_them_and_what_is_known_besides():
    one = replace(POLICY, max_trials=1)
    assert plan(view(initial=OWN, policy=one), NOW).actions == (ProposeInitial(0, 2),)


def test_a_known_result_is_adopted_and_not_run():
    seen = view(waiting(1), initial=OWN, counts=counted(3))
    assert isinstance(first(seen), Adopt)
    assert starts(seen) == []


FULL = counted(10, succeeded=8, observed=8)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(
            view(wishes=(Wish(1, Verb.PAUSE),)), (Suspend(suspended=True), Answer(1)), id="pause"
        ),
        pytest.param(
            view(running(0), wishes=(Wish(1, Verb.PAUSE, now=True),)), (Suspend(suspended=True),),
            id="a pause at once is fulfilled when nothing runs",
        ),
        pytest.param(view(wishes=(Wish(1, Verb.EDIT),)), (ApplyEdit(1), Answer(1)), id="edit"),
        pytest.param(
            view(wishes=(Wish(7, Verb.TRIAL_ADD),), counts=counted(3)), (AddTrial(7, 3), Answer(7)),
            id="a point of one's own",
        ),
        pytest.param(
            view(running(8), running(9), wishes=(Wish(7, Verb.TRIAL_ADD),), counts=FULL),
            (RaiseBudget(11), AddTrial(7, 10), Answer(7)), id="a budget grows with it",
        ),
        pytest.param(
            view(running(8), running(9), wishes=(Wish(7, Verb.TRIAL_RETRY, 3),), counts=FULL),
            (RaiseBudget(11), AddTrial(7, 10), Answer(7)), id="an ended trial runs as a new one",
        ),
        pytest.param(
            view(ended(0, metrics_open=True), wishes=(Wish(7, Verb.TRIAL_RETRY, 0),)), (),
            id="how it ended is open: whether it runs again is, too",
        ),
        pytest.param(
            view(wishes=(Wish(1, Verb.TRIAL_STOP, 5),), counts=counted(3, killed=3)),
            (Answer(1, "there is no such trial"),), id="no such trial",
        ),
        pytest.param(
            view(wishes=(Wish(1, Verb.TRIAL_STOP, 1),), counts=counted(3, succeeded=3, observed=3)),
            (Answer(1, "the trial has ended already"),), id="too late",
        ),
    ],
)  # fmt: skip
def test_what_a_wish_leads_to(seen: View, expected: tuple[object, ...]):
    of_trials = Ask | Start | Stop
    decided = plan(seen, NOW).actions
    assert tuple(action for action in decided if not isinstance(action, of_trials)) == expected


def test_fewer_at_once_stop_the_newest_only_when_asked():
    edit = Wish(1, Verb.EDIT, applied=True)
    left = plan(view(running(0), running(1), policy=LOWER, wishes=(edit,)), NOW)
    assert kinds(left.actions) == ["Answer"]
    asked = plan(view(running(0), running(1), policy=LOWER, wishes=(replace(edit, now=True),)), NOW)
    stop, answer = asked.actions
    assert (isinstance(stop, Stop) and stop.index, answer) == (1, Answer(1))


def test_a_trial_that_a_person_stopped_is_killed():
    seen = view(ended(0, EndReason.STOPPED), wishes=(Wish(1, Verb.TRIAL_STOP, 0),))
    end = first(seen)
    assert isinstance(end, Finish)
    assert (end.state, end.reason) == (TrialState.KILLED, "TrialKilled")


@pytest.mark.parametrize(("count", "end"), [(2, "seen: m0, m1"), (5000, ", m19 and 4980 more")])
def test_of_the_metrics_that_were_seen_instead_a_few_are_named(count: int, end: str):
    finished = first(view(ended(0, metrics_seen=tuple(f"m{n}" for n in range(count)))))
    assert isinstance(finished, Finish)
    assert finished.message.endswith(end)


@pytest.mark.parametrize(
    ("seen", "lines"),
    [
        pytest.param(
            view(running(0), waiting(1), waiting(2)),
            ["1 of 2 slots in use", "trial 1 is about to start", "trial 2 waits for a slot"],
            id="there are slots for some",
        ),
        pytest.param(
            view(waiting(0), suspended=True),
            [
                "suspended: no trial starts until `tunewright resume`",
                "trial 0 runs at the next `tunewright resume`",
            ],
            id="it is paused",
        ),
        pytest.param(
            view(waiting(0), leaving=Leaving.GENTLY),
            [
                "the engine is shutting down: 0 running trials to end within the grace",
                "trial 0 runs at the next `tunewright resume`",
            ],
            id="its engine leaves",
        ),
        pytest.param(
            view(waiting(0, retry_at=NOW + 0.2)),
            ["0 of 2 slots in use", "trial 0 is retried in 1 s"],
            id="it is to be tried again in a moment",
        ),
        pytest.param(
            view(search=Search(trouble="it is away", retry_at=NOW + 0.2)),
            [
                "0 of 2 slots in use",
                "the algorithm does not answer: it is away; asked again in 1 s",
            ],
            id="its algorithm is asked in a moment",
        ),
        pytest.param(
            view(search=Search(trouble="it is away", retry_at=NOW)),
            ["0 of 2 slots in use", "the algorithm does not answer: it is away; asked again now"],
            id="its algorithm is asked now",
        ),
        pytest.param(
            view(search=Search(trouble="it is away", retry_at=NOW - 1.0, asking=2)),
            ["0 of 2 slots in use", "the algorithm does not answer: it is away; asked again now"],
            id="its algorithm is being asked anew",
        ),
        pytest.param(
            view(running(0), search=Search(state=SearchState.WAIT, waits=1, waited_at=0)),
            [
                "1 of 2 slots in use",
                "the algorithm waits for a running trial to end before it gives more points",
            ],
            id="its algorithm waits for a trial",
        ),
        pytest.param(
            view(search=Search(state=SearchState.WAIT, waits=3, waited_at=0, retry_at=NOW + 4)),
            [
                "0 of 2 slots in use",
                "the algorithm gives no points although nothing runs; asked again in 4 s",
            ],
            id="its algorithm waits for nothing",
        ),
    ],
)
def test_what_it_waits_for_is_said(seen: View, lines: list[str]):
    assert list(explain(seen, NOW)) == lines


def test_what_is_kept_is_said_with_times_that_stay_true():
    seen = view(waiting(0, retry_at=NOW + 9.5), search=Search(trouble="away", retry_at=NOW + 1.0))
    said = explain(seen, NOW, lasting=True)
    assert said == explain(seen, NOW + 0.5, lasting=True)
    assert f"trial 0 is retried at {written(NOW + 9.5)}" in said
