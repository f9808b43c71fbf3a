"""The engine over a real store, with an algorithm in process and workloads by script."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from support.engines import House, document, x_of
from support.scripted import Run, Script
from tunewright.api.errors import StoreUnavailable, StoreUnwritable, Unsupported
from tunewright.api.history import Proposal
from tunewright.api.states import ExperimentState, TrialState
from tunewright.controller.effects import Turn
from tunewright.controller.engine import LONGEST_STEP, Engine, Outcome
from tunewright.controller.ports import Workload
from tunewright.db.records import Usage


def test_a_point_that_is_to_run_several_times_comes_to_the_mean(house: House):
    house.create(repeats=3, maxTrialCount=2, parallelTrialCount=1)
    runs: list[str] = []

    def script(workload: Workload) -> Run:
        runs.append(workload.environment["TUNEWRIGHT_REPEAT"])
        return Run([f"loss={runs[-1]}"])

    assert house.run(script).state is ExperimentState.SUCCEEDED
    assert runs == ["0", "1", "2", "0", "1", "2"]
    trials = house.store.trials(house.record.uid)
    assert [(trial.value, trial.deviation, trial.retries) for trial in trials] == [
        (1.0, 1.0, 0)
    ] * 2


def test_a_repeat_that_fails_ends_the_trial(house: House):
    house.create(repeats=3, maxTrialCount=1, parallelTrialCount=1)
    outcome = house.run(
        lambda workload: Run(["loss=1"], exit_code=int(workload.environment["TUNEWRIGHT_REPEAT"]))
    )
    assert outcome.state is ExperimentState.SUCCEEDED
    (trial,) = house.store.trials(house.record.uid)
    assert (trial.state, trial.attempt.attempt) == (TrialState.FAILED, 2)


def test_a_trial_whose_directory_cannot_be_written_ends_the_engine_and_runs_at_the_next(
    house: House, tmp_path: Path
):
    house.create(maxTrialCount=2)
    (tmp_path / "no-folder").touch()

    async def drive() -> Outcome:
        return await house.engine(lambda _: Run(["loss=1"]), home=tmp_path / "no-folder").run()

    with pytest.raises(StoreUnwritable, match="free some space"):
        asyncio.run(drive())
    assert house.run(lambda _: Run(["loss=1"])).state is ExperimentState.SUCCEEDED
    assert house.states() == [TrialState.SUCCEEDED] * 2


def test_it_runs_the_budget_and_keeps_the_best(house: House):
    house.create()
    outcome = house.run(lambda workload: Run([f"loss={x_of(workload)}"]))
    assert outcome.state is ExperimentState.SUCCEEDED
    assert house.states() == [TrialState.SUCCEEDED] * 5
    trials = house.store.trials(house.record.uid)
    assert [trial.value for trial in trials] == [trial.proposal.point["x"] for trial in trials]
    assert house.record.best[0].value == min(trial.value or 0 for trial in trials)
    assert house.runtime is not None
    assert house.runtime.most <= 2


def test_a_goal_ends_it_at_once_and_nothing_runs_on(house: House):
    house.create(objective={"type": "minimize", "objectiveMetricName": "loss", "goal": 0.5})
    first: list[str] = []

    def script(workload: Workload) -> Run:
        first.append(workload.ref.trial)
        return Run(["loss=0.1"]) if len(first) == 2 else Run(["loss=0.9"], stays=True)

    outcome = house.run(script)
    assert outcome.reason == "ExperimentGoalReached"
    assert house.runtime is not None
    assert not house.runtime.active
    assert set(house.states()) <= {TrialState.SUCCEEDED, TrialState.KILLED}


def test_failures_are_counted_and_end_it(house: House):
    house.create(maxFailedTrialCount=2)
    outcome = house.run(lambda _: Run(exit_code=3))
    assert outcome.state is ExperimentState.FAILED
    assert house.record.totals.of(TrialState.FAILED) >= 2


def test_retries_run_the_same_point_again(house: House):
    house.create(
        maxTrialCount=1, parallelTrialCount=1, trialPolicy={"retries": 1, "backoffSeconds": 0}
    )

    def script(workload: Workload) -> Run:
        return Run(["loss=1"], exit_code=1 if workload.ref.attempt == 1 else 0)

    assert house.run(script).state is ExperimentState.SUCCEEDED
    uid = house.record.uid
    assert [attempt.exit_code for attempt in house.store.attempts(uid, 0)] == [1, 0]


def test_a_store_that_is_away_is_told_once_and_waited_for(house: House):
    house.create()
    told: list[str] = []

    async def drive() -> Outcome:
        engine = house.engine(lambda _: Run(["loss=1"]))
        take, left = engine._take, [3]

        def away(events: list[Any]) -> Turn:
            left[0] -= 1
            if left[0] >= 0:
                raise StoreUnavailable("the store does not answer", after=0.0)
            return take(events)

        engine._take = away
        engine._pictures.note = lambda *words, **_: told.append(words[2])
        return await engine.run()

    assert asyncio.run(drive()).state is ExperimentState.SUCCEEDED
    assert told.count("StoreUnavailable") == 1


@pytest.mark.timeout(20)  # less than a store waits for another process
def test_the_loop_goes_on_while_another_process_writes(house: House):
    house.create(maxTrialCount=1, parallelTrialCount=1)

    async def drive() -> Outcome:
        other = sqlite3.connect(house.folder / "store.db", isolation_level=None)

        def script(_: Workload) -> Run:
            other.execute("BEGIN IMMEDIATE")
            # Called by the loop: if that were held by the store, nobody would ever let go of it.
            asyncio.get_running_loop().call_later(0.05, other.execute, "ROLLBACK")
            return Run(["loss=1"])

        with contextlib.closing(other):
            return await house.engine(script).run()

    assert asyncio.run(drive()).state is ExperimentState.SUCCEEDED


def test_time_in_which_the_machine_slept_is_no_time_of_the_experiment(house: House):
    house.create()

    async def count(*moments: float) -> float:
        engine = house.engine(lambda _: Run())
        engine._pictures.is_going = True
        for moment in moments:
            engine._count_time(moment)
        return engine._memory.unsaved_seconds

    assert asyncio.run(count(100.0, 101.0, 30_000.0, 30_001.0)) == 1.0 + LONGEST_STEP + 1.0
    assert asyncio.run(count(100.0, 40.0, 41.0)) == 1.0


def test_what_cannot_run_here_fails_with_its_message(house: House):
    house.create(maxTrialCount=1, parallelTrialCount=1)
    house.run(lambda _: Run(refuses=Unsupported("MPIJob does not run here: use a cluster")))
    trial = house.store.trial(house.record.uid, 0)
    assert trial.state is TrialState.FAILED
    assert "use a cluster" in trial.message


def test_metrics_that_never_came_are_named(house: House):
    house.create(maxTrialCount=1, parallelTrialCount=1)
    house.run(lambda _: Run(["accuracy=0.3"]))
    trial = house.store.trial(house.record.uid, 0)
    assert trial.state is TrialState.METRICS_UNAVAILABLE
    assert "accuracy" in trial.message


def test_what_a_trial_used_is_a_metric_that_nobody_has_to_print(house: House):
    names = ["cpu_seconds", "peak_memory_bytes", "wall_seconds"]
    house.create(
        maxTrialCount=1,
        parallelTrialCount=1,
        objective={
            "type": "minimize", "objectiveMetricName": "wall_seconds",
            "additionalMetricNames": ["cpu_seconds", "peak_memory_bytes", "loss"],
        },
    )  # fmt: skip
    house.run(lambda _: Run(["cpu_seconds=7"], usage=Usage(2.5, 1.5, 1 << 20)))
    trial = house.store.trial(house.record.uid, 0)
    assert (trial.state, trial.value) == (TrialState.SUCCEEDED, 2.5)
    observation = house.store.observation(house.record.uid, 0)
    assert sorted(observation) == names
    # It printed its own CPU time, and is believed.
    assert [observation[name].latest for name in names] == [7.0, float(1 << 20), 2.5]


def test_a_goal_is_not_reached_by_a_trial_that_breaks_a_constraint(house: House):
    house.create(
        maxTrialCount=3,
        parallelTrialCount=1,
        objective={"type": "minimize", "objectiveMetricName": "loss", "goal": 0.2},
        constraints=[{"metric": "memory", "max": 3}],
    )
    house.run(lambda _: Run(["loss=0.1", "memory=9"]))
    assert house.record.reason == "ExperimentMaxTrialsReached"
    assert house.record.best == ()
    assert "memory 9 is more than 3" in house.store.trial(house.record.uid, 0).message


TWO_GOALS = {
    "objective": {"type": "minimize", "objectiveMetricName": "loss", "goal": 0.5},
    "objectives": [{"metric": "memory", "type": "minimize", "goal": 3}],
    "parallelTrialCount": 1,
    "maxTrialCount": 4,
}
TOLD = [["loss=0.1", "memory=9"], ["loss=0.9", "memory=1"], ["loss=0.4", "memory=3"]]


def test_several_goals_end_it_once_one_trial_reaches_them_all(house: House):
    house.create(**TWO_GOALS)
    house.run(lambda workload: Run([*TOLD, []][workload.ref.index]))
    assert house.record.reason == "ExperimentGoalReached"
    assert house.states() == [TrialState.SUCCEEDED] * 3


def test_a_trial_that_breaks_a_constraint_reaches_no_goals(house: House):
    house.create(**TWO_GOALS, constraints=[{"metric": "memory", "max": 2}])
    house.run(lambda workload: Run([*TOLD, ["loss=0.9", "memory=1"]][workload.ref.index]))
    assert house.record.reason == "ExperimentMaxTrialsReached"


def test_a_hopeless_trial_is_stopped_early_and_keeps_its_observation(house: House):
    house.create(
        maxTrialCount=4,
        parallelTrialCount=1,
        earlyStopping={
            "algorithmName": "medianstop",
            "algorithmSettings": [
                {"name": "min_trials_required", "value": "3"},
                {"name": "start_step", "value": "2"},
            ],
        },
    )

    def script(workload: Workload) -> Run:
        bad = workload.ref.index == 3
        return Run(["loss=9"] * 3 if bad else ["loss=1"] * 3, stays=bad)

    house.run(script)
    trial = house.store.trial(house.record.uid, 3)
    assert trial.state is TrialState.EARLY_STOPPED
    assert trial.value == 9.0


def test_leaving_ends_what_runs_and_the_next_engine_goes_on(house: House):
    house.create(maxTrialCount=2)

    async def leave() -> Outcome:
        engine: Engine | None = None
        seen: list[str] = []

        def script(workload: Workload) -> Run:
            seen.append(workload.ref.trial)
            if len(seen) == 2:
                assert engine is not None
                asyncio.get_running_loop().call_soon(engine.leave)
            return Run(stays=True)

        engine = house.engine(script)
        return await engine.run()

    outcome = asyncio.run(leave())
    assert outcome.interrupted
    assert house.record.totals.finished == 0
    points = [trial.proposal for trial in house.store.trials(house.record.uid)]
    assert house.run(lambda _: Run(["loss=1"])).state is ExperimentState.SUCCEEDED
    again = house.store.trials(house.record.uid)
    assert [trial.proposal for trial in again] == points
    assert {trial.attempt.attempt for trial in again if trial.attempt} == {2}
    assert all(trial.retries == 0 for trial in again)


def test_what_a_killed_engine_left_is_ended_before_it_runs_again(house: House):
    uid = house.create(maxTrialCount=1, parallelTrialCount=1).uid

    async def abandon() -> None:
        engine = house.engine(lambda _: Run(stays=True))
        driving = asyncio.create_task(engine.run())
        while not (house.runtime and house.runtime.active):  # noqa: ASYNC110 # a script has no event
            await asyncio.sleep(0)
        driving.cancel()
        await asyncio.gather(driving, return_exceptions=True)

    asyncio.run(abandon())
    token = house.store.attempts(uid, 0)[0].token
    house.run(lambda _: Run(["loss=1"]))
    assert house.runtime is not None
    assert house.runtime.strays == [token]
    assert house.states() == [TrialState.SUCCEEDED]


@pytest.mark.parametrize("ran", [True, False], ids=["running", "starting"])
def test_time_in_which_no_engine_ran_is_no_time_of_a_trial(house: House, ran: bool):
    limits = {"activeDeadlineSeconds": 600, "pendingDeadlineSeconds": 600}
    uid = house.create(maxTrialCount=1, parallelTrialCount=1, trialPolicy=limits).uid
    house.store.propose(uid, 0, [("t-0", Proposal({"x": 0.5}))], made_from=0, now=1.0)
    house.store.start_attempt(uid, 0, 1, token="t", now=2.0)
    if ran:
        house.store.attempt_running(uid, 0, 1, pid=7, pid_started_at=1.0, now=3.0)
    house.run(lambda _: Run(["loss=1"]))
    assert house.states() == [TrialState.SUCCEEDED]
    assert [each.attempt for each in house.store.attempts(uid, 0)] == [1, 2]


def test_a_raised_budget_opens_a_finished_experiment_again(house: House):
    uid = house.create(maxTrialCount=2).uid
    script: Script = lambda _: Run(["loss=1"])  # noqa: E731 # one line says it
    house.run(script)
    house.store.wish(uid, "edit", {"maxTrialCount": 4}, now=5.0)
    assert house.run(script).state is ExperimentState.SUCCEEDED
    assert house.record.totals.finished == 4


def test_a_paused_experiment_starts_nothing_until_it_is_resumed(house: House):
    uid = house.create(maxTrialCount=3, parallelTrialCount=1, suspend=True).uid

    async def drive() -> Outcome:
        engine = house.engine(lambda _: Run(["loss=1"]))
        driving = asyncio.create_task(engine.run())
        while house.record.state is ExperimentState.CREATED:  # noqa: ASYNC110 # the store has none
            await asyncio.sleep(0.01)
        assert house.record.totals.proposed == 0
        house.store.wish(uid, "resume", {}, now=5.0)
        engine.wake()
        return await driving

    assert asyncio.run(drive()).state is ExperimentState.SUCCEEDED


def test_initial_trials_come_first_and_a_known_one_is_not_run(house: House):
    house.create(
        maxTrialCount=2,
        parallelTrialCount=1,
        initialTrials=[
            {"assignments": {"x": "0.25"}, "observation": {"loss": 0.01}},
            {"assignments": {"x": "0.75"}},
        ],
    )
    house.run(lambda workload: Run([f"loss={x_of(workload)}"]))
    assert house.runtime is not None
    trials = house.store.trials(house.record.uid)
    assert [trial.proposal.point["x"] for trial in trials[:2]] == [0.25, 0.75]
    assert house.record.best[0].index == 0
    assert len(house.runtime.history) == 2


def test_the_same_seed_gives_the_same_points_through_any_number_of_engines(tmp_path: Path):
    for name in "ab":
        (tmp_path / name).mkdir()
    whole, broken = House(tmp_path / "a"), House(tmp_path / "b")
    for house in (whole, broken):
        house.create(maxTrialCount=6, parallelTrialCount=1)
    whole.run(lambda _: Run(["loss=1"]))

    async def interrupted() -> None:
        engine: Engine | None = None

        def script(_: Workload) -> Run:
            assert engine is not None
            asyncio.get_running_loop().call_soon(engine.leave)
            return Run(["loss=1"])

        engine = broken.engine(script)
        await engine.run()

    while broken.record.totals.finished < 6:
        asyncio.run(interrupted())
    points = [
        [trial.proposal.point for trial in house.store.trials(house.record.uid)]
        for house in (whole, broken)
    ]
    assert points[0] == points[1]
    for house in (whole, broken):
        house.store.close()


def test_a_retried_attempt_goes_on_from_its_own_checkpoint(house: House):
    house.create(
        checkpoint={},
        maxTrialCount=1,
        parallelTrialCount=1,
        trialPolicy={"retries": 1, "backoffSeconds": 0},
    )
    resumed: list[bool] = []

    def script(workload: Workload) -> Run:
        kept = Path(workload.environment["TUNEWRIGHT_CHECKPOINT_DIR"])
        resumed.append("TUNEWRIGHT_RESUME_FROM" in workload.environment)
        (kept / "weights").touch()
        return Run(["loss=1"], exit_code=0 if resumed[-1] else 1)

    assert house.run(script).state is ExperimentState.SUCCEEDED
    assert resumed == [False, True]


def test_a_promoted_trial_goes_on_from_the_checkpoint_of_its_lower_rung(house: House):
    budget = {"name": "e", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "4"}}
    settings = {"r_l": "4", "eta": "2", "resource_name": "e"}
    template = document()["spec"]["trialTemplate"]
    template["trialParameters"].append({"name": "e", "reference": "e"})
    main = template["trialSpec"]["spec"]["template"]["spec"]["containers"][0]
    main["command"].append("${trialParameters.e}")
    house.create(
        checkpoint={},
        maxTrialCount=12,
        trialTemplate=template,
        algorithm={
            "algorithmName": "hyperband",
            "algorithmSettings": [{"name": key, "value": each} for key, each in settings.items()],
        },
        parameters=[*document()["spec"]["parameters"], budget],
    )
    inherited: dict[str, str] = {}

    def script(workload: Workload) -> Run:
        kept = Path(workload.environment["TUNEWRIGHT_CHECKPOINT_DIR"])
        if "TUNEWRIGHT_RESUME_FROM" in workload.environment:
            inherited[workload.ref.trial] = (kept / "name").read_text(encoding="utf-8")
        (kept / "name").write_text(workload.ref.trial, encoding="utf-8")
        return Run([f"loss={x_of(workload)}"])

    house.run(script)
    trials = house.store.trials(house.record.uid)
    promoted = {trial.name: trial.proposal.parent for trial in trials if trial.proposal.parent}
    assert promoted
    assert inherited == promoted


def population(house: House, **spec: Any) -> None:
    settings = {"suggestion_trial_dir": "/c", "n_population": "5", "truncation_threshold": "0.2"}
    given = [{"name": name, "value": value} for name, value in settings.items()]
    house.create(
        maxTrialCount=25,
        parallelTrialCount=5,
        algorithm={"algorithmName": "pbt", "algorithmSettings": given},
        **spec,
    )


def keeps_a_checkpoint(workload: Workload) -> Run:
    (Path(workload.environment["TUNEWRIGHT_CHECKPOINT_DIR"]) / "weights").touch()
    return Run([f"loss={x_of(workload)}"])


def kept_at_the_end(house: House) -> set[int]:
    """Return the trials whose checkpoints are there."""
    trials = house.store.trials(house.record.uid)
    return {t.index for t in trials if (house.folder / t.name / "checkpoint" / "weights").exists()}


def test_checkpoints_of_a_population_that_nobody_goes_on_from_are_removed(house: House):
    population(house, checkpoint={})
    assert house.run(keeps_a_checkpoint).state is ExperimentState.SUCCEEDED
    trials = house.store.trials(house.record.uid)
    by_name = {trial.name: trial.index for trial in trials}
    parents = {by_name[t.proposal.parent] for t in trials[15:] if t.proposal.parent}
    kept, needed = kept_at_the_end(house), {*range(15, 25), *parents, house.record.best[0].index}
    assert kept >= needed
    assert len(kept - needed) <= 1  # what was the best when the last generation began
    assert len(kept) < 18


@pytest.mark.parametrize("keep", ["All", "Best"])
def test_the_file_says_which_checkpoints_are_kept(house: House, keep: str):
    population(house, checkpoint={"keep": keep})
    house.run(keeps_a_checkpoint)
    best = house.record.best[0].index
    assert kept_at_the_end(house) == ({best} if keep == "Best" else set(range(25)))


def test_checkpoints_of_an_interrupted_experiment_stay(house: House):
    population(house, checkpoint={"keep": "Best"})
    engines: list[Engine] = []

    def script(workload: Workload) -> Run:
        run = keeps_a_checkpoint(workload)
        if len(kept_at_the_end(house)) == 8:
            engines[0].leave()
        return run

    async def drive() -> Outcome:
        engines.append(house.engine(script))
        return await engines[0].run()

    assert asyncio.run(drive()).interrupted
    assert len(kept_at_the_end(house)) >= 8
