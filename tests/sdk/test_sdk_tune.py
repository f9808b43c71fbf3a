"""`tune()` and `Client` on this machine: real trials, a real store."""

import asyncio
import contextlib
import functools
import json
import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.command import IN_TERMINAL, ROOT
from support.waiting import until
from tunewright import Client, search, tune
from tunewright.api.errors import Conflict, Invalid, NotFound, Unsupported
from tunewright.api.identity import ExperimentKey
from tunewright.api.states import ExperimentState
from tunewright.db.sql import open_store
from tunewright.sdk.calling import check_call
from tunewright.sdk.commands import CommandFailed
from tunewright.sdk.resume import take_up
from tunewright.sdk.sources.here import Here
from tunewright.sdk.sources.where import Where
from tunewright.sdk.tune import FunctionFailed

pytestmark = [pytest.mark.timeout(120), pytest.mark.needs("linux")]

SPACE = {"x": search.double(-2, 2), "n": search.int(1, 4), "kind": search.categorical(["a", "b"])}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / '.types'}{os.pathsep}{ROOT / 'tests'}")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def is_left(process):
    """Whether a process has ended, and this one has not taken note of it."""
    with contextlib.suppress(OSError):
        state, parent = (process / "stat").read_text().rpartition(")")[2].split()[:2]
        return (state, int(parent)) == ("Z", os.getpid())
    return False


def experiment(name, command="echo loss=${trialParameters.x}", trials=4):
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": name},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "maxTrialCount": trials,
            **search.parameters({"x": search.double(0, 1)}),
            "trialTemplate": {
                "trialSpec": {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "spec": {
                        "template": {
                            "spec": {
                                "containers": [
                                    {"name": "main", "image": "x", "command": ["sh", "-c", command]}
                                ]
                            }
                        }
                    },
                }
            },
        },
    }


def test_a_function_is_called_with_numbers_as_numbers_and_its_best_is_found():
    offset = 0.5  # a closure's value travels

    def loss(x, n, kind):
        assert (type(x), type(n), type(kind)) == (float, int, str)
        return (x - offset) ** 2 + n + (kind == "b")

    result = tune(loss, SPACE, trials=12, parallel=2, seed=3, quiet=True)
    assert len(result.trials) == 12
    assert all(trial.state == "Succeeded" for trial in result.trials)
    assert result.best.value == min(trial.value for trial in result.trials)
    parameters = result.best.parameters
    assert result.best.value == pytest.approx(loss(**parameters))


def test_a_function_of_a_file_beside_the_script_is_called(tmp_path, monkeypatch):
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "objective.py").write_text("def loss(x):\n    return x\n")
    (tmp_path / "pickle.py").write_text("raise RuntimeError('no library')")
    monkeypatch.syspath_prepend(tmp_path / "beside")
    from objective import loss

    result = tune(loss, {"x": search.double(0, 1)}, trials=2, quiet=True)
    assert result.best.value == result.best.parameters["x"]


def test_a_mapping_is_a_value_for_each_metric_and_the_greatest_may_be_the_best():
    def metrics(x):
        return {"accuracy": x, "seconds": 1.5}

    space = {"x": search.double(0, 1)}
    result = tune(
        metrics, space, metric="accuracy", direction="maximize", trials=4, quiet=True, name="acc"
    )
    assert result.experiment.name == "acc"
    assert result.best.value == max(trial.parameters["x"] for trial in result.trials)


def test_numbers_of_numpy_are_numbers():
    options = {"trials": np.int64(2), "parallel": np.int64(2), "goal": np.float64(-1)}
    result = tune(lambda x: x, {"x": search.discrete(np.array([1, 2]))}, quiet=True, **options)
    assert {trial.value for trial in result.trials} <= {1, 2}


def test_more_trials_at_once_than_there_are_mean_all_of_them():
    result = tune(lambda x: x, {"x": search.double(0, 1)}, trials=1, parallel=4, quiet=True)
    assert len(result.trials) == 1


