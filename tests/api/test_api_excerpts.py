"""What is read off a document without its models."""

import subprocess
import sys

import pytest
from tunewright.api import excerpts
from tunewright.api.experiment import Experiment
from tunewright.api.objective import Direction, Strategy


def document(**spec):
    return {
        "spec": {"objective": {"type": "minimize", "objectiveMetricName": "loss"}, **spec},
    }


@pytest.mark.parametrize(
    ("kind", "strategy"), [("minimize", Strategy.MIN), ("maximize", Strategy.MAX)]
)
def test_a_metric_without_a_strategy_takes_its_best_value(kind, strategy):
    written = {"type": kind, "objectiveMetricName": "a", "additionalMetricNames": ["b"]}

    objective = excerpts.objective_of(document(objective=written))

    assert [m.strategy for m in (objective.metric, *objective.additional)] == [strategy] * 2


def test_a_written_strategy_wins():
    written = {
        "type": "maximize",
        "goal": 0.99,
        "objectiveMetricName": "accuracy",
        "metricStrategies": [{"name": "accuracy", "value": "latest"}],
    }

    objective = excerpts.objective_of(document(objective=written))

    assert objective.metric.strategy is Strategy.LATEST
    assert objective.direction is Direction.MAXIMIZE
    assert objective.goal == pytest.approx(0.99)


@pytest.mark.parametrize(
    ("spec", "metric", "strategy"),
    [
        pytest.param({}, "memory", Strategy.LATEST, id="a metric that is only bounded"),
        pytest.param(
            {"objectives": [{"metric": "memory", "type": "maximize"}]}, "memory", Strategy.MAX,
            id="one that is an objective too",
        ),
    ],
)  # fmt: skip
def test_a_bounded_metric_is_collected_once(spec, metric, strategy):
    bounds = [{"metric": "memory", "max": 3}, {"metric": "memory", "min": 1}]

    objective = excerpts.objective_of(document(constraints=bounds, **spec))

    assert objective.metric_names == ("loss", metric)
    assert objective.others[0].strategy is strategy


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"memory": 3.0}, ""),
        ({"memory": 3.5}, "memory 3.5 is more than 3"),
        ({"memory": 0.5}, "memory 0.5 is less than 1"),
        ({"memory": float("nan")}, "memory is NaN"),
        ({}, "memory was not reported"),
    ],
)
def test_a_constraint_is_kept_or_says_why_not(values, told):
    bounds = [{"metric": "memory", "max": 3}, {"metric": "memory", "min": 1}]

    objective = excerpts.objective_of(document(constraints=bounds))

    assert objective.broken(0.5, values) == told


def test_no_early_stopping_is_no_rule():
    assert excerpts.stopping_rule_of(document()) is None


def test_settings_are_text_whatever_the_file_wrote():
    written = {
        "algorithmName": "medianstop",
        "algorithmSettings": [{"name": "start_step", "value": 5}],
    }

    kept = Experiment.read(document(earlyStopping=written)).write()
    rule = excerpts.stopping_rule_of(kept)

    assert rule.settings == {"start_step": "5"}


def test_a_setting_without_a_value_has_an_empty_one():
    written = {"algorithmName": "medianstop", "algorithmSettings": [{"name": "start_step"}]}

    rule = excerpts.stopping_rule_of(document(earlyStopping=written))

    assert rule.settings == {"start_step": ""}


def test_the_best_must_be_bettered_by_as_much_as_is_written():
    written = {"noImprovement": {"trials": 5, "minDelta": 1}}

    assert excerpts.min_delta_of(document(stopWhen=written)) == 1.0
    assert excerpts.min_delta_of(document()) == 0.0


def test_a_list_that_is_null_is_empty():
    written = {
        "type": "minimize",
        "objectiveMetricName": "loss",
        "additionalMetricNames": None,
        "metricStrategies": None,
    }

    found = excerpts.objective_of(document(objective=written, objectives=None, constraints=None))

    assert found.metric_names == ("loss",)


def test_what_looks_on_loads_no_models():
    looked_on = ("cli.get", "cli.trials", "cli.export", "sdk.sources.here", "db.sql")
    names = ", ".join(f"tunewright.{each}" for each in looked_on)
    program = f"import sys, {names}; sys.exit('pydantic' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
