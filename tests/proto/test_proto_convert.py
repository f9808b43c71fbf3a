"""What goes over the wire comes back as it was."""

import math
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.search import Log, double, listed, problem, whole
from tunewright.api.errors import Invalid
from tunewright.api.history import Finished, Proposal, Proposed, SearchState, Suggestion, Verdict
from tunewright.api.objective import Constraint, Direction, Further, Metric, Strategy
from tunewright.api.observation import TextValue
from tunewright.api.problem import Architecture, Operation
from tunewright.api.space import (
    Distribution,
    Parameter,
    ParameterCondition,
    ParameterKind,
    SearchSpace,
)
from tunewright.api.states import TrialState
from tunewright.proto import api_pb2, convert, convert_katib

SPACE = (
    double("lr", "1e-5", "0.1", distribution=Distribution.LOG_UNIFORM),
    double("drop", "0.1", "0.9", "0.1", Distribution.NORMAL),
    whole("n", 1, 9, 2),
    listed("batch", "16", "0.50", kind=ParameterKind.DISCRETE),
    listed("o", "a b", "ü$"),
)
TASK = problem(*SPACE, settings={"random_state": "3"}, max_trials=9, direction=Direction.MAXIMIZE)
POINT = {"lr": 0.1, "drop": 0.3, "n": 3, "batch": "0.50", "o": "ü$"}

numbers = st.floats(allow_nan=False)
proposals = st.builds(
    Proposal,
    point=st.dictionaries(st.text(), st.integers(-(2**63), 2**63 - 1) | numbers | st.text()),
    reason=st.text(),
    labels=st.dictionaries(st.text(), st.text()).map(lambda labels: tuple(sorted(labels.items()))),
    parent=st.none() | st.text(min_size=1),
    name=st.none() | st.text(min_size=1),
)
index = st.integers(0, 10**6)
entries = st.one_of(
    st.builds(Proposed, index, index, proposals, index),
    st.builds(
        Finished,
        index,
        index,
        st.sampled_from(TrialState),
        st.sampled_from(Verdict),
        st.none() | numbers,
        st.lists(st.tuples(st.text(), numbers)).map(tuple),
        st.none() | numbers,
    ),
)


@given(entries)
def test_an_entry_of_the_log_comes_through_the_wire_as_it_was(entry):
    assert convert.entry_from_wire(convert.entry_to_wire(entry)) == entry


@given(st.lists(proposals, max_size=3).map(tuple), st.sampled_from(SearchState), st.text())
def test_a_suggestion_comes_through_the_wire_as_it_was(points, state, note):
    suggestion = Suggestion(points, state, note)
    assert convert.suggestion_from_wire(convert.suggestion_to_wire(suggestion, 3)) == suggestion


def test_a_problem_comes_through_the_wire_as_it_was():
    assert convert.problem_from_wire(convert.problem_to_wire(TASK)) == TASK


def test_conditions_and_an_architecture_come_through_the_wire_as_they_were():
    space = SearchSpace(SPACE, (ParameterCondition("drop", "o", ("ü$",)),))
    nas = Architecture(3, (32, 32, 3), (10,), (Operation("convolution", SearchSpace(SPACE[2:])),))
    task = problem(*SPACE, space=space, architecture=nas)
    assert convert.problem_from_wire(convert.problem_to_wire(task)) == task


def test_further_objectives_and_constraints_come_through_the_wire_as_they_were():
    memory = Metric("memory", Strategy.LATEST)
    objective = replace(
        TASK.objective,
        further=(Further(memory, Direction.MINIMIZE, 0.0), Further(memory, Direction.MAXIMIZE)),
        constraints=(Constraint(memory, low=0.0), Constraint(memory, high=3.0)),
    )
    task = replace(TASK, objective=objective)
    assert convert.problem_from_wire(convert.problem_to_wire(task)) == task


def test_an_experiment_comes_through_katibs_wire_as_a_problem():
    back = convert_katib.problem_from_katib(convert_katib.experiment_to_katib(TASK, {}))
    assert (back.space, back.settings, back.max_trials) == (
        TASK.space,
        TASK.settings,
        TASK.max_trials,
    )
    assert back.objective.direction is Direction.MAXIMIZE


def test_an_architecture_comes_through_katibs_wire_as_it_was():
    nas = Architecture(8, (32, 32, 3), (10,), (Operation("convolution", SearchSpace(SPACE[2:4])),))
    task = problem(space=SearchSpace(()), architecture=nas, algorithm="enas")
    wire = convert_katib.experiment_to_katib(task, {})
    (operation,) = wire.spec.nas_config.operations.operation
    assert (wire.spec.nas_config.graph_config.num_layers, operation.operation_type) == (
        8,
        "convolution",
    )
    assert convert_katib.problem_from_katib(wire).architecture == nas