def test_what_the_machine_lacks_is_raised(tmp_path, monkeypatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()

    with pytest.raises(CommandFailed, match="the current folder no longer exists"):
        tune(lambda x: x, {"x": search.double(0, 1)}, trials=1, quiet=True)


def test_an_experiment_whose_engine_broke_off_is_no_result(monkeypatch):
    def broken_off(self, path, look=None):
        document = json.loads(path.read_text())
        document["spec"]["suspend"] = True
        self.create(document)
        return 1

    monkeypatch.setattr(Client, "run", broken_off)

    with Client() as client:
        with pytest.raises(CommandFailed, match="`tunewright resume broken` continues it"):
            tune(lambda x: x, {"x": search.double(0, 1)}, name="broken", client=client)
        client.stop("broken")


def test_points_to_begin_with_further_objectives_and_constraints_are_the_experiments():
    def measured(x, kind):
        return {"loss": x, "seconds": 1 - x, "memory": 4 * x}

    result = tune(
        measured,
        {"x": search.double(0, 1), "kind": search.categorical(["a", "b"])},
        metric="loss",
        initial=[{"x": np.float64(0.75), "kind": "b"}, {"x": 0.5, "kind": "a"}],
        objectives={"seconds": "minimize"},
        constraints={"memory": (None, 2.5), "seconds": (0, 1)},
        trials=2,
        quiet=True,
    )
    assert [trial.parameters for trial in result.trials] == [
        {"x": 0.75, "kind": "b"},
        {"x": 0.5, "kind": "a"},
    ]
    assert result.best.index == 1  # the other takes too much memory
    spec = result.experiment.data["document"]["spec"]
    assert spec["objectives"] == [{"metric": "seconds", "type": "minimize"}]


def test_a_function_may_report_by_itself():
    def trains(x):
        from tunewright import report

        for step in range(3):
            report(objective=x + 3 - step, step=step)

    result = tune(trains, {"x": search.double(0, 1)}, trials=3, quiet=True)
    assert result.best.metrics["objective"] == pytest.approx(result.best.parameters["x"] + 1)


def test_when_every_call_fails_the_first_error_is_raised_with_its_traceback():
    def fails(x):
        raise ZeroDivisionError(f"at {x > -1}")

    with pytest.raises(ZeroDivisionError, match="at True") as caught:
        tune(fails, {"x": search.double(0, 1)}, trials=5, quiet=True)
    assert isinstance(caught.value.__cause__, FunctionFailed)
    assert "ZeroDivisionError: at True" in str(caught.value.__cause__)


@pytest.mark.parametrize("returned", ["deep", (0.5, 1), [0.5]], ids=repr)
def test_what_is_returned_and_is_no_number_is_named(returned):
    with pytest.raises(ValueError, match=re.escape(f"objective: {returned!r} is not a number")):
        tune(lambda x: returned, {"x": search.double(0, 1)}, trials=1, quiet=True)


def test_a_mapping_without_the_objective_says_what_is_in_it():
    result = tune(lambda x: {"acc": x, "f1": x}, {"x": search.double(0, 1)}, trials=1, quiet=True)

    with pytest.raises(LookupError, match="objective was never reported; seen: acc, f1"):
        _ = result.best


@pytest.mark.parametrize(
    ("returned", "why"),
    [
        ({"objective": float("nan")}, "the value of trial 0 is nan, which is never the best"),
        ({"objective": 1.0, "memory": 9}, "cannot be the best: memory 9 is more than 3"),
    ],
)
def test_where_no_trial_that_succeeded_is_the_best_the_reason_is_told(returned, why):
    found = tune(
        lambda x: {"memory": 1, **returned},
        {"x": search.int(1, 3)},
        trials=1,
        quiet=True,
        constraints={"memory": (None, 3)},
    )
    with pytest.raises(LookupError, match=why):
        _ = found.best


def test_an_error_of_the_users_own_class_is_raised_as_that():
    class Exploded(Exception):
        pass

    def fails(x):
        raise Exploded("in flames")

    with pytest.raises(Exploded, match="in flames"):
        tune(fails, {"x": search.double(0, 1)}, trials=1, quiet=True)


def test_an_error_that_cannot_be_made_again_is_told_as_text():
    class Fragile(Exception):
        def __init__(self, *, at):
            super().__init__(f"at {at}")

    def fails(x):
        raise Fragile(at="sea")

    with pytest.raises(FunctionFailed, match="Fragile: at sea"):
        tune(fails, {"x": search.double(0, 1)}, trials=1, quiet=True)


class Scaled:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x):
        return self.factor * x


