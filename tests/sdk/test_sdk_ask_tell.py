"""Ask and tell through `Client`: processes, threads, restarts, and the other verbs."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.asked import asked
from support.command import ROOT
from tunewright import Client
from tunewright.api.errors import Conflict, Invalid, NotFound, Unsupported
from tunewright.sdk.sources import place
from tunewright.sdk.sources.here import Here

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / ".types"))


@pytest.fixture
def client():
    with Client() as opened:
        yield opened


def test_a_loop_of_one_s_own_tunes(client):
    experiment = client.create(asked(algorithm="tpe"))
    while (point := experiment.ask()) is not None:
        assert experiment.tell(point, loss=(point.parameters["x"] - 0.3) ** 2, steps=4)
    ended = client.experiment("asked")
    assert (ended.state, len(client.trials("asked"))) == ("Succeeded", 8)
    assert ended.best.value == min(trial.value for trial in client.trials("asked"))
    assert client.best("asked").metrics["steps"] == 4


def test_the_none_that_ends_a_loop_is_no_point_to_tell_of(client):
    experiment = client.create(asked())
    with pytest.raises(TypeError, match="None is no point"):
        experiment.tell(None, loss=1)


WORKER = """
from tunewright import Client
with Client() as client:
    experiment = client.experiment("asked")
    while (point := experiment.ask()) is not None:
        print(point.index, point.attempt)
        assert experiment.tell(point, loss=point.parameters["x"])
"""


def test_processes_that_ask_at_once_share_the_work(client):
    client.create(asked(trials=30))
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    told = [worker.communicate()[0].splitlines() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert sorted(int(line.split()[0]) for lines in told for line in lines) == list(range(30))
    assert client.experiment("asked").data["trials"]["Succeeded"] == 30


def test_threads_of_a_client_get_different_points(client):
    experiment = client.create(asked(trials=12))
    with ThreadPoolExecutor(4) as threads:
        points = list(threads.map(lambda _: experiment.ask(), range(12)))
    assert sorted(point.index for point in points) == list(range(12))
    with pytest.raises(TimeoutError, match="12 points given out, with no result yet"):
        experiment.ask(timeout=0.1)


def test_an_experiment_that_was_asked_is_given_to_other_processes(client):
    experiment = client.create(asked())
    first = experiment.ask()
    again = pickle.loads(pickle.dumps(experiment))
    assert again.ask().index == 1
    assert again.tell(first, loss=1)
    again.client.close()


def test_a_thread_that_waits_for_its_turn_does_not_hold_up_whose_turn_it_is(client, monkeypatch):
    patiences = []

    def look(happens, patience):
        patiences.append(patience)
        return happens()

    monkeypatch.setattr(place, "_in_a_moment", look)
    experiment = client.create(asked(trials=4))
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: experiment.ask(), range(4)))
    assert set(patiences) == {0}


def test_a_process_that_died_loses_its_point_to_another(client):
    experiment = client.create(asked(askTell={"leaseSeconds": 0.5}))
    program = (
        "import os; from tunewright import Client;"
        "point = Client().ask('asked'); print(point.parameters['x'], flush=True); os._exit(9)"
    )
    command = [sys.executable, "-c", program]
    died = subprocess.run(command, check=False, capture_output=True, text=True)
    assert died.returncode == 9, died.stderr
    first = experiment.ask()
    while first.index != 0:
        first = experiment.ask()
    assert (first.attempt, first.parameters["x"]) == (2, float(died.stdout))


def test_an_experiment_whose_trials_people_run_is_paused_edited_stopped_and_deleted(client):
    experiment = client.create(asked())
    experiment.tell(experiment.ask(), loss=0.5)
    client.pause("asked")
    with pytest.raises(TimeoutError, match="suspended"):
        experiment.ask(timeout=0.1)
    client.resume("asked")
    client.edit("asked", max_trials=2)
    point = experiment.ask()
    client.stop("asked")
    assert client.experiment("asked").reason == "ExperimentStopped"
    assert not experiment.tell(point, loss=0.1)
    assert experiment.ask() is None
    client.delete("asked")
    assert client.experiments() == []


def test_an_experiment_is_stopped_though_its_driver_leaves_at_this_moment(client, monkeypatch):
    client.create(asked()).ask()
    looks = iter([True, False])
    monkeypatch.setattr(Here, "is_driven", lambda *_: next(looks))
    client.stop("asked")
    assert client.experiment("asked").reason == "ExperimentStopped"


def test_creating_it_twice_finds_it_and_another_under_its_name_is_refused(client):
    client.create(asked()).ask()
    assert client.create(asked()).data["trials"]["total"] == 1
    with pytest.raises(Conflict, match="maxTrialCount"):
        client.create(asked(trials=9))


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"askTell": {"leaseSeconds": 0}}, "spec.askTell.leaseSeconds"),
        ({"trialTemplate": {"trialSpec": {}}}, "spec.trialTemplate"),
        ({"maxDuration": "1h"}, "spec.maxDuration"),
        ({"checkpoint": {"path": "/c"}}, "spec.checkpoint"),
        ({"earlyStopping": {"algorithmName": "medianstop"}}, "spec.earlyStopping"),
    ],
)
def test_fields_of_workloads_are_refused_where_people_run_the_trials(client, changes, path):
    with pytest.raises(Invalid) as caught:
        client.create(asked(**changes))
    assert path in {fault.path for fault in caught.value.faults}


def test_an_experiment_that_runs_its_trials_is_not_asked(client):
    command = {"name": "main", "image": "x", "command": ["sleep", "${trialParameters.x}"]}
    pod = {"template": {"spec": {"containers": [command]}}}
    template = {"trialSpec": {"apiVersion": "batch/v1", "kind": "Job", "spec": pod}}
    document = asked(trialTemplate=template)
    del document["spec"]["askTell"]
    client.create(document)
    with pytest.raises(Unsupported, match="runs its trials itself"):
        client.ask("asked")
    client.stop("asked")
    with pytest.raises(NotFound, match="no experiment is called nothing"):
        client.ask("nothing")