def test_an_experiment_without_an_architecture_has_none_at_katib():
    wire = convert_katib.experiment_to_katib(TASK, {})
    assert not wire.spec.HasField("nas_config")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_katibs_trials_become_a_log_in_the_order_of_their_times(bad):
    log = Log()
    log.propose(*[Proposal(POINT, name=name) for name in ("a", "b", "c", "d")])
    log.finish(1, 0.5)
    log.finish(0, None, Verdict.BAD)
    log.finish(2, bad)
    wire = convert_katib.trials_to_katib(TASK, log.entries, {})
    back = convert_katib.log_from_katib(TASK, reversed(wire))
    assert [entry.index for entry in back] == [0, 1, 2, 3, 1, 0, 2]
    assert [entry.verdict for entry in back[4:]] == [Verdict.OBSERVED, Verdict.BAD, Verdict.BAD]
    assert back[0].proposal.point == POINT


def test_a_trial_of_katibs_carries_the_objective_that_its_services_learn_from():
    log = Log()
    log.propose(Proposal(POINT))
    objective = replace(TASK.objective, goal=0.5, additional=(Metric("f1", Strategy.MAX),))
    task = replace(TASK, objective=objective)
    (trial,) = convert_katib.trials_to_katib(task, log.entries, {})
    assert trial.spec.objective == convert_katib.experiment_to_katib(task, {}).spec.objective
    assert trial.spec.objective.objective_metric_name == "loss"
    assert trial.spec.objective.additional_metric_names == ["f1"]


def test_katib_is_told_every_metric_of_a_trial_and_texts_as_they_are():
    log = Log()
    log.propose(Proposal(POINT))
    values = (("f1", 0.5), ("note", TextValue("a b")))
    state, verdict = TrialState.SUCCEEDED, Verdict.NOTHING
    finished = Finished(2, 0, state, verdict, TextValue("Genotype(normal=[])"), values)
    (trial,) = convert_katib.trials_to_katib(TASK, [*log.entries, finished], {})
    told = {metric.name: metric.value for metric in trial.status.observation.metrics}
    assert told == {"loss": "Genotype(normal=[])", "f1": "0.5", "note": "a b"}


def test_a_trial_of_katibs_is_judged_by_the_metric_that_it_names_itself():
    """So do Katib's services, and some who ask them name it nowhere else."""
    log = Log()
    log.propose(Proposal(POINT))
    log.finish(0, 0.5)
    (trial,) = convert_katib.trials_to_katib(TASK, log.entries, {})
    nameless = replace(TASK, objective=replace(TASK.objective, metric=Metric("", Strategy.MAX)))
    assert convert_katib.log_from_katib(nameless, [trial])[-1].value == 0.5


def test_of_trials_that_are_no_points_those_that_ended_are_refused_and_the_others_left_out():
    log = Log()
    log.propose(Proposal(POINT, name="whole"), Proposal(POINT, name="partial"))
    whole_one, partial = convert_katib.trials_to_katib(TASK, log.entries, {})
    del partial.spec.parameter_assignments.assignments[0]
    (entry,) = convert_katib.log_from_katib(TASK, [partial, whole_one])
    assert entry.proposal.name == "whole"
    partial.status.condition = api_pb2.TrialStatus.SUCCEEDED
    with pytest.raises(Invalid, match=r"trials\[partial\].*no value for"):
        convert_katib.log_from_katib(TASK, [partial, whole_one])


@pytest.mark.parametrize("text", ["unavailable", ""])
def test_a_metric_that_katib_never_saw_is_no_value(text):
    log = Log()
    log.propose(Proposal(POINT))
    log.finish(0, 1.0)
    (trial,) = convert_katib.trials_to_katib(TASK, log.entries, {})
    trial.status.observation.metrics[0].value = text
    assert convert_katib.log_from_katib(TASK, [trial])[-1].verdict is Verdict.NOTHING


def test_an_int_without_a_step_has_steps_of_one():
    wire = convert_katib.experiment_to_katib(problem(whole("n", 1, 9)), {})
    wire.spec.parameter_specs.parameters[0].feasible_space.step = ""
    (parameter,) = convert_katib.problem_from_katib(wire).space.parameters
    assert parameter.step == Decimal(1)


