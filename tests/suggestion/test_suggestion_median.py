import math
import statistics
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tunewright.api.errors import StoreUnavailable
from tunewright.api.objective import Direction, Metric, Objective, Strategy
from tunewright.api.stopping import Progress, StoppingRule
from tunewright.suggestion.early_stopping.registry import Rules, validate_rule

LOSS = Objective(Metric("loss", Strategy.MIN), Direction.MINIMIZE)
ACCURACY = Objective(Metric("accuracy", Strategy.MAX), Direction.MAXIMIZE)


class Curves:
    """The succeeded trials of an experiment, by their running averages."""

    def __init__(self, *curves):
        self.curves = list(curves)

    def ended_since(self, _uid, position, *, early_stopped=False):
        return len(self.curves), range(position, len(self.curves))

    def running_means(self, _uid, index, reports):
        curve = self.curves[index]
        last = len(curve)
        return {count: curve[count - 1] for count in (*reports, last) if count <= last}


class Time:
    now = 0.0

    def __call__(self):
        return self.now


def stopped(curves, *, reports, best, objective=LOSS, rules=None, uid="uid", **settings):
    rule = StoppingRule("medianstop", {name: str(value) for name, value in settings.items()})
    progress = Progress(9, 1, reports, best, best, best)
    return list((rules or Rules(Time())).evaluate(uid, rule, objective, [progress], curves))


FOUR = Curves([1.0] * 6, [2.0] * 6, [3.0] * 6, [100.0] * 6)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        pytest.param({"reports": 4, "best": 2.6}, True, id="worse than the median at its best"),
        pytest.param({"reports": 4, "best": 2.4}, False, id="better than the median, not the mean"),
        pytest.param({"reports": 4, "best": 2.5}, False, id="equal to the median"),
        pytest.param({"reports": 3, "best": 9.0}, False, id="before start_step"),
        pytest.param({"reports": 3, "best": 9.0, "start_step": 3}, True, id="at its start_step"),
        pytest.param(
            {"reports": 5, "best": 9.0, "min_trials_required": 5}, False, id="too few succeeded"
        ),
        pytest.param({"reports": 50, "best": 9.0}, True, id="longer than any that succeeded"),
        pytest.param({"reports": 5, "best": math.nan}, False, id="nothing but NaN so far"),
        pytest.param({"reports": 5, "best": math.inf}, True, id="infinite"),
        pytest.param(
            {"reports": 5, "best": 2.4, "objective": ACCURACY},
            True,
            id="lower of an accuracy",
        ),
        pytest.param(
            {"reports": 5, "best": 2.6, "objective": ACCURACY},
            False,
            id="higher of one",
        ),
    ],
)
def test_a_trial_is_stopped_when_its_best_is_worse_than_the_median(case, expected):
    assert bool(stopped(FOUR, **case)) is expected


def test_a_stop_says_why():
    (stop,) = stopped(FOUR, reports=5, best=7.0)
    assert (stop.index, stop.attempt) == (9, 1)
    assert stop.reason == (
        "medianstop: after 5 reports the best loss is 7, above the median 2.5 of 4 succeeded trials"
    )


def test_a_running_trial_is_judged_by_trials_that_succeeded_after_it_started():
    time, curves = Time(), Curves([5.0] * 9)
    rules = Rules(time)
    assert not stopped(curves, reports=6, best=4.0, rules=rules)
    curves.curves += [[1.0] * 9, [1.0] * 9]
    time.now += 1.0
    assert stopped(curves, reports=7, best=4.0, rules=rules)


def test_the_log_is_read_once_a_second_at_most():
    time, rules, curves = Time(), Rules(Time()), Curves()
    reads = []
    curves.ended_since = lambda uid, position, **_: (reads.append(position), (0, ()))[1]
    for _ in range(10):
        stopped(curves, reports=6, best=1.0, rules=rules)
    assert len(reads) == 1
    del time


def test_reports_that_come_at_once_count_each_trial_once():
    both = threading.Barrier(2)

    class Slow(Curves):
        def ended_since(self, uid, position, **given):
            found = super().ended_since(uid, position, **given)
            with suppress(threading.BrokenBarrierError):  # whoever waits for us does not come
                both.wait(0.2)
            return found

    rules, curves = Rules(Time()), Slow([1.0] * 6, [2.0] * 6, [9.0] * 6)
    stopped(Curves(), reports=4, best=5.0, rules=rules, uid="another")

    def judge(_number):
        (stop,) = stopped(curves, reports=4, best=5.0, rules=rules)
        return stop.reason

    with ThreadPoolExecutor(2) as threads:
        for reason in threads.map(judge, range(2)):
            assert "the median 2 of 3 succeeded trials" in reason