@pytest.mark.parametrize(
    ("function", "name"),
    [(functools.partial(pow, exp=2), "pow"), (Scaled(2), "scaled"), (Scaled(2).__call__, "call")],
)
def test_whatever_can_be_called_is_tuned(function, name):
    space = {"base" if name == "pow" else "x": search.double(0, 1)}
    result = tune(function, space, trials=2, quiet=True)
    assert result.experiment.name.startswith(f"{name}-")
    assert result.best.value >= 0


def test_what_cannot_be_called_is_refused():
    with pytest.raises(TypeError, match="3 cannot be called"):
        tune(3, {"x": search.double(0, 1)})


def test_what_is_no_client_is_refused():
    with pytest.raises(TypeError, match="client 3 is none: give a"):
        tune(lambda x: x, {"x": search.double(0, 1)}, client=3)


def test_a_function_that_fails_at_some_points_is_tuned_all_the_same():
    def sometimes(x):
        if x > 0.5:
            raise ValueError("too much")
        return x

    result = tune(sometimes, {"x": search.double(0, 1)}, trials=10, seed=1, quiet=True)
    assert {trial.state for trial in result.trials} == {"Succeeded", "Failed"}
    assert result.best.value <= 0.5


def test_wrong_options_are_refused_with_what_the_command_says():
    with pytest.raises(Invalid, match="unknown algorithm name tpee"):
        tune(lambda x: x, {"x": search.double(0, 1)}, algorithm="tpee", quiet=True)


@pytest.mark.parametrize(
    "wrong", [{"name": "../../My Run"}, {"trials": 0}, {"algorithm": "tpee"}, {"metric": ""}]
)
def test_what_is_refused_leaves_no_file(home, wrong):
    with pytest.raises(Invalid):
        tune(lambda x: x, {"x": search.double(0, 1)}, quiet=True, **wrong)
    assert not list(home.rglob("*.pickle"))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"initial": {"x": 0.5}}, "initial: .* is not a list of points"),
        ({"initial": [0.5]}, "initial: .* is not a list of points"),
        ({"initial": 0.5}, "initial: 0.5 is not a list of points"),
        ({"objectives": ["memory"]}, "objectives: .* is not a mapping .*minimize"),
        ({"settings": "n_startup_trials=5"}, "settings: .* is not a mapping"),
        ({"constraints": {"memory": 8}}, r"constraints\['memory'\]: 8 is not a pair"),
        ({"constraints": {"memory": (1, 2, 3)}}, "is not a pair"),
    ],
)
def test_an_option_of_another_shape_is_named(wrong, said):
    with pytest.raises(Invalid, match=said):
        tune(lambda x: x, {"x": search.double(0, 1)}, quiet=True, **wrong)


def test_none_is_no_option():
    options = dict.fromkeys(("initial", "objectives", "constraints", "settings", "goal", "seed"))
    result = tune(lambda x: x, {"x": search.double(0, 1)}, trials=1, quiet=True, **options)
    assert result.best.value is not None


def test_a_parameter_whose_name_has_an_equals_sign_may_begin():
    space, first = {"a=b": search.double(0, 1)}, [{"a=b": 0.5}]
    result = tune(lambda **values: values["a=b"], space, trials=1, initial=first, quiet=True)
    assert result.best.value == 0.5


def test_a_function_is_kept_beside_its_store_and_deleted_with_its_experiment(home, tmp_path):
    client = Client(store=tmp_path / "elsewhere" / "store.db")
    space = {"x": search.double(0, 1)}
    tune(lambda x: x, space, trials=1, quiet=True, name="there", client=client)
    assert list((tmp_path / "elsewhere").rglob("*.pickle"))
    client.delete("there")
    assert not list(tmp_path.rglob("*.pickle"))


