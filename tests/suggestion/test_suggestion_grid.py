from support.search import Log, double, listed, problem, whole
from tunewright.api.history import SearchState
from tunewright.suggestion.session import Session

SPACE = (whole("a", 1, 3), listed("b", "x", "y"), double("c", 0, 0.2, 0.1))


def everything(**settings):
    session = Session(problem(*SPACE, algorithm="grid", settings=settings))
    return [tuple(p.point.values()) for p in session.suggest(0, 1000).proposals]


def test_a_grid_visits_every_combination_once():
    points = everything()
    assert len(points) == len(set(points)) == 18


def test_a_grid_goes_in_the_order_of_the_file():
    assert everything()[:4] == [(1, "x", 0.0), (1, "x", 0.1), (1, "x", 0.2), (1, "y", 0.0)]


def test_a_random_state_shuffles_the_grid():
    shuffled = everything(random_state="3")
    assert shuffled != everything()
    assert sorted(shuffled) == sorted(everything())
    assert shuffled == everything(random_state="3") != everything(random_state="4")


def test_an_exhausted_grid_says_so():
    log, session = Log(), Session(problem(*SPACE, algorithm="grid"))
    log.propose(*session.suggest(0, 17).proposals)
    session.observe(log.entries)
    last = session.suggest(17, 2)
    assert (len(last.proposals), last.state) == (1, SearchState.EXHAUSTED)
    log.propose(*last.proposals)
    session.observe(log.entries)
    assert session.suggest(18, 1).proposals == ()


def test_the_point_of_a_dropped_trial_comes_again():
    log, session = Log(), Session(problem(*SPACE, algorithm="grid"))
    log.propose(*session.suggest(0, 5).proposals)
    log.drop(2)
    session.observe(log.entries)
    assert session.suggest(5, 1).proposals[0].point == log.entries[2].proposal.point


def test_a_million_combinations_cost_nothing_to_start():
    huge = [whole(name, 0, 99) for name in "abcdef"]
    session = Session(problem(*huge, algorithm="grid", settings={"random_state": "1"}))
    assert len({tuple(p.point.values()) for p in session.suggest(0, 50).proposals}) == 50
