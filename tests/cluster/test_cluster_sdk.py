"""`tune` and `Client` against real pods: a function's source travels, and its trials run."""

import math
from pathlib import Path

import pytest
from cluster.experiments import PYTHON
from support.command import ROOT
from tunewright import Client, search, tune
from tunewright.sdk.template import Machine
from tunewright.sdk.tune import FunctionFailed

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600, func_only=True)]

OFFSET = 0.25
SPACE = {
    "x": search.double(0, 1),
    "layers": search.int(1, 3),
    "kind": search.categorical(["a", "b"]),
}
MACHINE = Machine(
    image=PYTHON,
    resources={"memory": "128Mi", "cpu": "500m"},
    env={"SCALE": "2"},
    volumes={"/scratch": {"emptyDir": {}}},
    template={"retain": True},
)


def distance(x: float) -> float:
    return math.fabs(x - OFFSET)


def loss(x: float, layers: int, kind: str) -> dict[str, float]:
    import os

    assert (type(x), type(layers), type(kind)) == (float, int, str)
    Path("/scratch/kept").write_text(kind, encoding="utf-8")
    print("layers are", layers, flush=True)  # noqa: T201 -- a trial's own output
    return {"objective": distance(x) * float(os.environ["SCALE"])}


def fails(x: float) -> float:
    raise ZeroDivisionError("at the first step")


@pytest.fixture
def client(product, namespace, tmp_path, monkeypatch):
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / ".types"))
    return Client(kubeconfig=namespace.kubeconfig, namespace=namespace.name)


def test_a_function_s_source_is_tuned_by_jobs(client):
    result = tune(
        loss,
        SPACE,
        trials=4,
        parallel=2,
        seed=1,
        name="tuned",
        client=client,
        machine=MACHINE,
        quiet=True,
    )
    assert [trial.state for trial in result.trials] == ["Succeeded"] * 4
    best = result.best
    assert best.value == pytest.approx(2 * distance(best.parameters["x"]))
    assert f"layers are {best.parameters['layers']}\n" in client.logs("tuned")
    assert client.result("tuned").best == best


def test_when_every_call_fails_what_the_first_one_said_is_raised(client):
    space = {"x": search.double(0, 1)}
    with pytest.raises(FunctionFailed):
        tune(fails, space, trials=1, name="failing", client=client, machine=MACHINE, quiet=True)
    assert "ZeroDivisionError: at the first step" in client.logs("failing", 0)
