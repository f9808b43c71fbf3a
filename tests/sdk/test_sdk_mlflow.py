"""Export to MLflow: into a real store of it, read back by its own client."""

import math

import pytest
from support.asked import asked
from support.command import ROOT
from tunewright import Client, NotFound

pytestmark = [pytest.mark.needs("mlflow"), pytest.mark.filterwarnings("ignore::FutureWarning")]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / ".types"))
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")


@pytest.fixture
def tracked(tmp_path):
    return (tmp_path / "mlruns").as_uri()


@pytest.fixture
def client():
    with Client() as opened:
        experiment = opened.create(asked(trials=4))
        experiment.tell(experiment.ask(), {"loss": 0.5, "valid_0's auc": 0.9})
        experiment.tell(experiment.ask(), failed="the pump leaks")
        experiment.tell(experiment.ask(), loss=math.nan)
        experiment.ask()
        yield opened


def runs_of(tracked, name="asked"):
    from mlflow import MlflowClient

    mlflow = MlflowClient(tracked)
    found = mlflow.search_runs([mlflow.get_experiment_by_name(name).experiment_id])
    return sorted(found, key=lambda run: int(run.data.tags["tunewright.index"]))


def test_each_trial_that_ended_is_a_run_with_all_that_it_reported(client, tracked):
    from tunewright.sdk.integrations.mlflow import export

    assert export(client, "asked", tracking_uri=tracked) == 3
    runs = runs_of(tracked)
    assert [run.info.status for run in runs] == ["FINISHED", "FAILED", "FINISHED"]
    first, trial = runs[0], client.trial("asked", 0)
    assert first.info.run_name == trial.name
    assert first.data.params == {"x": str(trial.parameters["x"])}
    assert first.data.metrics == {"loss": 0.5, "valid_0_s auc": 0.9, "objective_value": 0.5}
    assert first.info.end_time == round(trial.data["finished_at"] * 1000)
    assert runs[1].data.tags["tunewright.reason"] == "TrialFailed"
    assert math.isnan(runs[2].data.metrics["loss"])


def test_exporting_again_adds_what_has_ended_since(client, tracked):
    from tunewright.sdk.integrations.mlflow import export

    export(client, "asked", tracking_uri=tracked, experiment_name="ours")
    client.stop("asked")
    assert export(client, "asked", tracking_uri=tracked, experiment_name="ours") == 1
    assert [run.info.status for run in runs_of(tracked, "ours")][-1] == "KILLED"
    assert export(client, "asked", tracking_uri=tracked, experiment_name="ours") == 0


def test_an_export_that_was_cut_off_is_done_again(client, tracked):
    from mlflow import MlflowClient
    from tunewright.sdk.integrations.mlflow import export

    export(client, "asked", tracking_uri=tracked)
    MlflowClient(tracked).update_run(runs_of(tracked)[0].info.run_id, "RUNNING")
    assert export(client, "asked", tracking_uri=tracked) == 1
    assert len(runs_of(tracked)) == 3


def test_what_is_not_there_is_not_exported(client, tracked):
    from tunewright.sdk.integrations.mlflow import export

    with pytest.raises(NotFound):
        export(client, "nothing", tracking_uri=tracked)
