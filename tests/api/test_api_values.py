"""Laws of values: points, summaries, objectives, names, conditions."""

import copy
import math
import pickle
from contextlib import nullcontext
from dataclasses import astuple
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tunewright.api.conditions import Condition, pass_to, set_condition
from tunewright.api.durations import parse_duration
from tunewright.api.history import Verdict, verdict_of
from tunewright.api.identity import trial_name
from tunewright.api.objective import Direction, Further, Metric, Objective, Outcome, Strategy
from tunewright.api.observation import LONGEST_TEXT, Sample, TextValue, read_value, summarize
from tunewright.api.space import (
    Parameter,
    ParameterCondition,
    ParameterKind,
    SearchSpace,
    format_value,
)
from tunewright.api.states import (
    EXPERIMENT_EDGES,
    TRIAL_EDGES,
    ExperimentState,
    TrialState,
    UnknownEdge,
    passage,
)

decimals = st.decimals(-1000, 1000, places=3)


@given(decimals, st.decimals("0.001", 10, places=3), st.integers(0, 500), st.integers(0, 500))
def test_levels_are_exact_and_survive_writing(low, step, count, k):
    parameter = Parameter("x", ParameterKind.DOUBLE, low, low + step * count, step)
    value = parameter.level(k % (count + 1))

    assert parameter.levels == count + 1
    assert value == float(low + step * (k % (count + 1)))
    assert parameter.contains(value)
    assert parameter.parse(format_value(value)) == value


@given(st.integers(0, 10**18))
def test_a_level_of_a_step_that_is_finer_than_doubles_is_one(k):
    parameter = Parameter("x", ParameterKind.DOUBLE, Decimal(0), Decimal(1), Decimal("1e-18"))

    assert parameter.contains(parameter.level(k))


@given(st.floats(0, 1))
def test_a_continuous_value_survives_writing(value):
    parameter = Parameter("x", ParameterKind.DOUBLE, Decimal(0), Decimal(1))

    assert parameter.parse(format_value(value)) == value


@given(st.integers(0, 2**62))
def test_a_whole_number_survives_writing(value):
    parameter = Parameter("n", ParameterKind.INT, Decimal(0), Decimal(2**62), Decimal(1))

    assert parameter.parse(format_value(value)) == value


@pytest.mark.parametrize("text", ["x", "", "nan", "inf", "1.5", "11", "-1", "1e999999999"])
def test_what_is_no_value_is_refused(text):
    parameter = Parameter("n", ParameterKind.INT, Decimal(0), Decimal(10))

    with pytest.raises(ValueError, match=r"\S"):
        parameter.parse(text)


@pytest.mark.parametrize(
    "parameter",
    [
        Parameter("x", ParameterKind.DOUBLE, Decimal(0), Decimal(1)),
        Parameter("x", ParameterKind.DISCRETE, choices=("1", "2")),
    ],
    ids=["a double", "an entry"],
)
def test_what_is_no_number_is_called_so(parameter):
    with pytest.raises(ValueError, match=r"^'high' is not a number$"):
        parameter.parse("high")


@pytest.mark.parametrize(
    ("step", "text", "value"),
    [
        ("0.1", "0.30000000000000004", 0.3),
        ("1e-10", "3.0000000000000004e-10", 3e-10),
        ("0.1", "0.30001", None),
        ("1e-10", "3.5e-10", None),
        ("0.1", "nan", None),
    ],
)
def test_a_double_is_a_level_but_for_what_rounding_made_of_it(step, text, value):
    parameter = Parameter("x", ParameterKind.DOUBLE, Decimal(0), 9 * Decimal(step), Decimal(step))

    with nullcontext() if value else pytest.raises(ValueError, match="is not in"):
        assert parameter.parse(text) == value


def test_an_entry_keeps_what_the_file_wrote():
    parameter = Parameter("n", ParameterKind.DISCRETE, choices=("0.10", "2"))

    assert (parameter.parse("0.1"), parameter.native("2")) == ("0.10", 2)


def test_a_point_lacks_what_its_conditions_exclude():
    space = SearchSpace(
        (
            Parameter("opt", ParameterKind.CATEGORICAL, choices=("sgd", "adam")),
            Parameter("momentum", ParameterKind.DOUBLE, Decimal(0), Decimal(1)),
        ),
        (ParameterCondition("momentum", "opt", ("sgd",)),),
    )

    assert space.contains({"opt": "adam"})
    assert space.contains({"opt": "sgd", "momentum": 0.5})
    assert not space.contains({"opt": "adam", "momentum": 0.5})
    assert not space.contains({"opt": "sgd"})


samples = st.builds(
    Sample,
    st.sampled_from(["a", "b"]),
    st.floats() | st.builds(TextValue, st.text()),
    st.floats(0, 10),
    st.none() | st.integers(0, 9),
)


@given(st.lists(samples), st.integers(0, 20))
def test_summaries_do_not_depend_on_how_the_log_was_cut(log, cut):
    whole, parts = summarize(log), summarize(log[:cut])
    for sample in log[cut:]:
        known = parts.get(sample.metric)
        parts[sample.metric] = known.add(sample) if known else summarize([sample])[sample.metric]

    assert repr({k: astuple(v) for k, v in parts.items()}) == repr(
        {k: astuple(whole[k]) for k in parts}
    )


@given(st.lists(st.floats(), min_size=1))
def test_extremes_are_those_of_the_numbers(values):
    summary = summarize([Sample("a", value, 0.0) for value in values])["a"]
    numbers = [value for value in values if not math.isnan(value)]

    assert summary.count == len(values)
    if numbers:
        assert (summary.min, summary.max) == (min(numbers), max(numbers))
    else:
        assert math.isnan(summary.min)


