"""From documents to domain values."""

import pytest
from tunewright.api import compile as compiling
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

    objective = compiling.objective_of(document(objective=written))

    assert [m.strategy for m in (objective.metric, *objective.additional)] == [strategy] * 2


def test_a_written_strategy_wins():
    written = {
        "type": "maximize",
        "goal": 0.99,
        "objectiveMetricName": "accuracy",
        "metricStrategies": [{"name": "accuracy", "value": "latest"}],
    }

    objective = compiling.objective_of(document(objective=written))

    assert objective.metric.strategy is Strategy.LATEST
    assert objective.direction is Direction.MAXIMIZE
    assert objective.goal == pytest.approx(0.99)


def test_no_early_stopping_is_no_rule():
    assert compiling.stopping_rule_of(document()) is None


def test_settings_are_text_whatever_the_file_wrote():
    written = {
        "algorithmName": "medianstop",
        "algorithmSettings": [{"name": "start_step", "value": 5}],
    }

    rule = compiling.stopping_rule_of(document(earlyStopping=written))

    assert rule.settings == {"start_step": "5"}
