"""When an experiment is over, and as what: one row a story."""

import math
from dataclasses import replace

import pytest
from support.views import NOW, OBJECTIVE, POLICY, counted, ended, kinds, running, view, waiting
from tunewright.api.history import SearchState
from tunewright.api.objective import Direction, Further, Metric, Objective, Strategy
from tunewright.api.policy import NoImprovement, Policy, ResumePolicy
from tunewright.api.states import ExperimentState
from tunewright.controller.plan import plan
from tunewright.controller.plan.actions import Finish, Stop
from tunewright.controller.plan.lifecycle import why_closed
from tunewright.controller.plan.view import Leaving, Search, Verb, View, Wish

SUCCEEDED, FAILED = ExperimentState.SUCCEEDED, ExperimentState.FAILED
MAXIMIZE = Objective(OBJECTIVE.metric, Direction.MAXIMIZE, goal=0.9)
MINIMIZE = replace(OBJECTIVE, goal=0.1)
TWO_GOALS = replace(
    MINIMIZE, further=(Further(Metric("size", Strategy.MIN), Direction.MINIMIZE, 3.0),)
)
EXHAUSTED = Search(state=SearchState.EXHAUSTED)
BROKEN = Search(failure="no such setting")


def goal(objective: Objective, best: float) -> View:
    return replace(view(counts=counted(succeeded=2, observed=2, best=best)), objective=objective)


def stopped(**counts: int) -> View:
    return view(counts=counted(**counts), wishes=(Wish(1, Verb.STOP),))


def of(policy: Policy, *, active_seconds: float = 0.0, **counts: int) -> View:
    return view(policy=policy, counts=counted(**counts), active_seconds=active_seconds)


PATIENT = replace(POLICY, no_improvement=NoImprovement(trials=4))
TOLERANT = replace(POLICY, max_failed=2)
TIMED = replace(POLICY, max_duration=60.0)


@pytest.mark.parametrize(
    ("seen", "state", "reason"),
    [
        pytest.param(goal(MINIMIZE, 0.05), SUCCEEDED, "ExperimentGoalReached", id="below a goal"),
        pytest.param(goal(MINIMIZE, 0.1), SUCCEEDED, "ExperimentGoalReached", id="just a goal"),
        pytest.param(goal(MAXIMIZE, 0.95), SUCCEEDED, "ExperimentGoalReached", id="above a goal"),
        pytest.param(
            view(counts=replace(counted(succeeded=2, observed=2), reached=True)),
            SUCCEEDED, "ExperimentGoalReached", id="a trial reached all goals",
        ),
        pytest.param(
            of(POLICY, succeeded=10, observed=10), SUCCEEDED, "ExperimentMaxTrialsReached",
            id="all trials of the budget succeeded",
        ),
        pytest.param(
            of(POLICY, succeeded=3, failed=2, killed=5, observed=3),
            SUCCEEDED, "ExperimentMaxTrialsReached", id="failed and killed ones count",
        ),
        pytest.param(
            of(POLICY, killed=10), FAILED, "NoObservation", id="a budget without one observation"
        ),
        pytest.param(
            of(TOLERANT, succeeded=3, failed=2, observed=3), FAILED, "ExperimentFailed",
            id="as many failed as are tolerated",
        ),
        pytest.param(
            of(TOLERANT, succeeded=3, failed=1, unavailable=1, observed=3),
            FAILED, "ExperimentFailed", id="one without metrics is a failure",
        ),
        pytest.param(of(POLICY, failed=3), FAILED, "EverythingFailed", id="the first three failed"),
        pytest.param(
            of(replace(POLICY, parallel=5), failed=5), FAILED, "EverythingFailed",
            id="all of the first round failed",
        ),
        pytest.param(
            of(TIMED, succeeded=1, observed=1, active_seconds=60.0),
            SUCCEEDED, "MaxDurationReached", id="time is used up",
        ),
        pytest.param(
            of(PATIENT, succeeded=6, observed=6, since_improvement=4),
            SUCCEEDED, "NoImprovement", id="four trials bettered nothing",
        ),
        pytest.param(
            stopped(succeeded=1, observed=1), SUCCEEDED, "ExperimentStopped",
            id="a person stopped it",
        ),
        pytest.param(
            stopped(killed=1), FAILED, "ExperimentStopped", id="stopped with nothing seen"
        ),
        pytest.param(
            view(counts=counted(succeeded=4, observed=4), search=EXHAUSTED),
            SUCCEEDED, "ExperimentSuggestionEndReached", id="no more points",
        ),
        pytest.param(
            view(counts=counted(unavailable=2), search=EXHAUSTED),
            FAILED, "NoObservationInSpace", id="no more points, and none was observed",
        ),
        pytest.param(
            view(counts=counted(succeeded=4, observed=4), search=BROKEN),
            FAILED, "SuggestionFailed", id="the algorithm cannot go on",
        ),
        pytest.param(
            view(counts=counted(succeeded=4, observed=4), search=Search(waits=10)),
            FAILED, "SuggestionStalled", id="it waits while nothing runs",
        ),
    ],
)  # fmt: skip
def test_an_experiment_that_has_what_it_wanted_or_cannot_go_on_is_over_and_stays_so(
    seen: View, state: ExperimentState, reason: str
):
    status = plan(seen, NOW).status
    assert (status.state, status.reason) == (state, reason)
    later = replace(seen, state=state, reason=reason, search=Search(), trials=(), wishes=())
    assert plan(later, NOW).status.state is state


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(goal(MINIMIZE, 0.2), id="short of a goal"),
        pytest.param(goal(TWO_GOALS, 0.05), id="one of two goals"),
        pytest.param(of(POLICY, succeeded=9, observed=9), id="one trial is left"),
        pytest.param(of(TOLERANT, succeeded=3, failed=1, observed=3), id="failures are tolerated"),
        pytest.param(of(POLICY, failed=2), id="two failed"),
        pytest.param(of(POLICY, failed=8, succeeded=1, observed=1), id="one of many succeeded"),
        pytest.param(of(replace(POLICY, parallel=5), failed=4), id="a round is not over"),
        pytest.param(of(TIMED, active_seconds=59.0), id="a second is left"),
        pytest.param(of(PATIENT, succeeded=6, observed=6, since_improvement=3), id="patience left"),
        pytest.param(
            view(running(0), search=EXHAUSTED), id="no more points, and the last one runs"
        ),
        pytest.param(view(running(0), search=BROKEN), id="what runs may finish"),
    ],
)
def test_an_experiment_that_may_still_get_better_goes_on(seen: View):
    assert plan(seen, NOW).status.state is ExperimentState.RUNNING


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(replace(goal(MINIMIZE, 0.1), trials=(running(2), waiting(3))), id="goal"),
        pytest.param(
            replace(stopped(succeeded=1, observed=1), trials=(running(1), waiting(2))), id="stop"
        ),
        pytest.param(
            replace(of(TIMED, active_seconds=60.0), trials=(running(0), waiting(1))), id="time"
        ),
    ],
)
def test_at_the_end_nothing_is_left_running(seen: View):
    decided = plan(seen, NOW)
    stops = [action for action in decided.actions if isinstance(action, Stop)]
    ends = [action for action in decided.actions if isinstance(action, Finish)]
    assert [stop.index for stop in stops] == [seen.trials[0].index]
    assert [(end.index, str(end.state)) for end in ends] == [(seen.trials[1].index, "Killed")]
    assert not decided.done


