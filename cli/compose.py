"""Putting the rooms together: a store with its evaluator, an engine with its ports."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..api.errors import Fault, StoreUnavailable
from ..db.records import ExperimentRecord
from ..db.store import Store
from ..sdk.sources.place import Place
from . import console
from .run_options import Machine

if TYPE_CHECKING:
    from ..controller.engine import Engine
    from ..controller.local.options import LocalOptions
    from ..controller.ports import Suggester
    from ..controller.progress import Observer
    from ..controller.provenance import Witness

_PAGE = 5000
LONGEST_PAUSE = 10.0
"""Seconds between two tries to reach a database."""

_AHEAD = 8
"""How many points algorithms that do not learn propose before there is room to run them."""


@dataclass(frozen=True, slots=True)
class Assembled:
    engine: "Engine"
    suggester: "Suggester"


@contextmanager
def opened(
    place: Place, *, fsync: bool = False, metrics_address: str | None = None
) -> Iterator[Store]:
    """Open the store with the rules of early stopping behind it, for an engine or a service."""
    from .early_stopping import Stopping

    stopping = Stopping(metrics_address)
    with (
        place.opened(fsync=fsync, evaluator=stopping.rules) as store,
        stopping.reading(store),
    ):
        yield store


@contextmanager
def awaited(place: Place, *, metrics_address: str | None = None) -> Iterator[Store]:
    """Open the store as `opened` does; wait for a database that is not up yet."""
    pause = 1.0
    with ExitStack() as held:
        while True:
            try:
                store = held.enter_context(opened(place, metrics_address=metrics_address))
                break
            except StoreUnavailable as error:
                console.note(f"waiting for {place}: {error}")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        yield store


def engine(
    place: Place,
    store: Store,
    record: ExperimentRecord,
    options: "LocalOptions",
    observer: "Observer | None",
) -> Assembled:
    """Make the engine of one experiment on this machine."""
    from ..api.compile import answer_seconds, problem
    from ..api.experiment import Experiment
    from ..controller.engine import Engine
    from ..controller.local.runner import LocalWorkloads
    from ..controller.ports import WallClock
    from ..suggestion.registry import may_be_early
    from ..suggestion.suggester import open_suggester

    experiment = Experiment.read(record.document)
    searched = problem(experiment, uid=record.uid, seed=record.seed)
    suggester = open_suggester(
        searched,
        lambda after: store.history(record.uid, after, _PAGE),
        timeout=answer_seconds(experiment),
    )
    return Assembled(
        Engine(
            store=store,
            uid=record.uid,
            workloads=lambda on_change: LocalWorkloads(
                options, store, on_change, is_driven=place.may_be_driven
            ),
            suggester=suggester,
            clock=WallClock(),
            home=place.trials_folder(record.key),
            observer=observer,
            socket=place.socket(record.uid),
            ahead=_AHEAD if may_be_early(searched) else 0,
        ),
        suggester,
    )


def local_options(
    machine: Machine | None = None,
    others: Sequence[Mapping[str, Any]] = (),
) -> "LocalOptions":
    """Gather what trials on this machine are given: environment, secrets, directories."""
    from ..sdk.machine import default_options

    machine = machine or Machine()
    return replace(
        default_options(others),
        runtime=machine.runtime,
        env_file=machine.variables(),
        mounts=machine.directories(),
        trials_per_gpu=machine.trials_per_gpu,
    )


def witness(store: Store, record: ExperimentRecord) -> "Witness":
    """Return what records the code that the experiment's trials run."""
    from ..controller.provenance import Witness, script_of
    from ..sdk.rendered import command_of, container_of, primary_name, sample_manifest

    manifest, primary = sample_manifest(record.document), primary_name(record.document)
    container = container_of(manifest, primary)
    folder = Path(record.workdir) / str(container.get("workingDir") or "")
    script = script_of(command_of(manifest, primary), folder)
    return Witness(store, record.uid, Path(record.workdir), script, dict(os.environ))


def announce(document: Mapping[str, Any], program: str) -> None:
    """Say which program the trials' command names on this machine."""
    from ..sdk.rendered import command_of, primary_name, sample_manifest

    command = command_of(sample_manifest(document), primary_name(document))
    if command:
        console.note(f"{command[0]} → {program}")


def read_others(files: Sequence[Path]) -> Sequence[Mapping[str, Any]]:
    """Read all documents of some files, of which Secrets and ConfigMaps are used."""
    from ..api.errors import Invalid
    from ..api.yaml_source import read

    faults, found = [], []
    for file in files:
        try:
            sources, wrong = read(file.read_bytes(), str(file))
        except OSError as error:
            raise Invalid([Fault("--with", f"{file} cannot be read: {error.strerror}")]) from error
        faults += wrong
        found += [source.value for source in sources if isinstance(source.value, dict)]
    if faults:
        raise Invalid(faults)
    return found
