"""percentile, asha, plateau and threshold: which report stops which trial, and what is told."""

import math

import pytest
from tunewright.api.objective import Direction, Metric, Objective, Strategy
from tunewright.api.stopping import Progress, StoppingRule
from tunewright.suggestion.early_stopping.registry import BUILT_IN, Rules, validate_rule

LOSS = Objective(Metric("loss", Strategy.MIN), Direction.MINIMIZE)
ACCURACY = Objective(Metric("accuracy", Strategy.MAX), Direction.MAXIMIZE)


class Curves:
    """Trials that ended, by the values that they reported; trial 99 is the one that is judged."""

    def __init__(self, *ended, early_stopped=(), own=()):
        self.values = [*ended, *early_stopped]
        self.succeeded = len(ended)
        self.own = own

    def ended_since(self, _uid, position, *, early_stopped=False):
        end = len(self.values) if early_stopped else self.succeeded
        return end, range(position, end)

    def running_means(self, _uid, index, reports):
        values = self.own if index == 99 else self.values[index]
        last = len(values)
        return {n: mean(values[:n]) for n in {*reports, last} if 1 <= n <= last}


def mean(values):
    """Return the mean of those that are numbers."""
    numbers = [value for value in values if not math.isnan(value)]
    return sum(numbers) / len(numbers) if numbers else math.nan


def stops(name, curves, values, objective=LOSS, **settings):
    """Report values one by one; return the number of the report that stops, and why."""
    rule = StoppingRule(name, {key: str(value) for key, value in settings.items()})
    assert not validate_rule(rule)
    rules = Rules(lambda: 0.0)
    for count in range(1, len(values) + 1):
        seen = values[:count]
        numbers = [value for value in seen if not math.isnan(value)]
        pick = min if objective.direction is Direction.MINIMIZE else max
        best, nans = pick(numbers, default=math.nan), count - len(numbers)
        report = Progress(99, 1, count, seen[-1], mean(seen), best, nans)
        curves.own = seen
        found = rules.evaluate("uid", rule, objective, [report], curves)
        if found:
            return count, found[0].reason
    return None


TEN = [[float(level)] * 8 for level in range(1, 11)]


@pytest.mark.parametrize(
    ("name", "share", "level", "is_stopped"),
    [
        ("percentile", 20, 2.7, False),
        ("percentile", 20, 2.9, True),
        ("percentile", 90, 9.0, False),
        ("percentile", 90, 9.2, True),
        ("percentile", 50, 5.6, True),
        ("medianstop", None, 5.6, True),
        ("medianstop", None, 5.4, False),
    ],
)
def test_a_trial_goes_on_while_its_best_is_within_the_share(name, share, level, is_stopped):
    settings = {} if share is None else {"percentile": share}
    assert bool(stops(name, Curves(*TEN), [level] * 5, **settings)) is is_stopped


def test_of_an_accuracy_the_greater_part_is_the_better_one():
    curves = Curves(*TEN)
    assert stops("percentile", curves, [8.0] * 5, ACCURACY, percentile=20)
    assert not stops("percentile", curves, [9.0] * 5, ACCURACY, percentile=20)


@pytest.mark.parametrize(
    ("level", "objective", "stopped_at"),
    [
        (0.5, LOSS, None),
        (1.5, LOSS, 9),
        (2.5, LOSS, 3),
        (3.5, LOSS, 1),
        (6.5, LOSS, 1),
        (9.5, ACCURACY, None),
        (2.5, ACCURACY, 1),
    ],
)
def test_asha_lets_a_third_pass_each_rung(level, objective, stopped_at):
    """Three rungs of nine trials: at the first all are known, at the third only the best."""
    ended = [[float(n)] * 9 for n in range(1, 4)]
    early = [[float(n)] * (3 if n < 7 else 1) for n in range(4, 10)]
    curves = Curves(*ended, early_stopped=early)
    if objective is ACCURACY:
        curves = Curves(*[[float(n)] * 9 for n in range(1, 10)])
    found = stops("asha", curves, [level] * 9, objective)
    assert (found and found[0]) == stopped_at


def test_asha_stops_nobody_between_rungs_or_before_there_is_a_rival():
    rivals = Curves(*TEN)
    assert stops("asha", rivals, [0.5, 99.0], r_min=3) is None
    assert stops("asha", Curves(), [99.0] * 9) is None


