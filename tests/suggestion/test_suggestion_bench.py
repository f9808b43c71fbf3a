"""What `tunewright plugin bench` measures."""

import asyncio
import itertools

import pytest
from tunewright.suggestion.plugin.bench import Contender, Result, mean_ranks, measure
from tunewright.suggestion.plugin.problems import CHALLENGES
from tunewright.suggestion.plugin.subject import InProcess

BEST = {
    "branin": {"x0": 3.141592653589793, "x1": 2.275},
    "hartmann6": dict(
        zip(
            (f"x{n}" for n in range(6)),
            (0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573),
            strict=True,
        )
    ),
    "ackley10": {f"x{n}": 0.0 for n in range(10)},
    "rosenbrock5": {f"x{n}": 1.0 for n in range(5)},
    "rastrigin5": {f"x{n}": 0.0 for n in range(5)},
    "training": {"rate": 0.001, "width": 192, "dropout": 0.2, "optimizer": "adam"},
}


@pytest.mark.parametrize("name", CHALLENGES)
def test_the_optimum_of_a_problem_is_where_it_is_said_to_be(name):
    challenge = CHALLENGES[name]
    assert challenge.space.contains(BEST[name])
    assert challenge.loss(BEST[name]) == pytest.approx(challenge.optimum, abs=1e-8)


def measured(**more):
    async def all_of() -> list[Result]:
        contenders = [Contender(each, each, InProcess()) for each in ("random", "grid", "tpe")]
        given = {"trials": 30, "parallel": 1, "seeds": 3, **more}
        challenges = [CHALLENGES["branin"]]
        return [
            result async for result in measure([contenders[0], contenders[2]], challenges, **given)
        ]

    return asyncio.run(all_of())


def test_every_contender_is_measured_once_a_seed_and_regret_is_never_negative():
    results = measured()
    assert [result.contender for result in results] == ["random", "tpe"]
    assert all(len(result.regrets) == 3 and min(result.regrets) >= 0 for result in results)


def test_the_same_seeds_give_the_same_figures():
    assert [r.regrets for r in measured(parallel=4)] == [r.regrets for r in measured(parallel=4)]


def test_the_wait_is_that_of_one_question():
    ticks = itertools.count()
    assert {result.seconds for result in measured(clock=lambda: next(ticks))} == {1}


def test_the_places_are_shared_by_those_that_are_alike():
    results = [
        *(Result("p", "a", (1.0,), 0), Result("p", "b", (1.0,), 0), Result("p", "c", (3.0,), 0)),
        *(Result("q", "a", (5.0,), 0), Result("q", "b", (1.0,), 0), Result("q", "c", (2.0,), 0)),
    ]
    assert mean_ranks(results) == {"a": 2.25, "b": 1.25, "c": 2.5}
