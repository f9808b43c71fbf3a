"""`tunewright export --to mlflow`, into a real store of MLflow's."""

import pytest

pytestmark = [
    pytest.mark.needs("mlflow"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

QUIET = {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def tracked(tmp_path):
    return (tmp_path / "mlruns").as_uri()


def losses(tracked, name):
    from mlflow import MlflowClient

    client = MlflowClient(tracked)
    runs = client.search_runs([client.get_experiment_by_name(name).experiment_id])
    return sorted(run.data.metrics["loss"] for run in runs)


def test_trials_of_this_machine_become_runs_once(tunewright, experiment, tracked):
    assert tunewright("run", experiment()).code == 0
    words = ("export", "echo", "--to", "mlflow", "--tracking-uri", tracked)
    first, again = tunewright(*words, env=QUIET), tunewright(*words, env=QUIET)
    assert first.code == 0, first.err
    assert "3 new runs in MLflow" in first.err
    assert "0 new runs in MLflow" in again.err
    rows = tunewright("export", "echo", "--format", "json").json
    assert losses(tracked, "echo") == sorted(row["value"] for row in rows)


def test_what_mlflow_refuses_is_told_in_its_words(tunewright, experiment):
    tunewright("run", experiment())
    done = tunewright("export", "echo", "--to", "mlflow", "--tracking-uri", "ftp://x", env=QUIET)
    assert done.code == 1
    assert "MLflow says" in done.err
    assert "Traceback" not in done.err


def test_where_mlflow_is_not_installed_the_extra_is_named(tunewright, experiment, tmp_path):
    tunewright("run", experiment())
    (tmp_path / "site" / "mlflow").mkdir(parents=True)
    (tmp_path / "site" / "mlflow" / "__init__.py").write_text("raise ImportError\n")
    without = type(tunewright)(tunewright.folder, site=tmp_path / "site")
    done = without("export", "echo", "--to", "mlflow")
    assert (done.code, "pip install 'tunewright[mlflow]'" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--tracking-uri", "http://x"), "add --to mlflow"),
        (("--to", "mlflow", "--format", "csv"), "leave --format and --output-file out"),
        (("--to", "mlflow", "-f", "x.csv"), "leave --format and --output-file out"),
    ],
)
def test_options_that_do_not_go_together_are_refused(tunewright, words, said):
    done = tunewright("export", "echo", *words)
    assert (done.code, said in done.err) == (2, True)
