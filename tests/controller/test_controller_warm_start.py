"""`spec.warmStartFrom` with the laptop's engine over a real store."""

import asyncio

import pytest
from support.engines import KEY, House, document, x_of
from support.scripted import Run, Script
from tunewright.api.errors import Invalid
from tunewright.api.history import WARM_START
from tunewright.api.identity import ExperimentKey
from tunewright.api.states import ExperimentState
from tunewright.controller.engine import Engine, Outcome
from tunewright.controller.ports import Workload
from tunewright.controller.warm_start import LABEL, check_sources
from tunewright.db.records import TrialRecord

FROM = {"warmStartFrom": [{"name": "before"}]}
MAXIMIZE = {"objective": {"type": "maximize", "objectiveMetricName": "gain"}}


def hill(workload: Workload) -> Run:
    """The least loss and the greatest gain are at 0.7."""
    loss = abs(x_of(workload) - 0.7)
    return Run([f"loss={loss}", f"gain={-loss}"])


def before(
    house: House, script: Script = hill, name: str = "before", **spec: object
) -> list[float]:
    """Run an experiment, and return the points that it tried, the best first."""
    uid = house.create(name, maxTrialCount=20, **spec).uid
    house.run(script, name)
    return [float(trial.proposal.point["x"]) for trial in house.store.best_trials(uid, 20)]


def warm(house: House) -> list[TrialRecord]:
    trials = house.store.trials(house.record.uid)
    return [trial for trial in trials if trial.proposal.reason == WARM_START]


def xs(trials: list[TrialRecord]) -> list[float]:
    return [float(trial.proposal.point["x"]) for trial in trials]


def test_the_best_points_of_another_are_tried_first_and_say_where_they_come_from(house: House):
    best = before(house)
    house.create(maxTrialCount=8, **FROM)
    assert house.run(hill).state is ExperimentState.SUCCEEDED
    given = warm(house)
    assert [trial.index for trial in given] == [0, 1]
    assert xs(given)[0] == best[0]
    assert {trial.proposal.labels for trial in given} == {((LABEL, "before"),)}
    assert house.record.totals.finished == 8
    assert house.record.best[0].value == pytest.approx(abs(best[0] - 0.7))


def test_best_is_what_the_source_says_it_is_whichever_way_its_objective_goes(house: House):
    best = before(house, **MAXIMIZE)
    house.create(maxTrialCount=4, **FROM)
    house.run(hill)
    assert xs(warm(house)) == best[:1]


def test_a_source_that_misleads_is_not_believed(house: House):
    best = before(house, lambda workload: Run([f"loss={-100 - abs(x_of(workload) - 0.7)}"]))
    house.create(maxTrialCount=8, **FROM)
    house.run(hill)
    assert xs(warm(house))[0] == best[0]
    assert house.record.best[0].proposal.reason != WARM_START
    assert (house.record.best[0].value or -1) >= 0  # nothing of what the source measured is kept


def test_a_source_in_which_everything_failed_gives_nothing(house: House):
    before(house, lambda _: Run(exit_code=1))
    house.create(maxTrialCount=4, **FROM)
    assert house.run(hill).state is ExperimentState.SUCCEEDED
    assert warm(house) == []


def test_the_points_of_the_file_come_before_and_are_not_tried_twice(house: House):
    best = before(house)
    own = [{"assignments": {"x": "0.125"}}, {"assignments": {"x": repr(best[0])}}]
    house.create(maxTrialCount=12, initialTrials=own, **FROM)
    house.run(hill)
    tried = xs(list(house.store.trials(house.record.uid)))
    assert tried[:2] == [0.125, best[0]]
    assert len(set(tried)) == 12
    assert [trial.index for trial in warm(house)] == [2, 3]


def test_several_sources_take_turns(house: House):
    first = before(house)
    second = before(house, lambda w: Run([f"loss={abs(x_of(w) - 0.2)}"]), "other")
    house.create(maxTrialCount=8, warmStartFrom=[{"name": "before"}, {"name": "other"}])
    house.run(hill)
    assert xs(warm(house)) == [first[0], second[0]]


def test_engines_one_after_another_try_each_point_once_though_the_source_is_gone(house: House):
    best = before(house)
    house.create(maxTrialCount=8, parallelTrialCount=1, **FROM)

    async def interrupted() -> Outcome:
        engine: Engine | None = None

        def script(workload: Workload) -> Run:
            assert engine is not None
            asyncio.get_running_loop().call_soon(engine.leave)
            return hill(workload)

        engine = house.engine(script)
        return await engine.run()

    asyncio.run(interrupted())
    assert house.record.totals.finished == 1
    source = house.store.experiment(ExperimentKey(KEY.namespace, "before"))
    house.store.delete_experiment(source.uid)
    while house.record.totals.finished < 8:
        asyncio.run(interrupted())
    tried = xs(list(house.store.trials(house.record.uid)))
    assert len(set(tried)) == 8
    assert tried[0] == best[0]
    assert len(warm(house)) == 2


def test_an_engine_refuses_a_source_that_is_gone_before_any_trial(house: House):
    house.create(**FROM)
    with pytest.raises(Invalid, match=r"spec\.warmStartFrom\[0\]\.name.*no experiment before"):
        house.run(hill)
    assert house.record.totals.proposed == 0


def test_each_source_that_will_not_do_is_named_with_its_place(house: House):
    space = {"min": "0", "max": "1"}
    house.create(
        "other", parameters=[{"name": "y", "parameterType": "double", "feasibleSpace": space}]
    )
    names = ["gone", "other", KEY.name]
    given = document(warmStartFrom=[{"name": name} for name in names])
    with pytest.raises(Invalid) as refused:
        check_sources(house.store, KEY, given)
    assert [(fault.path, fault.message, fault.kind) for fault in refused.value.faults] == [
        (
            "spec.warmStartFrom[0].name",
            "there is no experiment gone in the namespace default",
            "NotFound",
        ),
        (
            "spec.warmStartFrom[1].name",
            "the experiment other shares no parameter with this one",
            "Invalid",
        ),
        ("spec.warmStartFrom[2].name", "an experiment cannot start from itself", "Invalid"),
    ]
    assert all(fault.remedy for fault in refused.value.faults)