def test_the_ends_of_an_int_are_digits_at_katib_however_the_file_writes_them():
    """Its services call int() on them."""
    exponents = Parameter("n", ParameterKind.INT, Decimal("1.0"), Decimal("1e3"), Decimal("1e1"))
    wire = convert_katib.experiment_to_katib(problem(exponents), {})
    space = wire.spec.parameter_specs.parameters[0].feasible_space
    assert (space.min, space.max, space.step) == ("1", "1000", "10")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"parameter_type": api_pb2.UNKNOWN_TYPE}, r"spec.parameters\[0\].parameterType"),
        (
            {"feasible_space": api_pb2.FeasibleSpace(min="x", max="1")},
            r"spec.parameters\[0\].feasibleSpace.min: 'x' is not a number",
        ),
    ],
)
def test_what_is_malformed_is_named(change, path):
    given = {"name": "x", "parameter_type": api_pb2.DOUBLE, **change}
    wire = api_pb2.Experiment()
    wire.spec.parameter_specs.parameters.append(api_pb2.ParameterSpec(**given))
    with pytest.raises(Invalid, match=path):
        convert_katib.problem_from_katib(wire)


UNSOUND = [
    ({"min": "0", "max": "1", "distribution": api_pb2.LOG_UNIFORM}, "min 0 is not greater than 0"),
    ({"min": "2", "max": "1"}, "max 1 is less than min 2"),
    ({"min": "1", "max": "1.00000000000000001"}, "min 1 and max 1.0*1 are too near for doubles"),
    ({"min": "nan", "max": "1"}, "min NaN is not a finite number"),
    ({"min": "0", "max": "inf"}, "max Infinity is not a finite number"),
    ({"min": "0", "max": "1e400"}, "max 1E.400 is not a finite number"),
    ({"min": "0", "max": "1e9999999"}, "max 1E.9999999 is not a finite number"),
    ({"min": "-1e308", "max": "1"}, "min -1E.308 is not a finite number"),
    ({"min": "0", "max": "1", "step": "1e-400000"}, "step 1E-400000 is not a finite number"),
    ({"min": "0", "max": "1", "step": "0"}, "step 0 is not greater than 0"),
    ({"min": "0", "max": "1", "step": "-1"}, "step -1 is not greater than 0"),
    ({"kind": "int", "min": "1.5", "max": "4"}, "min 1.5 is not a whole number"),
    ({"kind": "int", "min": "1", "max": "4", "step": "0.5"}, "step 0.5 is not a whole number"),
    ({"kind": "categorical"}, "its list is empty"),
    ({"kind": "discrete", "list": ["1", "b"]}, "'b' is not a finite number"),
]


@pytest.mark.parametrize(("space", "message"), UNSOUND, ids=[row[1] for row in UNSOUND])
def test_a_space_that_cannot_be_searched_is_refused_as_it_arrives(space, message):
    kind = api_pb2.ParameterType.Value(space.get("kind", "double").upper())
    feasible = api_pb2.FeasibleSpace(**{k: v for k, v in space.items() if k != "kind"})
    wire = api_pb2.Experiment()
    wire.spec.parameter_specs.parameters.add(name="x", parameter_type=kind, feasible_space=feasible)
    with pytest.raises(Invalid, match=rf"spec.parameters\[0\]: parameter x: {message}"):
        convert_katib.problem_from_katib(wire)


LISTS, A_BY_B = (listed("a", "x"), listed("b", "y")), ParameterCondition("a", "b", ("y",))


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (SearchSpace((whole("n", 3, 2),)), "max 2 is less than min 3"),
        (SearchSpace((whole("n", 1, 2), whole("n", 1, 2))), "there are several parameters n"),
        (SearchSpace((listed("a", "x", "x"),)), "an entry is in its list twice"),
        (
            SearchSpace((listed("a", "x"),), (ParameterCondition("b", "a", ("x",)),)),
            "a condition names b",
        ),
        (
            SearchSpace(
                (listed("a", "x"), whole("n", 1, 2)), (ParameterCondition("a", "n", ("1",)),)
            ),
            "a condition depends on n, which is not a list",
        ),
        (SearchSpace(LISTS, (A_BY_B, A_BY_B)), "there are several conditions of a"),
        (SearchSpace(LISTS, (A_BY_B, ParameterCondition("b", "a", ("x",)))), "a depends on itself"),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused_as_it_arrives_over_tunewright_v1(
    space, message
):
    with pytest.raises(Invalid, match=message):
        convert.problem_from_wire(convert.problem_to_wire(problem(space=space)))


def test_an_entry_that_stands_twice_in_a_list_of_katibs_is_one():
    wire = api_pb2.Experiment()
    wire.spec.parameter_specs.parameters.add(
        name="x",
        parameter_type=api_pb2.CATEGORICAL,
        feasible_space=api_pb2.FeasibleSpace(list=["a", "b", "a"]),
    )
    (parameter,) = convert_katib.problem_from_katib(wire).space.parameters
    assert parameter.choices == ("a", "b")