def test_a_client_begins_waits_looks_and_deletes():
    client = Client()
    begun = client.create(experiment("one"))
    assert begun.name == "one"
    ended = client.wait("one", timeout=60)
    assert (ended.state, ended.is_finished) == ("Succeeded", True)
    assert [each.name for each in client.experiments()] == ["one"]
    trials = client.trials("one")
    assert [trial.index for trial in trials] == [0, 1, 2, 3]
    assert client.best("one").value == min(trial.value for trial in trials)
    assert client.trial("one", 2) == trials[2]
    assert client.logs("one", 2).startswith("loss=")
    assert client.explain("one")
    client.delete("one")
    assert client.experiments() == []


def test_of_an_engine_that_has_ended_its_client_keeps_no_process():
    client = Client()
    client.create(experiment("one"))
    client.wait("one", timeout=60)
    until(lambda: not any(each.name.startswith("engine ") for each in threading.enumerate()))
    ended = [each.name for each in Path("/proc").glob("[0-9]*") if is_left(each)]
    assert ended == []


def test_in_a_loop_that_runs_a_plug_in_is_asked_what_it_says_to_an_experiment():
    async def cell():
        document = experiment("asks")
        document["spec"]["algorithm"] = {"algorithmName": "mine", "endpoint": "127.0.0.1:1"}
        with pytest.warns(RuntimeWarning, match="not checked: "):
            return Client().create(document)

    assert asyncio.run(cell()).name == "asks"
    Client().stop("asks")


def test_a_client_pauses_resumes_edits_and_stops():
    client = Client()
    client.create(experiment("slow", "sleep 0.3; echo loss=${trialParameters.x}", trials=500))
    client.pause("slow")
    client.edit("slow", max_trials=100_000, parallel=1)
    assert client.experiment("slow").data["max_trials"] == 100_000
    client.resume("slow")
    with pytest.raises(TimeoutError, match="slow is "):
        client.wait("slow", timeout=1)
    client.stop("slow")
    assert client.wait("slow", timeout=60).is_finished


def test_an_experiment_whose_budget_is_used_up_stays_ended():
    client = Client()
    client.create(experiment("short", trials=1))
    client.wait("short", timeout=60)

    with pytest.raises(Conflict, match="raise maxTrialCount"):
        client.resume("short")

    assert client.experiment("short").state == "Succeeded"


def test_an_experiment_that_ends_as_soon_as_it_goes_on_gets_no_engine_of_its_own(monkeypatch):
    client = Client()
    client.create(experiment("short", trials=1))
    client.wait("short", timeout=60)
    monkeypatch.setattr(Here, "suspend", lambda *_, **__: None)  # who drove it was quick

    with Where().opened() as source:
        ended = source.records.experiment(ExperimentKey("default", "short"))
        paused = replace(ended, state=ExperimentState.RUNNING, suspended=True)
        with source.place.driving(ended.uid):  # the engine has not left yet
            record, said = take_up(source, paused)

    assert (record.state, said) == (
        ExperimentState.SUCCEEDED,
        "short continued in the process that runs it, and has ended.",
    )


def test_a_wish_to_stop_that_came_after_the_end_does_not_keep_an_experiment_ended(home):
    client = Client()
    client.create(experiment("short", trials=1))
    client.wait("short", timeout=60)
    with contextlib.closing(open_store(home / "store.db")) as store:
        key = ExperimentKey("default", "short")
        store.wish(store.experiment(key).uid, "stop", {}, now=time.time())

    client.edit("short", max_trials=2)
    client.resume("short")

    assert client.wait("short", timeout=60).data["trials"]["Succeeded"] == 2


def test_what_is_not_there_is_said():
    with pytest.raises(NotFound, match="no experiment is called nothing"):
        Client().experiment("nothing")
    with pytest.raises(ValueError, match="in a store, on a cluster or on a server: name one"):
        Client(store="x.db", cluster=True)


def test_another_function_under_the_same_name_is_refused_and_never_passes_for_the_first():
    space = {"x": search.double(0, 1)}
    tune(lambda x: x, space, name="same", trials=3, quiet=True)
    with pytest.raises(Conflict, match="same"):
        tune(lambda x: -x, space, name="same", trials=3, quiet=True)