@pytest.mark.parametrize(
    ("values", "settings", "stopped_at"),
    [
        pytest.param([5, 4, 3, 2, 1, 0], {"patience": 2}, None, id="gets better all the time"),
        pytest.param([5, 4, 3, 3, 3, 3], {"patience": 2}, 6, id="stands still"),
        pytest.param([5, 4, 3, 4, 5, 6], {"patience": 2}, 5, id="gets worse"),
        pytest.param([5, 1, 5, 1, 5, 1], {"patience": 2}, 4, id="swings"),
        pytest.param([5, 4.9, 4.8, 4.7], {"patience": 2, "min_delta": 1}, 4, id="by too little"),
        pytest.param([3, 3, 3, 3, 3, 3], {"patience": 1, "start_step": 5}, 5, id="from its start"),
        pytest.param([math.nan] * 8, {"patience": 2}, None, id="nothing but NaN"),
        pytest.param(
            [9, 3, 2, 1, math.nan, 0.9], {"patience": 2}, None, id="better, but for a NaN"
        ),
        pytest.param(
            [math.nan] * 5 + [100, 10, 9, 8, 7], {"patience": 2}, None, id="better, after NaN"
        ),
        pytest.param([3, 2, 1] + [math.nan] * 8, {"patience": 2}, None, id="NaN from then on"),
        pytest.param(
            [3, math.nan, 5, 6, 7, 8, 9, 9], {"patience": 2}, 6, id="judged when the NaN is past"
        ),
        pytest.param([3, 3, 3, 3], {"patience": 2}, 4, id="always the same"),
    ],
)
def test_plateau_compares_the_last_reports_with_those_before(values, settings, stopped_at):
    found = stops("plateau", Curves(), list(map(float, values)), **settings)
    assert (found and found[0]) == stopped_at


@pytest.mark.parametrize(
    ("values", "settings", "objective", "stopped_at"),
    [
        ([9, 5, 2], {"bound": 4}, LOSS, 1),
        ([9, 5, 2], {"bound": 4, "start_step": 2}, LOSS, 2),
        ([9, 5, 2], {"bound": 4, "start_step": 3}, LOSS, None),
        ([0.2, 0.6], {"bound": 0.5}, ACCURACY, 1),
        ([0.5, 0.6], {"bound": 0.5}, ACCURACY, None),
        ([1, math.nan], {"bound": 4}, LOSS, None),
        ([1, math.nan], {"bound": 4, "stop_on_nan": "true"}, LOSS, 2),
        ([1, math.nan], {"stop_on_nan": "true"}, LOSS, 2),
        ([math.inf], {"bound": 4}, LOSS, 1),
    ],
)
def test_threshold_stops_at_the_first_report_beyond_its_bound(
    values, settings, objective, stopped_at
):
    found = stops("threshold", Curves(), list(map(float, values)), objective, **settings)
    assert (found and found[0]) == stopped_at


@pytest.mark.parametrize(
    ("name", "curves", "values", "settings", "reason"),
    [
        (
            "percentile",
            Curves(*TEN),
            [9.0] * 4,
            {"percentile": 20},
            (
                "percentile: after 4 reports the best loss is 9, above the percentile 20 2.8 of 10 "
                "succeeded trials"
            ),
        ),
        (
            "asha",
            Curves(*TEN),
            [9.5],
            {},
            "asha: after 1 report the mean loss 9.5 is in place 10 of 11, not among the best 3",
        ),
        (
            "plateau",
            Curves(),
            [2.0, 2.0],
            {"patience": 1, "min_delta": 0.1},
            (
                "plateau: the mean loss of the last 1 reports, 2, is no better than 2 of the 1 "
                "before by more than 0.1"
            ),
        ),
        (
            "threshold",
            Curves(),
            [7.0],
            {"bound": 4},
            "threshold: loss 7 at report 1 is above 4",
        ),
    ],
)
def test_a_stop_says_why(name, curves, values, settings, reason):
    assert stops(name, curves, values, **settings)[1] == reason


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("percentile", {"percentile": "100"}, "percentile must be between 0 and 100"),
        ("asha", {"eta": "1"}, "eta must be 2 or more"),
        ("plateau", {"patience": "0"}, "patience must be greater or equal than one (>=1)"),
        ("threshold", {}, "threshold needs a bound, or stop_on_nan: true"),
        ("threshold", {"bound": "low"}, "failed to validate bound(low)"),
        ("threshold", {"bound": "nan"}, "bound nan is not a number"),
        ("medianstopp", {}, "unknown algorithm name medianstopp"),
    ],
)
def test_wrong_settings_are_refused(name, settings, message):
    (fault,) = validate_rule(StoppingRule(name, settings))
    assert fault.message.startswith(message)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_trial_of_nothing_but_nan_stops_nobody(name):
    settings = {"bound": 4} if name == "threshold" else {}
    assert stops(name, Curves(*TEN), [math.nan] * 30, **settings) is None