@given(st.text())
def test_a_text_is_nan_to_who_computes_and_itself_to_who_shows(text):
    value = TextValue(text)

    assert math.isnan(value)
    assert math.isnan(value + 1.0)
    assert value == TextValue(text) == copy.deepcopy(value) == pickle.loads(pickle.dumps(value))
    assert value not in {TextValue(f"{text}."), math.nan, text}
    assert f"{value:.3g}" == str(value) == format_value(value) == text.replace("\0", "\ufffd")


def test_a_text_has_an_end():
    assert len(str(TextValue("x" * 100_000))) == LONGEST_TEXT


@given(st.floats() | st.just(TextValue("deep")))
def test_a_value_is_read_as_it_was_written(value):
    assert repr(read_value(format_value(value))) == repr(value)


@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize(
    ("values", "taken"),
    [
        ([TextValue("a"), TextValue("b")], TextValue("b")),
        ([TextValue("a"), 1.0], 1.0),
        ([math.nan, TextValue("a")], TextValue("a")),
    ],
    ids=["texts", "a number after a text", "a text after what is no number"],
)
def test_of_texts_the_last_stands_for_the_trial(strategy, values, taken):
    log = [Sample("a", value, 0.0) for value in values]

    assert strategy.take(summarize(log)["a"]) == taken


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_never_better_and_never_the_goal(direction, value):
    objective = Objective(Metric("a", Strategy.LATEST), direction, goal=0.5)

    assert not objective.better(value, None)
    assert objective.better(0.5, value)
    assert not objective.reaches_goal(value)
    assert objective.losses(value, {}) is None
    outcome = Outcome(value)
    assert verdict_of(outcome, TrialState.SUCCEEDED, own_failure=False) is Verdict.BAD


@pytest.mark.parametrize(
    ("own", "of_memory", "value", "memory", "reached"),
    [
        (0.1, 4.0, 0.1, 4.0, True),
        (0.1, 4.0, 0.05, 5.0, True),
        (0.1, 4.0, 0.2, 5.0, False),
        (0.1, 4.0, 0.05, 3.0, False),
        (0.1, 4.0, 0.05, None, False),
        (0.1, 4.0, 0.05, math.nan, False),
        (None, 4.0, 9.0, 4.0, True),
        (None, 4.0, None, 4.0, True),
        (0.1, None, 0.05, None, True),
        (None, None, 0.0, 9.0, False),
    ],
)
def test_all_goals_that_are_given_must_be_reached(own, of_memory, value, memory, reached):
    memory_left = Further(Metric("left", Strategy.LATEST), Direction.MAXIMIZE, of_memory)
    objective = Objective(
        Metric("a", Strategy.LATEST), Direction.MINIMIZE, goal=own, further=(memory_left,)
    )
    values = {} if memory is None else {"left": memory}
    assert objective.reaches_goal(value, values) is reached


@pytest.mark.parametrize("edges", [TRIAL_EDGES, EXPERIMENT_EDGES], ids=["trial", "experiment"])
def test_the_table_is_the_only_door(edges):
    for old in edges:
        for new in edges:
            if new in edges[old]:
                assert passage(edges, old, new) is new
            else:
                with pytest.raises(UnknownEdge):
                    passage(edges, old, new)


def test_a_trial_always_has_the_same_name():
    assert trial_name("e", "uid", 3) == trial_name("e", "uid", 3)
    assert len({trial_name("e", "uid", i) for i in range(10_000)}) == 10_000


DURATIONS = [(90, 90), ("90", 90), ("90s", 90), ("1h30m", 5400), ("1.5h", 5400), ("2d", 172800)]


@pytest.mark.parametrize(("text", "seconds"), DURATIONS)
def test_a_length_of_time_is_read_as_seconds(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "-1", "1h-30m", "nan", "inf", "h"])
def test_what_is_no_length_of_time_is_refused(text):
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


def test_the_last_condition_is_the_state_and_running_is_over():
    conditions = ()
    for state in (ExperimentState.CREATED, ExperimentState.RUNNING, ExperimentState.SUCCEEDED):
        conditions = pass_to(conditions, state, reason=f"R{state}", message="m", now="t")

    assert [(entry.type, entry.status, entry.reason) for entry in conditions] == [
        ("Created", "True", "RCreated"),
        ("Running", "False", "RRunning"),
        ("Succeeded", "True", "RSucceeded"),
    ]


def test_a_restart_removes_the_end_before_it_and_stays_known():
    conditions = ()
    for state in (
        ExperimentState.RUNNING,
        ExperimentState.SUCCEEDED,
        ExperimentState.RESTARTING,
        ExperimentState.RUNNING,
    ):
        conditions = pass_to(conditions, state, reason="r", message="m", now="t")

    assert [(entry.type, entry.status) for entry in conditions] == [
        ("Restarting", "True"),
        ("Running", "True"),
    ]


def test_a_new_message_is_kept_where_the_condition_stands():
    old = (Condition(type="Created", reason="r", message="a"), Condition(type="Running"))

    new = set_condition(old, Condition(type="Created", reason="r", message="b"), now="t")

    assert [(entry.type, entry.message) for entry in new] == [("Created", "b"), ("Running", "")]


@pytest.mark.parametrize("end", [state for state in TrialState if state.is_finished])
def test_a_trial_that_ended_no_longer_runs(end):
    conditions = pass_to((), TrialState.RUNNING, reason="r", message="m", now="t")

    conditions = pass_to(conditions, end, reason="r", message="m", now="t")

    assert conditions[0].status == "False"
