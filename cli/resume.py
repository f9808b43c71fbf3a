"""`tunewright resume`."""

from pathlib import Path
from typing import Any

import click

from ..sdk.sources.where import Where
from . import console
from .options import name_argument, where_options
from .run_options import Machine, fsync_option, machine_options, with_files


@click.command()
@name_argument
@click.option("-d", "--detach", is_flag=True, help="Run in the background.")
@click.option(
    "--with",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file with Secrets and ConfigMaps of the experiment.",
)
@machine_options
@fsync_option
@where_options
def resume(
    name: str,
    detach: bool,
    files: tuple[Path, ...],
    where: Where,
    **given: Any,
) -> int:
    """Resume an experiment that was paused, interrupted or stopped, or whose budget was raised.

    If it failed because its search did, the search is asked again. Trials start in the directory
    in which the experiment was first run.

    \b
    Examples:
      tunewright resume digits
      tunewright resume digits --detach
    """
    from dataclasses import replace

    from ..api.asked import is_asked
    from ..sdk.machine import check_machine
    from ..sdk.names import find_experiment
    from ..sdk.resume import take_up
    from . import compose
    from .drive import Setting, detach_engine, drive
    from .watch import attach

    machine = Machine(**given)
    if where.is_cluster:
        machine.refuse_elsewhere()
    place = where.place
    with where.opened() as source:
        found = find_experiment(source.records, name, source.namespace)
        record, driven = take_up(source, found)
        if driven:
            console.note(driven)
            return 0 if detach or is_asked(record.document) else attach(source, record)
    machine = replace(machine, workdir=machine.workdir or record.workdir)
    document = record.document
    options = compose.local_options(machine, compose.read_others(files))
    program = check_machine(document, options, machine.directory)
    if detach:
        return detach_engine(place, record, [*machine.arguments(), *with_files(files)])
    return drive(place, record, Setting(options, fsync=machine.fsync, program=program))
