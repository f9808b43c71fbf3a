"""Searches with several objectives, on a problem whose Pareto front is known."""

import math

import pytest
from support.search import Log, double, listed, problem
from tunewright.api.history import Dropped, Finished, Verdict
from tunewright.api.objective import Direction, Further, Metric, Objective, Strategy
from tunewright.api.pareto import hypervolume, observed
from tunewright.api.states import TrialState
from tunewright.suggestion import registry
from tunewright.suggestion.algorithms.nsga2 import Individual, crowding, survivors
from tunewright.suggestion.session import Session

BOTH = Objective(
    Metric("loss", Strategy.MIN),
    Direction.MINIMIZE,
    further=(Further(Metric("gain", Strategy.MAX), Direction.MAXIMIZE),),
)
SPACE = (*(double(f"x{place}", 0, 1) for place in range(5)), listed("kind", "good", "bad"))
REFERENCE = (1.1, 6.0)
TRIALS = {"gp": 60, "nsga2": 120, "tpe": 120, "multivariate-tpe": 120}
"""How many trials are enough for each to be ahead of chance."""


def zdt1(point):
    """The first problem of Zitzler et al. 2000, in five dimensions, with a choice that is worse."""
    first, *rest = (point[f"x{place}"] for place in range(5))
    g = 1 + 9 * sum(rest) / len(rest) + (point["kind"] == "bad")
    return first, g * (1 - math.sqrt(first / g))


def end(log, index, value, gain, verdict=Verdict.OBSERVED):
    state = TrialState.FAILED if verdict is Verdict.BAD else TrialState.SUCCEEDED
    values = () if gain is None else (("gain", gain),)
    log.entries.append(Finished(log.position + 1, index, state, verdict, value, values))


def search(algorithm, trials, *, seed=7, forgetful=False, troubled=False):
    """Search by fours; in a troubled search every fifth trial ends badly, in its own way."""
    task = problem(*SPACE, algorithm=algorithm, objective=BOTH, seed=seed)
    log, session = Log(), Session(task)
    for _ in range(trials // 4):
        if forgetful:
            session = Session(task)
        session.observe(log.entries)
        first = log.trials
        proposals = session.suggest(first, 4).proposals
        log.propose(*proposals)
        for index, proposal in enumerate(proposals, start=first):
            loss, other = zdt1(proposal.point)
            match index % 25 if troubled else 1:
                case 0:
                    end(log, index, None, None, Verdict.BAD)
                case 5:
                    end(log, index, loss, math.nan)
                case 10:
                    end(log, index, math.inf, -math.inf)
                case 15:
                    end(log, index, loss, None)
                case 20:
                    log.entries.append(Dropped(log.position + 1, index))
                case _:
                    end(log, index, loss, -other)
    return log


def volume(log):
    return hypervolume(observed(log.entries, BOTH).values(), REFERENCE)


@pytest.mark.parametrize("algorithm", TRIALS)
def test_the_front_is_found_sooner_than_by_chance(algorithm):
    trials = TRIALS[algorithm]
    assert volume(search(algorithm, trials)) > volume(search("random", trials))


@pytest.mark.parametrize("algorithm", TRIALS)
def test_begun_anew_before_every_call_it_gives_the_same_points(algorithm):
    trials = TRIALS[algorithm] // 2
    whole = search(algorithm, trials, troubled=True)
    assert search(algorithm, trials, troubled=True, forgetful=True).entries == whole.entries


@pytest.mark.parametrize("algorithm", TRIALS)
def test_trials_without_a_number_for_each_objective_mislead_nobody(algorithm):
    trials = TRIALS[algorithm]
    troubled = search(algorithm, trials, troubled=True)
    assert volume(troubled) > volume(search("random", trials))


def test_a_trial_that_is_dropped_was_never_among_the_parents():
    task = problem(*SPACE, algorithm="nsga2", objective=BOTH, settings={"population_size": "4"})
    log = Log()
    session = Session(task)
    for index in range(24):
        session.observe(log.entries)
        log.propose(*session.suggest(index, 1).proposals)
        end(log, index, *zdt1(log.entries[-1].proposal.point))
    log.entries.append(Dropped(log.position + 1, 2))
    fold = registry.start(task)
    for entry in log.entries:
        fold.observe(entry)
    without = registry.start(task)
    for entry in log.entries:
        if not (isinstance(entry, Finished) and entry.index == 2):
            without.observe(entry)
    assert fold.suggest(24, 4) == without.suggest(24, 4)


@pytest.mark.parametrize("algorithm", ["cmaes", "bayesianoptimization"])
def test_who_makes_one_metric_better_refuses_several_by_name(algorithm):
    space = (double("x", 0, 1), double("y", 0, 1))
    (fault,) = registry.validate_problem(problem(*space, algorithm=algorithm, objective=BOTH))
    assert fault.path == "spec.objectives"
    assert f"the algorithm {algorithm} optimizes one metric" in fault.message


@pytest.mark.parametrize(
    ("losses", "room"),
    [
        ([], []),
        ([(0.0, 1.0)], [math.inf]),
        ([(0.0, 4.0), (1.0, 1.0), (4.0, 0.0)], [math.inf, 2.0, math.inf]),
        ([(-math.inf, 2.0), (0.0, 1.0), (math.inf, 0.0)], [math.inf, 2.0, math.inf]),
    ],
)
def test_the_ends_of_a_front_have_all_the_room(losses, room):
    assert crowding(losses) == room


def test_the_first_front_survives_and_then_who_has_room():
    losses = [(2.0, 2.0), (0.0, 3.0), (3.0, 0.0), (1.0, 1.1), (1.1, 1.0), (9.0, 9.0)]
    found = survivors([Individual(i, (), each) for i, each in enumerate(losses)], 5)
    assert [each.index for each in found[:2]] == [1, 2]
    assert {each.index for each in found} == {0, 1, 2, 3, 4}
