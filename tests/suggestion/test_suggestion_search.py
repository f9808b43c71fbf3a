import math

import pytest
from support.search import Log, double, listed, problem, whole
from tunewright.api.history import Verdict
from tunewright.api.objective import Direction, Further, Metric, Objective, Strategy
from tunewright.api.space import Distribution, ParameterCondition, SearchSpace
from tunewright.suggestion import registry
from tunewright.suggestion.algorithms.bayesian_fold import hedge_gains
from tunewright.suggestion.cube import Cube
from tunewright.suggestion.session import Session

D = Distribution
BAYES = "bayesianoptimization"
SMOOTH = (double("x", -5, 5), double("lr", "1e-5", "0.1", distribution=D.LOG_UNIFORM))


def regret(algorithm, trials, *, forgetful=False, sign=1, seed=7):
    """The best value of a search by twos; a forgetful one begins anew before each call."""
    direction = Direction.MINIMIZE if sign == 1 else Direction.MAXIMIZE
    task = problem(*SMOOTH, algorithm=algorithm, direction=direction, seed=seed)
    log, session, best = Log(), Session(task), math.inf
    for _ in range(trials // 2):
        if forgetful:
            session = Session(task)
        session.observe(log.entries)
        first = log.trials
        proposals = session.suggest(first, 2).proposals
        log.propose(*proposals)
        for index, proposal in enumerate(proposals, start=first):
            point = proposal.point
            value = (point["x"] - 1.5) ** 2 + (math.log10(point["lr"]) + 3) ** 2
            best = min(best, value)
            log.finish(index, sign * value)
    return best


@pytest.mark.parametrize("algorithm", ["tpe", "multivariate-tpe", "cmaes"])
def test_a_search_beats_chance_also_when_begun_anew_before_every_call(algorithm):
    whole_run = regret(algorithm, 80)
    assert regret(algorithm, 80, forgetful=True) == whole_run < regret("random", 80)


@pytest.mark.parametrize("distribution", [D.UNIFORM, D.LOG_UNIFORM])
def test_tpe_searches_more_whole_numbers_than_doubles_can_count(distribution):
    def least(name):
        task = problem(whole("n", 1, 2**60, distribution=distribution), algorithm=name)
        log, session, places = Log(), Session(task), []
        for index in range(60):
            session.observe(log.entries)
            (proposal,) = session.suggest(index, 1).proposals
            log.propose(proposal)
            places.append(Cube(task.space).units(proposal.point)[0])
            log.finish(index, abs(places[-1] - 0.3))
        return min(abs(place - 0.3) for place in places)

    assert least("tpe") < least("random") / 2


@pytest.mark.parametrize(
    "narrow",
    [
        double("x", 0.1, 0.10000000000000005, distribution=D.LOG_UNIFORM),
        whole("x", 10**15, 10**15 + 5, distribution=D.LOG_UNIFORM),
    ],
    ids=["doubles", "whole numbers"],
)
def test_tpe_keeps_to_a_range_whose_logarithms_are_hardly_different(narrow):
    task = problem(narrow, double("y", 0, 1), algorithm="tpe")
    log, session = Log(), Session(task)
    for index in range(14):
        session.observe(log.entries)
        log.propose(*session.suggest(index, 1).proposals)
        log.finish(index, float(index))
    assert log.trials == 14


def test_bayesian_optimization_beats_chance_with_few_trials():
    whole_run = regret(BAYES, 14)
    assert regret(BAYES, 14, forgetful=True) == whole_run < regret("random", 14)


@pytest.mark.parametrize("algorithm", ["tpe", "cmaes"])
def test_maximizing_is_minimizing_the_opposite(algorithm):
    assert regret(algorithm, 40, sign=-1) == regret(algorithm, 40)


@pytest.mark.parametrize(
    ("estimator", "function"),
    [("RF", "EI"), ("ET", "LCB"), ("GBRT", "PI"), ("GP", "EIps"), ("GP", "PIps"), ("RF", "PIps")],
)
def test_bayesian_optimization_takes_every_setting_of_katibs(estimator, function):
    settings = {"base_estimator": estimator, "acq_func": function, "n_initial_points": "2"}
    space = (*SMOOTH, listed("o", "a", "b"))
    task = problem(*space, algorithm="bayesianoptimization", settings=settings)
    log, session = Log(), Session(task)
    log.propose(*session.suggest(0, 4).proposals)
    log.finish(0, 1.0)
    log.finish(1, math.inf)
    log.finish(2, None, Verdict.BAD)
    session.observe(log.entries)
    assert len(session.suggest(4, 2).proposals) == 2


def test_bayesian_optimization_bears_losses_that_cannot_be_squared():
    task = problem(*SMOOTH, algorithm=BAYES, settings={"n_initial_points": "2"})
    log, session = Log(), Session(task)
    log.propose(*session.suggest(0, 4).proposals)
    for index, loss in enumerate([1e300, -1e300, 1.0, 1e308]):
        log.finish(index, loss)
    session.observe(log.entries)
    assert len(session.suggest(4, 2).proposals) == 2


def test_the_hedge_prefers_what_brought_low_losses():
    gains = hedge_gains(["EI", "PI", "LCB", "", "EI"], [0.0, 2.0, 1.0, 1.0, 0.5])
    assert gains["EI"] > gains["LCB"] > gains["PI"]


@pytest.mark.parametrize("strategy", ["none", "ipop", "bipop"])
def test_cmaes_goes_on_after_it_has_converged(strategy):
    task = problem(*SMOOTH, algorithm="cmaes", settings={"restart_strategy": strategy})
    log, session = Log(), Session(task)
    for index in range(400):
        log.propose(*session.suggest(index, 1).proposals)
        log.finish(index, 1.0)  # flat: nothing to learn
        session.observe(log.after(session.position))
    assert len({tuple(e.proposal.point.items()) for e in log.entries[::2]}) == 400


@pytest.mark.parametrize(
    ("algorithm", "setting", "message"),
    [
        ("random", "random_state=-1", "random_state should be great or equal than zero"),
        ("random", "seed=1", "unknown setting seed for algorithm random"),
        ("tpe", "gamma=1", "gamma should be in the range of (0, 1)"),
        ("tpe", "prior_weight=0", "prior_weight should be great than zero"),
        ("tpe", "n_EI_candidates=0", "n_EI_candidates should be great than zero"),
        ("tpe", "n_ei_candidates=-1", "n_ei_candidates should be greate or equal than zero"),
        ("tpe", "n_EI_candidates=1000000000", "n_EI_candidates is too large"),
        ("multivariate-tpe", "n_ei_candidates=10001", "n_ei_candidates is too large"),
        (
            "multivariate-tpe",
            "n_startup_trials=-1",
            "n_startup_trials should be greate or equal than zero",
        ),
        ("cmaes", "sigma=-1", "sigma should be greate or equal than zero"),
        (
            "cmaes",
            "restart_strategy=x",
            "restart_strategy x is not supported in CMAES optimization",
        ),
        (
            BAYES,
            "base_estimator=X",
            "base_estimator X is not supported in Bayesian optimization",
        ),
        (BAYES, "acq_func=X", "acq_func X is not supported in Bayesian optimization"),
        (BAYES, "acq_optimizer=X", "acq_optimizer X is not supported in Bayesian optimization"),
        (BAYES, "n_initial_points=-1", "n_initial_points should be great or equal than zero"),
        (
            BAYES,
            "base_estimator=RF acq_optimizer=lbfgs",
            "acq_optimizer lbfgs needs gradients, which RF has not",
        ),
        (
            "grid",
            "",
            "Param x step is nil; For discrete search space, all parameters must include step",
        ),
    ],
)
def test_what_does_not_suit_is_refused_in_katibs_words(algorithm, setting, message):
    settings = dict(one.split("=") for one in setting.split())
    task = problem(double("x", 0, 1), whole("n", 1, 5), algorithm=algorithm, settings=settings)
    assert [fault.message for fault in registry.validate_problem(task)] == [message]


def test_a_grid_smaller_than_the_budget_is_refused():
    task = problem(whole("n", 1, 5), algorithm="grid", max_trials=6)
    (fault,) = registry.validate_problem(task)
    assert fault.message == "Max Trial Count: 6 > all possible search combinations: 5"


@pytest.mark.parametrize(
    ("task", "path"),
    [
        pytest.param(
            problem(
                space=SearchSpace(
                    (listed("o", "a", "b"), double("x", 0, 1)),
                    (ParameterCondition("x", "o", ("a",)),),
                ),
                algorithm="cmaes",
            ),
            "spec.parameterConditions",
            id="conditional parameters",
        ),
        pytest.param(
            problem(
                double("x", 0, 1),
                double("y", 0, 1),
                objective=Objective(
                    Metric("loss", Strategy.MIN),
                    Direction.MINIMIZE,
                    further=(Further(Metric("size", Strategy.MIN), Direction.MINIMIZE),),
                ),
                algorithm="cmaes",
            ),
            "spec.objectives",
            id="several objectives",
        ),
    ],
)
def test_what_an_algorithm_cannot_honour_is_refused_by_name(task, path):
    (fault,) = registry.validate_problem(task)
    assert (fault.path, f"algorithm {task.algorithm}" in fault.message) == (path, True)


def test_a_near_name_is_proposed():
    (fault,) = registry.validate_problem(problem(whole("n", 1, 5), algorithm="tpee"))
    assert (fault.path, fault.remedy) == ("spec.algorithm.algorithmName", "did you mean tpe?")


@pytest.mark.parametrize(
    ("named", "otherwise"),
    [
        ({"n_ei_candidates": "2"}, {"n_EI_candidates": "2"}),
        ({"n_startup_trials": "10"}, {}),
    ],
)
def test_tpe_takes_the_names_that_optuna_has_for_its_settings(named, otherwise):
    def after_twelve(settings):
        task, log = problem(*SMOOTH, algorithm="tpe", settings=settings), Log()
        log.propose(*Session(task).suggest(0, 12).proposals)
        for index in range(12):
            log.finish(index, float(index))
        session = Session(task)
        session.observe(log.entries)
        return session.suggest(12, 2)

    assert after_twelve(named) == after_twelve(otherwise)
    assert after_twelve(named) != after_twelve({"n_startup_trials": "13"})


def test_random_state_wins_over_the_experiments_seed():
    def points(**more):
        return Session(problem(*SMOOTH, **more)).suggest(0, 3)

    assert points(seed=1) != points(seed=2)
    state = {"random_state": "3"}
    assert points(seed=1, settings=state) == points(seed=2, settings=state)


STEADY = ["random", "grid", "sobol", "darts", "nas-random"]


def test_points_are_made_early_by_those_alone_that_do_not_learn():
    problems = {name: problem(*SMOOTH, algorithm=name) for name in registry.BUILT_IN}
    early = [name for name, task in problems.items() if registry.may_be_early(task)]
    assert sorted(early) == sorted(STEADY)


@pytest.mark.parametrize("algorithm", ["random", "grid", "sobol"])
def test_who_does_not_learn_proposes_the_same_whatever_was_found(algorithm):
    task = problem(whole("a", 1, 9), listed("b", "x", "y"), algorithm=algorithm)
    told, untold, log = registry.start(task), registry.start(task), Log()
    for index in range(6):
        log.propose(*told.suggest(index, 1).proposals)
        born = log.entries[-1]
        log.finish(index, float(index))
        for fold, entries in ((told, (born, log.entries[-1])), (untold, (born,))):
            for entry in entries:
                fold.observe(entry)
    assert told.suggest(6, 3) == untold.suggest(6, 3)