def over(reason: str, policy: Policy, *wishes: Wish) -> View:
    return view(
        policy=policy,
        counts=counted(succeeded=10, observed=10),
        state=SUCCEEDED,
        reason=reason,
        message="over",
        wishes=wishes,
    )


MORE = replace(POLICY, max_trials=12)


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        pytest.param(
            over("ExperimentMaxTrialsReached", MORE), ExperimentState.RESTARTING,
            id="a raised budget opens it again",
        ),
        pytest.param(
            over("ExperimentMaxTrialsReached", replace(MORE, resume_policy=ResumePolicy.NEVER)),
            SUCCEEDED, id="unless the file says Never",
        ),
        pytest.param(over("ExperimentGoalReached", MORE), SUCCEEDED, id="a goal stays reached"),
        pytest.param(over("ExperimentStopped", MORE), SUCCEEDED, id="stopped stays stopped"),
        pytest.param(
            over("ExperimentStopped", MORE, Wish(1, Verb.RESUME)), ExperimentState.RESTARTING,
            id="until it is resumed",
        ),
        pytest.param(
            over("ExperimentMaxTrialsReached", POLICY, Wish(1, Verb.RESUME)), SUCCEEDED,
            id="resumed with nothing left to spend",
        ),
        pytest.param(
            replace(
                over("SuggestionFailed", POLICY, Wish(1, Verb.RESUME)),
                counts=counted(succeeded=2, observed=2), search=Search(failure="killed"),
            ),
            ExperimentState.RESTARTING, id="resumed after its search had failed",
        ),
    ],
)  # fmt: skip
def test_what_has_ended(seen: View, state: ExperimentState):
    assert plan(seen, NOW).status.state is state


def test_a_resume_that_leads_nowhere_is_answered_with_the_remedy():
    seen = over("ExperimentMaxTrialsReached", POLICY, Wish(1, Verb.RESUME))
    (answer,) = plan(seen, NOW).actions
    assert "raise maxTrialCount" in answer.refused


@pytest.mark.parametrize(
    ("leaving", "grace"),
    [
        pytest.param(Leaving.GENTLY, math.inf, id="gently: within each workload's own grace"),
        pytest.param(Leaving.AT_ONCE, 0.0, id="at once"),
    ],
)
def test_an_engine_that_leaves_ends_what_runs_and_starts_nothing(leaving: Leaving, grace: float):
    decided = plan(view(running(0), waiting(1), leaving=leaving), NOW)
    assert decided.actions == (Stop(0, 1, grace),)
    assert not decided.done


def test_an_engine_has_left_when_nothing_runs_any_more():
    decided = plan(view(waiting(0), leaving=Leaving.GENTLY), NOW)
    assert decided.done
    assert kinds(decided.actions) == []
    assert decided.status.state is ExperimentState.RUNNING


def test_the_last_trial_is_counted_in_the_plan_that_ends_it():
    decided = plan(view(ended(9, value=0.5), counts=counted(10, succeeded=9, observed=9)), NOW)
    assert kinds(decided.actions) == ["Finish"]
    assert decided.status.reason == "ExperimentMaxTrialsReached"


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        pytest.param(counted(killed=10), "used up (killed trials: 10)", id="by killed ones alone"),
        pytest.param(
            counted(succeeded=9, killed=1, observed=9), "used up (killed trials: 1)",
            id="by a killed one too",
        ),
        pytest.param(
            replace(counted(succeeded=9, killed=1, observed=9), reached=True), "goal",
            id="the goal is what closes it",
        ),
        pytest.param(counted(succeeded=5, killed=1, observed=5), "", id="there is some left"),
        pytest.param(replace(counted(14, killed=4), unbegun=10), "", id="most never began"),
    ],
)  # fmt: skip
def test_why_an_ended_experiment_does_not_go_on(counts, said):
    why = why_closed(view(counts=counts, state=SUCCEEDED, reason="ExperimentStopped"))
    assert said in why if said else not why
