"""`tunewright try`: one trial that counts for nothing."""

import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..sdk.sources.place import Place
from . import console
from .exits import INTERRUPTED
from .options import set_option
from .run_options import Machine, machine_options

if TYPE_CHECKING:
    from ..api.experiment import Experiment


@click.command("try")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@set_option
@machine_options
def attempt(files: tuple[Path, ...], assignments: tuple[str, ...], **given: Any) -> int:
    """Run one trial that does not count, and report which metrics it printed.

    Nothing is kept. The exit code is 0 if the objective was found.

    \b
    Examples:
      tunewright try experiment.yaml
      tunewright try experiment.yaml --set lr=0.1
    """
    from ..api.compile import search_space
    from ..api.documents import load
    from ..api.space import format_value
    from ..sdk.machine import check_machine
    from ..sdk.points import parse_point
    from . import compose
    from .preview import check_command

    machine = Machine(**given)
    bundle = load(files)
    code = 0
    for experiment in bundle.experiments:
        check_command(experiment)
        point = parse_point(
            search_space(experiment.spec), assignments, path="--set", complete=False
        )
        document = _one_trial(
            experiment, {name: format_value(value) for name, value in point.items()}
        )
        options = compose.local_options(machine, bundle.others)
        program = check_machine(document, options, machine.directory)
        compose.announce(document, program)
        console.note(f"trying {console.exact_point(point.items())}")
        with tempfile.TemporaryDirectory(prefix="tunewright-try-") as folder:
            code = max(code, _run(Place.of(folder), document, options, machine.directory))
    return code


def _one_trial(experiment: "Experiment", point: dict[str, str]) -> dict[str, Any]:
    """Return an experiment of this point alone: without search and early stopping.

    In an architecture search the algorithm proposes the point. Where the algorithm's settings say
    where checkpoints are, the experiment says it instead: the algorithm is replaced.
    """
    from ..api.compile import checkpoint

    document = experiment.write()
    left_out = {"earlyStopping", "stopWhen", "warmStartFrom", "repeats", "maxFailedTrialCount"}
    spec = {key: value for key, value in document["spec"].items() if key not in left_out}
    spec |= {
        "maxTrialCount": 1,
        "parallelTrialCount": 1,
        "trialPolicy": {**(spec.get("trialPolicy") or {}), "retries": 0},
    }
    if experiment.spec.nas_config is None:
        kept = checkpoint(experiment.spec)
        if kept is not None and kept.path:
            spec["checkpoint"] = {**(spec.get("checkpoint") or {}), "path": kept.path}
        spec["algorithm"] = {"algorithmName": "random"}
        spec["initialTrials"] = [{"assignments": point}]
    metadata = {
        "name": "try",
        "namespace": (document.get("metadata") or {}).get("namespace", "default"),
    }
    return {**document, "metadata": metadata, "spec": spec}


def _run(place: Place, document: dict[str, Any], options: Any, workdir: str) -> int:
    from ..sdk.submit import submit
    from . import compose
    from .drive import Setting, run_engine

    with compose.opened(place) as store:
        record = submit(store, document, namespace=None, workdir=workdir, again=False).record
        over = threading.Event()
        reader = threading.Thread(target=_echo, args=(place.trials_folder(record.key), over))
        reader.start()
        try:
            outcome = run_engine(place, store, record, Setting(options), None)
        finally:
            over.set()
            reader.join()
        if outcome.interrupted:
            return INTERRUPTED
        return _report(store, store.experiment(record.key))


def _echo(folder: Path, over: threading.Event) -> None:
    """Copy what the trial prints to the terminal, until it is over."""
    places: dict[Path, int] = {}
    done = False
    while not done:
        done = over.wait(0.1)
        for path in sorted(folder.glob("**/std*")):
            if not path.is_file():
                continue
            with path.open("rb") as stream:
                stream.seek(places.get(path, 0))
                data = stream.read()
            places[path] = places.get(path, 0) + len(data)
            console.copy(data)


def _report(store: Any, record: Any) -> int:
    from ..api.excerpts import objective_of
    from ..controller.plan.reasons import BY_NAME
    from ..sdk import shapes

    objective = objective_of(record.document)
    trial = store.trials(record.uid, observations=True)[0]
    found = shapes.metrics(trial.observation or {}, objective)
    console.heading(f"{trial.state}: {trial.message}" if trial.message else str(trial.state))
    known = BY_NAME.get(trial.reason)
    if known is not None and known.remedy:
        click.echo(f"({known.remedy})")
    console.table(
        ["metric", "values", "value", "by", "step"],
        [
            [name, m["count"], m["value"], m["strategy"], m["step"]]
            if (m := found.get(name))
            else [name, 0, None, None, None]
            for name in objective.metric_names
        ],
    )
    return 0 if objective.metric.name in found and trial.state == "Succeeded" else 1
