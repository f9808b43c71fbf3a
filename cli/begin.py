"""Beginning experiments on this machine, or going on with those that are there already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..db.records import ExperimentRecord
from ..db.store import Store
from ..sdk.sources.here import Here
from ..sdk.sources.place import Place
from . import console
from .drive import Setting
from .exits import INTERRUPTED
from .run_options import Machine, with_files

if TYPE_CHECKING:
    from ..sdk.submit import Submitted


@dataclass(frozen=True, slots=True)
class How:
    """Where experiments are kept and run, and how far they are taken."""

    place: Place
    namespace: str | None
    machine: Machine
    again: bool = False
    detach: bool = False
    dry_run: bool = False


def begin(
    documents: Sequence[dict[str, Any]],
    others: Sequence[Mapping[str, Any]],
    how: How,
    files: Sequence[str],
) -> int:
    """Run the experiments one after the other, once all of them can be run.

    The worst exit code is returned.
    """
    settings = [_checked(document, others, how) for document in documents]
    if len(documents) > 1 and not (how.again or how.dry_run):
        _check_names(documents, how)
    with_them = with_files([Path(file) for file in files]) if others and how.detach else []
    arguments = [*how.machine.arguments(), *with_them]
    code = 0
    for document, setting in zip(documents, settings, strict=True):
        one = _begin(document, setting, how, arguments)
        if one == INTERRUPTED:
            return one
        code = max(code, one)
    return code


def _checked(
    document: Mapping[str, Any], others: Sequence[Mapping[str, Any]], how: How
) -> Setting | None:
    """Check that it can run here; return its engine's setting, None if people run its trials."""
    from ..api.asked import is_asked
    from ..sdk.machine import check_machine
    from ..suggestion.check import check_algorithm, check_plugins
    from . import compose

    check_algorithm(document)
    if is_asked(document):
        return None
    options = compose.local_options(how.machine, others)
    if not how.dry_run:
        for why in check_plugins(document):
            console.warn(why)
    program = check_machine(document, options, how.machine.directory)
    return Setting(options, fsync=how.machine.fsync, program=program)


def _check_names(documents: Sequence[dict[str, Any]], how: How) -> None:
    from ..sdk.submit import check_names

    with how.place.opened(fsync=how.machine.fsync) as store:
        check_names(store, documents, namespace=how.namespace)


def _begin(
    document: dict[str, Any], setting: Setting | None, how: How, arguments: Sequence[str]
) -> int:
    if setting is None:
        return 0 if how.dry_run else _create(document, how)
    if how.dry_run:
        from .preview import show_commands

        show_commands(document)
        return 0
    return _run(document, setting, how, arguments)


def _create(document: dict[str, Any], how: How) -> int:
    """Create an experiment whose trials people run themselves: no engine drives it."""
    from ..sdk.submit import Found

    with how.place.opened(fsync=how.machine.fsync) as store:
        submitted = _submit(store, document, how)
    name = submitted.record.key.name
    there = "is created" if submitted.found is Found.NEW else "is there already"
    console.note(f"{name} {there}; its points are asked for: Client().ask({name!r})")
    return 0


def _run(document: dict[str, Any], setting: Setting, how: How, arguments: Sequence[str]) -> int:
    """Drive it here, or in a background process that is given `arguments`.

    One that runs already is followed, one that has ended is shown.
    """
    from ..sdk.submit import Found
    from .drive import detach_engine, drive

    place = how.place
    with place.opened(fsync=how.machine.fsync) as store:
        submitted = _submit(store, document, how)
        record = submitted.record
        if submitted.found is Found.FINISHED:
            return _show_ended(Here(place, store), record)
        if place.is_driven(record.uid):
            console.note(f"{record.key.name} is already running.")
            if how.detach:
                return 0
            from .watch import attach

            return attach(Here(place, store), record)
    if submitted.found is Found.UNFINISHED:
        console.note(f"Resuming {record.key.name} at trial {record.totals.proposed}.")
    if how.detach:
        return detach_engine(place, record, arguments)
    return drive(place, record, setting)


def _submit(store: Store, document: dict[str, Any], how: How) -> "Submitted":
    from ..sdk.submit import submit

    return submit(
        store,
        document,
        namespace=how.namespace,
        workdir=how.machine.directory,
        again=how.again,
    )


def _show_ended(here: Here, record: ExperimentRecord) -> int:
    from . import summary

    summary.show(here, record)
    name = record.key.name
    console.note(
        f"It has already ended. `tunewright run --again` starts a new one; "
        f"`tunewright edit {name} --trials N`, then `tunewright resume {name}` continues it."
    )
    return 0 if record.state == "Succeeded" else 1
