"""The harness of the search benchmark: what a search is measured by, and what is kept of it."""

import json

import pytest
from search import cases
from search.cases import Case, Result, results, searched
from search.problems import FAMILIES
from search.regret import against, mean_places
from search.searchers import CONTENDERS

INSTALLED = [
    name
    for name in ("auto", "random", "optuna tpe", "scikit-optimize", "hyperopt")
    if CONTENDERS[name].can(FAMILIES["mixed"].tuning[0].space)
]


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "tunewright-bench" / "search.jsonl"


@pytest.mark.filterwarnings("ignore")  # the libraries'
@pytest.mark.parametrize(
    ("family", "contender"),
    [
        (family, contender)
        for family in ("mixed", "failing", "noise", "batch4")
        for contender in INSTALLED
        if family == "mixed" or contender != "scikit-optimize"  # seconds a search
    ],
)
def test_each_searches_every_kind_of_family(family, contender):
    problem = FAMILIES[family].tuning[0].name
    result = searched(Case(family, problem, contender, seed=1, trials=25))
    assert list(result.regrets) == [25]
    assert 0 <= result.regrets[25] < 100


def test_the_same_seed_is_the_same_search():
    case = Case("failing", "branin", "tpe", seed=4, trials=25)
    assert searched(case).regrets == searched(case).regrets


def test_noise_is_no_part_of_the_regret(monkeypatch):
    family = FAMILIES["noise"]
    case = Case("noise", "branin", "random", seed=1, trials=25)
    monkeypatch.setitem(family.noise, "branin", 1e6)
    assert searched(case).regrets[25] < 1000


def test_what_was_measured_is_not_measured_again(kept, monkeypatch):
    case = Case("low", "branin", "random", seed=1, trials=25)
    first = results([case], processes=1)
    monkeypatch.setattr(cases, "searched", None)
    assert results([case], processes=1) == first
    assert len(kept.read_text().splitlines()) == 1


def test_a_line_that_was_cut_off_is_measured_again(kept):
    case = Case("low", "branin", "random", seed=1, trials=25)
    first = results([case], processes=1)
    kept.write_text(kept.read_text()[:40])
    assert results([case], processes=1)[case].regrets == first[case].regrets
    assert json.loads(kept.read_text().splitlines()[-1])["key"] == case.key()


def _race(**losses):
    return {
        Case("low", "p", name, seed, 25): Result({25: regret}, 0.1)
        for name, regrets in losses.items()
        for seed, regret in enumerate(regrets)
    }


def test_a_place_is_the_mean_over_the_races_and_equals_share_theirs():
    found = _race(auto=[1.0, 2.0], tpe=[1.0, 3.0], random=[9.0, 0.5])
    assert mean_places(found, 25) == {"auto": 1.75, "tpe": 2.25, "random": 2.0}


@pytest.mark.parametrize(
    ("regrets", "verdict"),
    [([9.0] * 12, "worse"), ([0.1] * 12, "better"), ([1.0] * 12, "alike"), ([9, 0.1] * 6, "alike")],
)
def test_who_is_worse_is_so_in_most_pairs(regrets, verdict):
    assert against("tpe", _race(auto=[1.0] * 12, tpe=regrets)).startswith(verdict)
