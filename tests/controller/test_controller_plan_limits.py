"""What an administrator grants: how it enters a plan, and what is said of it."""

from dataclasses import replace

import pytest
from support.views import NOW, POLICY, running, view, waiting
from tunewright.api.states import ExperimentState
from tunewright.controller.plan import explain, plan
from tunewright.controller.plan.actions import Ask, Start
from tunewright.controller.plan.limits import NO_LIMITS, Limits, expires_at, held_back, parallel
from tunewright.controller.plan.view import Counts

ONE = Limits(experiments=1)


@pytest.mark.parametrize(
    ("asked", "limits", "granted"),
    [
        pytest.param(5, NO_LIMITS, 5, id="no limit"),
        pytest.param(5, Limits(parallel=2), 2, id="the most"),
        pytest.param(5, Limits(default_parallel=2), 5, id="a number of the file"),
        pytest.param(3, Limits(default_parallel=2), 2, id="the API server's default"),
        pytest.param(3, Limits(default_parallel=9, parallel=4), 4, id="a default above the most"),
    ],
)
def test_so_many_trials_may_run_at_once(asked, limits, granted):
    assert parallel(asked, limits) == granted


def test_a_limit_takes_slots_away_and_points_that_would_fill_them():
    granted = Limits(parallel=1)
    wanting = view(policy=replace(POLICY, parallel=4), limits=granted)
    busy = view(running(0), waiting(1), policy=replace(POLICY, parallel=4), limits=granted)

    assert plan(wanting, NOW).actions == (Ask(0, 1),)
    assert not [each for each in plan(busy, NOW).actions if isinstance(each, Start)]
    assert "1 of 1 slots in use" in explain(busy, NOW)


def test_an_experiment_without_a_place_begins_nothing_and_is_not_running():
    waits = view(state=ExperimentState.CREATED, limits=ONE, ahead=("other",))
    decided = plan(waits, NOW)

    assert decided.actions == ()
    assert decided.status.state is ExperimentState.CREATED
    assert "1 may be active at once, and these are: other" in explain(waits, NOW)[0]


def test_what_runs_goes_on_when_the_place_is_lost():
    seen = view(running(0), waiting(1), limits=ONE, ahead=("other",), counts=Counts(proposed=2))
    decided = plan(seen, NOW)

    assert decided.actions == ()
    assert decided.status.state is ExperimentState.RUNNING


def test_the_place_that_is_lacking_is_said_before_the_slots_that_are():
    both = Limits(experiments=1, parallel=1)

    reasons = [each.reason.name for each in held_back(4, both, ("other",))]
    assert reasons == ["ExperimentsLimited", "ParallelTrialsLimited"]
    assert not list(held_back(4, NO_LIMITS, ()))


@pytest.mark.parametrize(
    ("finished_at", "ttl", "limits", "expected"),
    [
        pytest.param(100.0, None, NO_LIMITS, None, id="nobody says"),
        pytest.param(100.0, 5.0, NO_LIMITS, 105.0, id="the file"),
        pytest.param(100.0, None, Limits(ttl_seconds=9.0), 109.0, id="the namespace"),
        pytest.param(100.0, 99.0, Limits(ttl_seconds=9.0), 109.0, id="the shorter"),
        pytest.param(None, 5.0, NO_LIMITS, None, id="it has not ended"),
    ],
)
def test_an_ended_experiment_stays_so_long(finished_at, ttl, limits, expected):
    assert expires_at(finished_at, ttl, limits) == expected
