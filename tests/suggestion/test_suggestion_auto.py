"""What auto chooses, why it says so, and that a change of mind costs nothing."""

import math
from dataclasses import replace

import pytest
from support.search import Log, double, listed, problem, whole
from tunewright.api.history import SearchState, Verdict
from tunewright.api.objective import Direction, Further, Metric, Objective, Strategy
from tunewright.suggestion.algorithms import auto_fold
from tunewright.suggestion.algorithms.auto_fold import CHOICES, Situation, beginning, chosen
from tunewright.suggestion.session import Session

NUMBERS = (double("x", 0, 1), double("y", 0, 1))
AT = Situation(size=None, numbers=3, lists=1, objectives=1)
TWO = Objective(
    Metric("loss", Strategy.MIN),
    Direction.MINIMIZE,
    further=(Further(Metric("cost", Strategy.MIN), Direction.MINIMIZE),),
)


@pytest.mark.parametrize(
    ("situation", "algorithms"),
    [
        (AT, "gp"),
        (replace(AT, numbers=7, lists=0), "gp"),
        (replace(AT, numbers=8, lists=0), "gp cmaes"),
        (replace(AT, numbers=8, lists=1), "gp"),
        (replace(AT, size=16), "random"),
        (replace(AT, size=17), "gp"),
        (replace(AT, objectives=2), "gp"),
        (replace(AT, objectives=2, numbers=8, lists=0), "gp"),
        (replace(AT, objectives=2, running=65), "multivariate-tpe"),
        (replace(AT, objectives=2, told=1000, lists=0), "multivariate-tpe"),
        (replace(AT, objectives=2, size=10), "random"),
        (replace(AT, running=64), "gp"),
        (replace(AT, running=65), "tpe"),
        (replace(AT, told=999), "gp"),
        (replace(AT, told=1000), "tpe"),
        (replace(AT, told=1000, lists=0), "cmaes"),
        (replace(AT, told=1000, lists=0, numbers=1), "tpe"),
    ],
)
def test_the_choice_follows_the_situation(situation, algorithms):
    assert chosen(situation).algorithms == tuple(algorithms.split())


def test_a_situation_counts_what_can_vary():
    task = problem(
        whole("a", 1, 4), whole("fixed", 3, 3), listed("b", "x", "y"), listed("c", "only")
    )
    assert beginning(task) == Situation(size=8, numbers=1, lists=1, objectives=1)


def search(task, trials, *, by=4, loss=lambda point: (point["x"] - 0.3) ** 2, forgetful=False):
    log, session, notes = Log(), Session(task), []
    while log.trials < trials:
        if forgetful:
            session = Session(task)
        session.observe(log.after(session.position))
        answer = session.suggest(log.trials, by)
        notes.append(answer.note)
        if not answer.proposals:
            break
        first = log.trials
        log.propose(*answer.proposals)
        for index, proposal in enumerate(answer.proposals, start=first):
            if index % 7 == 3:
                log.finish(index, None, Verdict.BAD)
            else:
                log.finish(index, loss(proposal.point))
    return log, notes


def points(log):
    return [entry.proposal.point for entry in log.entries if hasattr(entry, "proposal")]


def test_every_point_of_a_small_space_is_tried_once_and_then_there_are_no_more():
    task = problem(whole("x", 1, 5), listed("b", "u", "v"), algorithm="auto")
    log, notes = search(task, 100)
    assert len({tuple(point.items()) for point in points(log)}) == len(points(log)) == 10
    session = Session(task)
    session.observe(log.entries)
    answer = session.suggest(log.trials, 1)
    assert answer.state is SearchState.EXHAUSTED
    assert answer.note.startswith("random: the space has no more than 16 points")
    assert "the whole space of 10 points has been proposed" in notes[-1]


def test_several_objectives_are_weighed():
    task = problem(*NUMBERS, algorithm="auto", objective=TWO)
    note = Session(task).suggest(0, 3).note
    assert note.startswith("gp: ")
    assert "weights the objectives anew" in note


def test_a_crowd_is_given_different_points_by_an_algorithm_that_can():
    session = Session(problem(*NUMBERS, algorithm="auto"))
    answer = session.suggest(0, 70)
    assert answer.note.startswith("tpe: more than 64 trials run at once")
    assert len({tuple(proposal.point.items()) for proposal in answer.proposals}) == 70


def test_a_change_of_mind_loses_nothing_and_can_be_repeated(monkeypatch):
    """With the many that are soon reached, a search changes twice as trials end and as it grows."""
    few = [replace(each, suits=_sooner(each)) for each in CHOICES]
    monkeypatch.setattr(auto_fold, "CHOICES", few)
    task = problem(*NUMBERS, algorithm="auto")
    whole_log, notes = search(task, 48)
    assert list(dict.fromkeys(note.split(":")[0] for note in notes)) == ["gp", "cmaes"]
    again, _ = search(task, 48, forgetful=True)
    assert points(again) == points(whole_log)


def test_algorithms_that_take_turns_say_the_same_and_can_be_begun_anew():
    def loss(point):
        return sum((value - 0.4) ** 2 for value in point.values())

    task = problem(*(double(f"x{place}", 0, 1) for place in range(8)), algorithm="auto")
    log, notes = search(task, 40, loss=loss)
    (note,) = set(notes)
    assert note.startswith("gp and cmaes: ")
    again, _ = search(task, 40, loss=loss, forgetful=True)
    assert points(again) == points(log)


def _sooner(choice):
    return lambda at: choice.suits(replace(at, told=at.told * 50))


def test_what_was_taken_out_no_longer_counts():
    fold = auto_fold.AutoFold(problem(*NUMBERS, algorithm="auto"))
    log, _ = search(problem(*NUMBERS, algorithm="random"), 8)
    log.drop(0)
    for entry in log.entries:
        fold.observe(entry)
    assert fold._told == set(range(1, 8))
    assert fold._running == set()


def test_it_finds_what_random_search_does_not():
    def loss(point):
        return (point["x"] - 0.31) ** 2 + (point["y"] - 0.77) ** 2

    def best(algorithm):
        log, _ = search(problem(*NUMBERS, algorithm=algorithm), 32, loss=loss)
        return min(map(loss, points(log)))

    assert best("auto") < min(best("random"), 1e-3)


def test_values_that_are_no_numbers_are_borne():
    values = iter([math.inf, -math.inf, 1e300, -1e300] * 10)
    log, _ = search(problem(*NUMBERS, algorithm="auto"), 24, loss=lambda _: next(values))
    assert len(points(log)) == 24
