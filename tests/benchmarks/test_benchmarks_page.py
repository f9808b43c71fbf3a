"""The page on how well algorithms search: what it says of the results, and its drawing."""

from xml.etree import ElementTree as ET

import pytest
from search.cases import BUDGETS, Case, Result
from search.chart import drawing
from search.kept import keep, kept
from search.page import page, places_of, sections, sections_of
from search.regret import first_places, report


def race(**problems):
    """Results of two seeds of the family `low`, by problem and contender, the same throughout."""
    return {
        Case("low", problem, name, seed, BUDGETS[-1]): Result(dict.fromkeys(BUDGETS, regret), 0.001)
        for problem, regrets in problems.items()
        for name, regret in regrets.items()
        for seed in (1, 2)
    }


def test_first_is_whose_median_is_least_and_equals_share_it():
    found = race(camel6={"auto": 2.0, "tpe": 1.0}, hartmann3={"auto": 1e-12, "tpe": 1e-10})
    assert first_places(found) == {"camel6": ["tpe"], "hartmann3": ["auto", "tpe"]}


@pytest.mark.parametrize(
    ("regret", "said"),
    [
        (0.5, "`auto` has the least median regret on 2 of 2."),
        (2.0, "`auto` has the least median regret on 1 of 2; it is not first on camel6 (tpe)."),
    ],
)
def test_the_page_says_where_auto_is_not_first(regret, said):
    found = race(camel6={"auto": regret, "tpe": 1.0}, hartmann3={"auto": 0.1, "tpe": 1.0})
    written = page(sections(found))
    assert said in written
    assert "Tuned on: branin," in written
    assert "## 2 to 6 dimensions" in written


def test_the_page_says_after_how_many_trials_another_is_ahead():
    late = {25: 3.0, 50: 2.0, 100: 0.5}
    found = {
        case: Result(late, 0.1) if case.contender == "auto" else result
        for case, result in race(camel6={"auto": 0.5, "tpe": 2.5, "random": 2.75}).items()
    }
    assert "on 1 of 1; after 25 trials tpe is ahead." in page(sections(found))


def test_a_page_is_read_as_it_was_written():
    found = race(camel6={"auto": 1.0, "optuna tpe": 2.0, "random": 3.0})
    written = {"noise": "An older table.", **sections(found)}
    read = sections_of(page(written))
    assert list(read) == ["2 to 6 dimensions", "noise", "Reading it"]
    assert read.items() >= written.items()
    places = {"auto": 1.0, "optuna tpe": 2.0, "random": 3.0}
    assert places_of(read["2 to 6 dimensions"]) == dict.fromkeys(BUDGETS, places)
    assert not places_of(read["noise"])


def test_a_section_has_a_row_for_each_contender_the_best_first():
    rows = report(race(camel6={"random": 3.0, "auto": 1.0, "tpe": 2.0})).splitlines()[-3:]
    assert [row.split(" | ")[0] for row in rows] == ["| auto", "| tpe", "| random"]


def test_what_is_kept_is_read_again(tmp_path):
    found = race(camel6={"auto": 1.0, "optuna tpe": 2.0})
    keep(found, tmp_path / "kept.jsonl")
    assert kept(tmp_path / "kept.jsonl") == found


def test_the_drawing_has_a_dot_for_each_place_and_a_title_for_each_panel():
    places = {25: {"auto": 1.0, "a & b": 2.0}, 50: {"auto": 1.5, "a & b": 1.5}}
    only = {25: {"auto": 1.0}, 50: {"auto": 1.0}}
    root = ET.fromstring(drawing({"first": places, "second": only}, ["auto"]))
    name = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f"{name}circle")) == 6
    texts = [text.text for text in root.findall(f"{name}text")]
    assert {"first", "second", "auto", "a & b"} <= set(texts)
