"""MLflow: a run for each trial of an experiment, with its parameters and all that it reported."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

from ...api.errors import MissingExtra, Unsupported
from ..client import Client
from ..results import Experiment
from ..values import Sample, Trial

try:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.exceptions import MlflowException as MlflowException
except ImportError as error:
    raise MissingExtra("export to MLflow", "mlflow") from error

_TRIAL, _UID = "tunewright.trial", "tunewright.experiment_uid"
_STATUS = {
    "Created": "SCHEDULED",
    "Running": "RUNNING",
    "Succeeded": "FINISHED",
    "EarlyStopped": "FINISHED",
    "MetricsUnavailable": "FAILED",
    "Failed": "FAILED",
    "Killed": "KILLED",
}
_PAGE = 500
_MOST_AT_ONCE = 1000  # metrics that MLflow takes in one call


def export(
    client: Client,
    name: str,
    *,
    tracking_uri: str | None = None,
    experiment_name: str | None = None,
) -> int:
    """Write the trials of an experiment that have ended as runs, and return how many were new.

    `tracking_uri` is MLflow's own setting if it is not given; the MLflow experiment has the
    name of ours. Trials that are there already are left alone: exporting again, while it
    runs or after it was resumed, adds what has ended since.

    Raises:
        NotFound: there is no experiment of that name.
    """
    found = client.experiment(name)
    tracking = MlflowClient(tracking_uri)
    home = _home(tracking, experiment_name or found.name)
    uid = str(found.data["uid"])
    known = set(_known(tracking, home, uid))
    new = [
        trial
        for trial in client.trials(name)
        if trial.data["finished_at"] is not None and trial.name not in known
    ]
    for trial in new:
        _write(tracking, home, found, trial, _samples(client, name, trial))
    return len(new)


def _home(tracking: MlflowClient, name: str) -> str:
    there = tracking.get_experiment_by_name(name)
    return str(there.experiment_id if there is not None else tracking.create_experiment(name))


def _known(tracking: MlflowClient, home: str, uid: str) -> Iterator[str]:
    """Yield the names of the trials that are there whole; of others what is there is removed."""
    token = None
    while True:
        page = tracking.search_runs(
            [home], f"tags.`{_UID}` = '{uid}'", max_results=_PAGE, page_token=token
        )
        for run in page:
            if run.info.status == "RUNNING":  # an export that was cut off
                tracking.delete_run(run.info.run_id)
            else:
                yield run.data.tags[_TRIAL]
        token = page.token
        if not token:
            return


def _samples(client: Client, name: str, trial: Trial) -> Iterable[Sample]:
    """Return every value that was reported or, of a cluster, the one that counts of each metric."""
    try:
        return client.metrics(name, trial.index)
    except Unsupported:
        at = float(trial.data["finished_at"])
        return [Sample(metric, value, at, None) for metric, value in trial.metrics.items()]


def _write(
    tracking: MlflowClient,
    home: str,
    experiment: Experiment,
    trial: Trial,
    samples: Iterable[Sample],
) -> None:
    data = trial.data
    started = data["started_at"] or data["created_at"]
    tags = {
        _TRIAL: trial.name,
        _UID: str(experiment.data["uid"]),
        "tunewright.experiment": experiment.name,
        "tunewright.index": str(trial.index),
        "tunewright.state": trial.state,
        "tunewright.reason": str(data["reason"]),
    }
    run = tracking.create_run(home, _milliseconds(started), run_name=trial.name)
    run_id = run.info.run_id
    tracking.log_batch(
        run_id,
        params=[Param(key, str(value)) for key, value in trial.parameters.items()],
        tags=[RunTag(key, value) for key, value in tags.items()],
    )
    metrics = list(_metrics(trial, samples))
    for first in range(0, len(metrics), _MOST_AT_ONCE):
        tracking.log_batch(run_id, metrics=metrics[first : first + _MOST_AT_ONCE])
    tracking.set_terminated(run_id, _STATUS[trial.state], _milliseconds(data["finished_at"]))


def _metrics(trial: Trial, samples: Iterable[Sample]) -> Iterator[Any]:
    """Yield what was reported, and the trial's value under the name that says so."""
    for sample in samples:
        at = _milliseconds(sample.time)
        yield Metric(_name(sample.metric), sample.value, at, sample.step or 0)
    if trial.value is not None and math.isfinite(trial.value):
        yield Metric("objective_value", trial.value, _milliseconds(trial.data["finished_at"]), 0)


def _name(metric: str) -> str:
    """Return the name with signs that MLflow allows."""
    return "".join(sign if sign.isalnum() or sign in "_-./ :" else "_" for sign in metric)


def _milliseconds(moment: float) -> int:
    return round(moment * 1000)
