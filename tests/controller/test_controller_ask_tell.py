"""Ask and tell, over a real store and real algorithms, in virtual time."""

import asyncio
import math
from contextlib import closing

import pytest
from tunewright.api.compile import problem
from tunewright.api.errors import Invalid, NotFound, PluginBroken, Unsupported
from tunewright.api.experiment import Experiment
from tunewright.api.identity import ExperimentKey
from tunewright.controller.ask_tell import AskTell
from tunewright.db.sql import open_store
from tunewright.suggestion.suggester import open_suggester

LEASE = 100.0


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time


def document(**spec):
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": "asked", "namespace": "default"},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "algorithm": {"algorithmName": "random"},
            "parameters": [
                {
                    "name": "x",
                    "parameterType": "double",
                    "feasibleSpace": {"min": "0", "max": "1"},
                }
            ],
            "maxTrialCount": 4,
            "askTell": {"leaseSeconds": LEASE},
            **spec,
        },
    }


class Desk:
    """An experiment in a store; `another` is what a second process, or a restarted one, has."""

    def __init__(self, store, clock, **spec):
        self.store, self.clock = store, clock
        self.record = store.create_experiment(
            ExperimentKey("default", "asked"),
            document(**spec),
            seed=7,
            workdir="/",
            now=clock.now(),
            uid="u1",
        )
        self.face = self.another()

    def another(self) -> AskTell:
        searched = problem(Experiment.read(self.record.document), uid="u1", seed=7)
        history = lambda after: self.store.history("u1", after)  # noqa: E731
        return AskTell(self.store, self.record, open_suggester(searched, history), self.clock)

    def ask(self, face=None):
        return asyncio.run((face or self.face).ask())

    def tell(self, point, values=None, failure=None, face=None):
        values = {} if values is None else values
        told = (face or self.face).tell(point.index, point.token, values, failure=failure)
        return asyncio.run(told)

    @property
    def experiment(self):
        return self.store.experiment(self.record.key)

    def trial(self, index):
        return self.store.trial("u1", index)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def desk(store, clock):
    return Desk(store, clock)


def test_points_are_asked_for_and_told_until_the_budget_is_used_up(desk):
    for index in range(4):
        point = desk.ask().point
        assert (point.index, point.attempt) == (index, 1)
        assert point.until == desk.clock.now() + LEASE
        assert desk.trial(index).state == "Running"
        desk.clock.time += 5
        assert desk.tell(point, {"loss": point.parameters["x"], "accuracy": 0.5})
    answer = desk.ask()
    assert (answer.point, answer.over) == (None, True)
    assert desk.experiment.state == "Succeeded"
    assert desk.experiment.best[0].value == min(desk.trial(i).value for i in range(4))
    assert desk.trial(0).attempt.usage.wall_seconds == 5
    assert set(desk.store.observation("u1", 0)) == {"loss", "accuracy"}


def test_points_that_are_out_at_once_differ(desk):
    points = [desk.ask().point for _ in range(4)]
    assert [point.index for point in points] == [0, 1, 2, 3]
    assert len({point.parameters["x"] for point in points}) == 4
    answer = desk.ask()
    assert (answer.point, answer.over) == (None, False)
    assert "4 points given out, with no result yet" in answer.why
    assert all(desk.tell(point, {"loss": 1.0}) for point in reversed(points))
    assert desk.ask().over


def test_a_restart_anywhere_gives_the_same_points(store, clock, tmp_path):
    whole = Desk(store, clock)
    expected = []
    for _ in range(4):
        point = whole.ask().point
        expected.append(point.parameters)
        whole.tell(point, {"loss": point.parameters["x"]})
    with closing(open_store(tmp_path / "other.db")) as other:
        torn = Desk(other, clock)
        found = []
        for _ in range(4):
            point = torn.ask(torn.another()).point
            found.append(point.parameters)
            torn.tell(point, {"loss": point.parameters["x"]}, face=torn.another())
    assert found == expected


def test_a_point_that_is_not_told_within_its_lease_is_given_out_again(desk):
    lost = desk.ask().point
    desk.clock.time += LEASE - 1
    assert desk.ask().point.index == 1
    desk.clock.time += 1
    again = desk.ask(desk.another()).point
    assert (again.index, again.attempt) == (0, 2)
    assert again.parameters == lost.parameters
    assert again.token != lost.token
    assert not desk.tell(lost, {"loss": 0.0})
    assert desk.tell(again, {"loss": 0.5})
    assert desk.trial(0).value == 0.5


def test_why_a_point_is_given_out_again_is_written_down(desk):
    desk.ask()
    desk.clock.time += LEASE
    asyncio.run(desk.face.settle())
    assert desk.trial(0).reason == "LeaseOver"
    assert "not told within its lease" in desk.trial(0).message


