"""Going on with an experiment that was paused, interrupted or stopped."""

from collections.abc import Callable
from dataclasses import replace

from ..api.asked import is_asked
from ..db.records import ExperimentRecord
from .background import engage
from .machine import check_machine, default_options
from .names import find_experiment
from .sources.source import Hands, Source
from .sources.where import Where


def resume(where: Where, name: str, warn: Callable[[str], None]) -> None:
    """Let an experiment go on: where it is driven, or with an engine of its own.

    Raises:
        NotFound: there is none of that name.
        Conflict: it stays ended; the message says why.
        Unsupported: it cannot run on this machine.
        CommandFailed: its engine has ended at once.
    """
    with replace(where, hands=Hands(note=warn)).opened() as source:
        found = find_experiment(source.records, name, source.namespace)
        record, driven = take_up(source, found)
    if not driven:
        check_machine(record.document, default_options(), record.workdir)
        engage(where.place, record)


def take_up(source: Source, record: ExperimentRecord) -> tuple[ExperimentRecord, str]:
    """Ask that an experiment goes on.

    Return it as it is then, and why no engine has to be started for it; "" where one has to.
    """
    was_open = not record.state.is_finished
    if record.suspended or record.state.is_finished or source.is_driven(record):
        source.suspend(record, suspended=False, now=False)
        record = source.records.experiment(record.key)
    if is_asked(record.document):
        return record, f"{record.key.name} continues as soon as a point is asked for."
    if was_open and record.state.is_finished:
        return record, f"{record.key.name} continued in the process that runs it, and has ended."
    if source.is_driven(record):
        return record, f"{record.key.name} continues in the process that runs it."
    return record, ""