def test_packages_are_those_of_this_python():
    with pytest.raises(Unsupported, match="install them"):
        tune(lambda x: x, {"x": search.double(0, 1)}, packages=["numpy"])


def test_a_function_that_cannot_be_called_with_the_space_is_refused_before_any_trial():
    def loss(rate, *, depth, seed=0):
        return rate * depth * seed

    with pytest.raises(Invalid) as caught:
        tune(loss, {"rate": search.double(0, 1), "lr": search.double(0, 1)}, trials=2)

    assert [(fault.path, fault.remedy) for fault in caught.value.faults] == [
        ("space['lr']", "its parameters are rate, depth, seed"),
        ("space", "add it, or give it a default"),
    ]
    assert "needs depth" in str(caught.value)
    assert Client().experiments() == []


async def waits(x):
    return x


def yields(x):
    yield x


@pytest.mark.parametrize("function", [waits, yields])
def test_a_function_whose_call_is_no_value_is_refused(function):
    with pytest.raises(Invalid, match=r"returns a (coroutine|generator), no value"):
        check_call(function, ["x"])


def decorated(function):
    @functools.wraps(function)
    def called(*given, **named):
        return function("a recorder", *given, **named)

    return called


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda **values: values["x"], id="whatever is named"),
        pytest.param(lambda x, *rest: x, id="more than is named"),
        pytest.param(functools.partial(lambda recorder, x: x, "a recorder"), id="in part"),
        pytest.param(decorated(lambda recorder, x: x), id="decorated"),
    ],
)
def test_what_may_be_called_with_the_space_is_let_pass(function):
    check_call(function, ["x"])


def test_how_the_engine_was_called_is_no_affair_of_trials(tmp_path):
    def loss(x):
        (tmp_path / "seen").write_text(json.dumps(dict(os.environ)))
        return x

    tune(loss, {"x": search.double(0, 1)}, trials=1, quiet=True)

    seen = json.loads((tmp_path / "seen").read_text())
    assert "TUNEWRIGHT_TRIAL_DIR" in seen
    assert not {"TUNEWRIGHT_CALLER", "TUNEWRIGHT_ERRORS"} & seen.keys()


WAITS = """
import pathlib, signal, sys, time
from tunewright import search, tune

def loss(x):
    def tidy(number, frame):
        time.sleep(1)
        pathlib.Path("tidy").touch()
        sys.exit(1)

    signal.signal(signal.SIGTERM, tidy)
    pathlib.Path("begun").touch()
    time.sleep(60)

try:
    tune(loss, {"x": search.double(0, 1)}, trials=1, name="waits", quiet=QUIET)
except KeyboardInterrupt:
    print("trials:", *pathlib.Path(".").glob("tidy"), flush=True)
"""
"""A trial that uses its grace, and what there is of it when `tune` has let go."""


@pytest.mark.parametrize("quiet", [False, True])
def test_ctrl_c_lets_trials_end_in_order_and_leaves_the_terminal_as_it_was(tmp_path, quiet):
    (tmp_path / "waits.py").write_text(WAITS.replace("QUIET", str(quiet)))
    terminal = subprocess.Popen(
        [*IN_TERMINAL, sys.executable, "waits.py"],
        env={**os.environ, "TERM": "xterm"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    until((tmp_path / "begun").exists)

    shown, _ = terminal.communicate(b"\x03", timeout=60)

    assert shown.endswith(b"trials: tidy\r\n"), shown
    assert shown.count(b"\x1b[?25l") == shown.count(b"\x1b[?25h") == (not quiet)  # the cursor


@pytest.mark.parametrize("quiet", [False, True])
def test_trials_end_in_order_when_the_program_that_tunes_is_killed(tmp_path, quiet):
    (tmp_path / "waits.py").write_text(WAITS.replace("QUIET", str(quiet)))
    nowhere = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    with subprocess.Popen([sys.executable, "waits.py"], **nowhere) as program:
        until((tmp_path / "begun").exists)
        program.kill()

    until((tmp_path / "tidy").exists)