def test_what_is_told_late_counts_while_nobody_else_has_the_point(desk):
    point = desk.ask().point
    desk.clock.time += 2 * LEASE
    assert desk.tell(point, {"loss": 0.25})
    assert desk.trial(0).value == 0.25


def test_telling_twice_is_telling_once(desk):
    point = desk.ask().point
    assert desk.tell(point, {"loss": 0.25})
    assert desk.tell(point, {"loss": 0.75})
    assert desk.trial(0).value == 0.25
    assert desk.store.observation("u1", 0)["loss"].count == 1


def test_a_failure_is_told_too_and_the_algorithm_hears_of_it(desk):
    assert desk.tell(desk.ask().point, failure="diverged")
    assert (desk.trial(0).state, desk.trial(0).reason) == ("Failed", "TrialFailed")
    assert "diverged" in desk.trial(0).message


def test_a_failed_point_is_given_out_again_as_often_as_the_file_says(store, clock):
    desk = Desk(store, clock, trialPolicy={"retries": 1, "backoffSeconds": 0})
    first = desk.ask().point
    desk.tell(first, failure="a bad day")
    again = desk.ask().point
    assert (again.index, again.attempt, again.parameters) == (0, 2, first.parameters)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_no_number_is_told_and_never_best(desk, value):
    assert desk.tell(desk.ask().point, {"loss": value})
    assert desk.trial(0).state == "Succeeded"
    assert desk.tell(desk.ask().point, {"loss": 3.0})
    assert desk.experiment.best[0].index == 1


def test_the_objective_must_be_told(desk):
    point = desk.ask().point
    with pytest.raises(Invalid, match="loss: the objective is missing, told was accuracy"):
        desk.tell(point, {"accuracy": 1.0})
    assert desk.tell(point, {"loss": 1.0})


def test_what_nobody_asked_for_is_not_told(desk):
    point = desk.ask().point
    assert not asyncio.run(desk.face.tell(0, "another", {"loss": 1.0}))
    with pytest.raises(NotFound):
        asyncio.run(desk.face.tell(9, point.token, {"loss": 1.0}))


def test_an_experiment_that_reached_its_goal_takes_back_what_is_out(store, clock):
    goal = {"type": "minimize", "objectiveMetricName": "loss", "goal": 0.5}
    desk = Desk(store, clock, objective=goal)
    one, other = desk.ask().point, desk.ask().point
    assert desk.tell(one, {"loss": 0.1})
    assert desk.experiment.state == "Succeeded"
    assert desk.trial(other.index).state == "Killed"
    assert not desk.tell(other, {"loss": 0.2})
    assert desk.ask().over


def test_a_person_pauses_and_stops_it(desk):
    desk.store.wish("u1", "pause", {}, now=1.0)
    answer = desk.ask()
    assert (answer.point, answer.over) == (None, False)
    assert any("suspended" in line for line in answer.why)
    desk.store.wish("u1", "resume", {}, now=2.0)
    point = desk.ask().point
    desk.tell(point, {"loss": 1.0})
    desk.store.wish("u1", "stop", {}, now=3.0)
    assert desk.ask().over
    assert desk.experiment.reason == "ExperimentStopped"


def test_a_search_that_failed_is_asked_anew_by_the_same_process_once_it_is_resumed(
    desk, monkeypatch
):
    async def killed(*_, **__):
        raise PluginBroken("killed by signal 9")

    with monkeypatch.context() as patched:
        patched.setattr(desk.face._suggester, "suggest", killed)
        assert desk.ask().over
    assert desk.experiment.reason == "SuggestionFailed"
    desk.store.wish("u1", "resume", {}, now=2.0)
    assert desk.ask().point is not None


def test_the_file_s_own_points_come_first_and_known_ones_are_not_given_out(store, clock):
    initial = [
        {"assignments": {"x": "0.25"}},
        {"assignments": {"x": "0.75"}, "observation": {"loss": 0.1}},
    ]
    desk = Desk(store, clock, initialTrials=initial)
    assert desk.ask().point.parameters == {"x": 0.25}
    assert desk.ask().point.index == 2
    assert desk.trial(1).value == 0.1


def test_an_algorithm_that_cannot_go_on_ends_the_experiment(store, clock):
    grid = {"algorithmName": "grid"}
    parameters = [{"name": "n", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "2"}}]
    desk = Desk(store, clock, algorithm=grid, parameters=parameters)
    for _ in range(2):
        desk.tell(desk.ask().point, {"loss": 1.0})
    answer = desk.ask()
    assert (answer.point, answer.over) == (None, True)
    assert desk.experiment.reason == "ExperimentSuggestionEndReached"


def test_an_experiment_with_workloads_is_not_asked(store, clock):
    with pytest.raises(Unsupported, match="runs its trials itself"):
        Desk(store, clock, askTell=None, trialTemplate={"trialSpec": {}})
