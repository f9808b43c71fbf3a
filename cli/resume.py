"""`tunewright resume`."""

from pathlib import Path
from typing import Any

import click

from . import console
from .options import name_argument, store_options
from .place import Place
from .run_options import Machine, machine_options, with_files


@click.command()
@name_argument
@click.option("-d", "--detach", is_flag=True, help="Leave it running in the background.")
@click.option(
    "--with",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file with its Secrets and ConfigMaps.",
)
@machine_options
@store_options
def resume(
    name: str,
    detach: bool,
    files: tuple[Path, ...],
    store: str | None,
    namespace: str | None,
    **given: Any,
) -> int:
    """Go on with an experiment that was paused or interrupted, or whose budget was raised.

    Trials start in the directory in which the experiment was first run.

    \b
    Examples:
      tunewright resume digits
      tunewright resume digits --detach
    """
    from dataclasses import replace

    from . import compose
    from .drive import Setting, detach_engine, drive
    from .names import find_experiment
    from .watch import attach
    from .wishes import ask_or_set

    machine = Machine(**given)
    place = Place.of(store)
    with place.opened(fsync=machine.fsync) as opened:
        record = find_experiment(opened, name, namespace)
        if record.suspended or place.is_driven(record.uid):
            ask_or_set(place, opened, record, suspended=False, now=False)
            record = opened.experiment(record.key)
        if place.is_driven(record.uid):
            console.note(f"{record.key.name} goes on in the process that drives it.")
            return 0 if detach else attach(place, opened, record)
    machine = replace(machine, workdir=machine.workdir or record.workdir)
    document = record.document
    options = compose.local_options(machine, compose.read_others(files))
    program = compose.check_machine(document, options, machine.directory)
    if detach:
        return detach_engine(place, record, [*machine.arguments(), *with_files(files)])
    return drive(place, record, Setting(options, fsync=machine.fsync, program=program))