def test_a_log_that_could_not_be_read_whole_is_read_anew():
    class Broken(Curves):
        def running_means(self, uid, index, reports):
            if index == 2:
                raise StoreUnavailable("away")
            return super().running_means(uid, index, reports)

    rules, curves = Rules(Time()), [[1.0] * 6, [2.0] * 6, [9.0] * 6]
    with pytest.raises(StoreUnavailable):
        stopped(Broken(*curves), reports=4, best=5.0, rules=rules)
    (stop,) = stopped(Curves(*curves), reports=4, best=5.0, rules=rules)
    assert "the median 2 of 3 succeeded trials" in stop.reason


@pytest.mark.parametrize(("seconds", "begin"), [(60, 4), (2 * 3600, 0)])
def test_an_experiment_that_reports_nothing_for_long_is_forgotten_for_others(seconds, begin):
    time = Time()
    rules, curves, reads = Rules(time), Curves(*FOUR.curves), []
    read = curves.ended_since
    curves.ended_since = lambda uid, position, **how: (
        reads.append(position),
        read(uid, position, **how),
    )[1]
    stopped(curves, reports=4, best=1.0, rules=rules)
    time.now += seconds
    stopped(FOUR, reports=4, best=1.0, rules=rules, uid="another")
    stopped(curves, reports=5, best=1.0, rules=rules)
    assert reads == [0, begin]


def test_a_trial_costs_a_bounded_number_of_averages_however_long_its_log():
    asked = []
    curves = Curves([1.0])
    curves.running_means = lambda _uid, _index, reports: (asked.append(reports), {100_000: 1.0})[1]
    stopped(curves, reports=4, best=2.0)
    assert len([count for count in asked[0] if count <= 100_000]) < 150


def test_a_long_trial_is_judged_by_what_the_others_had_at_most_a_tenth_earlier():
    falling = Curves(*[[1 - n / 10_000 for n in range(10_000)]] * 3)
    assert not stopped(falling, reports=5000, best=0.5)
    assert stopped(falling, reports=5000, best=0.55)


@pytest.mark.parametrize(
    ("averages", "objective", "best", "expected"),
    [
        pytest.param([-math.inf, -math.inf, -10, -9], ACCURACY, -1.0, False, id="from below"),
        pytest.param([1, 2, math.inf, math.inf], LOSS, 9.0, False, id="from above"),
        pytest.param([-math.inf, -math.inf, 2, 3], LOSS, 9.0, True, id="worse than -inf"),
        pytest.param([-math.inf] * 2 + [math.inf] * 2, LOSS, 9.0, False, id="from both ends"),
    ],
)
def test_a_median_may_be_infinite(averages, objective, best, expected):
    curves = Curves(*[[average] * 6 for average in averages])
    assert bool(stopped(curves, reports=5, best=best, objective=objective)) is expected


@given(
    st.lists(
        st.lists(st.floats(-100, 100) | st.just(math.nan), min_size=1, max_size=8),
        min_size=3,
        max_size=12,
    ),
    st.integers(4, 10),
    st.floats(-100, 100),
)
def test_it_is_the_true_median_of_the_running_averages(curves, reports, best):
    at = [curve[min(reports, len(curve)) - 1] for curve in curves]
    known = [mean for mean in at if not math.isnan(mean)]
    expected = len(known) >= 3 and best > statistics.median(known)
    assert bool(stopped(Curves(*curves), reports=reports, best=best)) is expected


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("min_trials_required=0", "min_trials_required must be greater than zero (>0)"),
        ("start_step=0", "start_step must be greater or equal than one (>=1)"),
        ("patience=2", "unknown setting patience for algorithm medianstop"),
        ("start_step=x", "failed to validate start_step(x): invalid literal for int()"),
    ],
)
def test_a_wrong_setting_is_refused_in_katibs_words(setting, message):
    name, _, value = setting.partition("=")
    (fault,) = validate_rule(StoppingRule("medianstop", {name: value}))
    assert fault.message.startswith(message)


def test_an_unknown_rule_is_refused_with_the_nearest():
    (fault,) = validate_rule(StoppingRule("medianstopp"))
    assert (fault.message, fault.remedy) == (
        "unknown algorithm name medianstopp",
        "did you mean medianstop?",
    )
