"""Beginning the experiments of a file: on a cluster, or on this machine with their own engines."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..api.asked import is_asked
from ..api.documents import load
from ..db.records import ExperimentRecord
from ..suggestion.check import check_algorithm, check_plugins
from .background import engage
from .machine import check_machine, default_options, directory_of
from .sources.where import Where
from .submit import Found, Submitted, check_names, submit

Warn = Callable[[str], None]


def begin(where: Where, file: Path, workdir: str | None, warn: Warn) -> ExperimentRecord:
    """Begin each experiment of a file, or find it there already; return the first.

    Trials of this machine start in `workdir`, by default the current directory.

    Raises:
        Invalid: something is wrong; nothing was begun.
        Conflict: another spec has a name; nothing was begun.
        Unsupported: it cannot run here.
        CommandFailed: its engine has ended at once.
    """
    bundle = load([file], elsewhere=where.is_cluster)
    documents = [each.write() for each in bundle.experiments]
    if where.is_cluster:
        return _begin_there(where, documents)[0]
    directory = directory_of(workdir)
    for document in documents:
        _check(document, bundle.others, directory, warn)
    with_them = ["--with", str(file.absolute())] if bundle.others else []
    if len(documents) > 1:
        with where.place.opened() as store:
            check_names(store, documents, namespace=where.namespace)
    begun = [_begin_here(where, document, directory, with_them) for document in documents]
    return begun[0]


def _begin_there(where: Where, documents: Sequence[dict[str, Any]]) -> list[ExperimentRecord]:
    from .submit_there import check_all, check_there, submit_there

    for document in documents:
        check_there(document)
    source = where.reached()
    if len(documents) > 1:
        check_all(source, documents)
    return [submit_there(source, each, again=False).record for each in documents]


def _check(
    document: Mapping[str, Any], others: Sequence[Mapping[str, Any]], directory: str, warn: Warn
) -> None:
    check_algorithm(document)
    if is_asked(document):
        return
    for why in check_plugins(document):
        warn(why)
    check_machine(document, default_options(others), directory)


def _begin_here(
    where: Where, document: dict[str, Any], directory: str, with_them: Sequence[str]
) -> ExperimentRecord:
    with where.place.opened() as store:
        submitted = submit(
            store, document, namespace=where.namespace, workdir=directory, again=False
        )
    record = submitted.record
    if _needs_engine(where, submitted):
        engage(where.place, record, with_them)
    return record


def _needs_engine(where: Where, submitted: Submitted) -> bool:
    record = submitted.record
    is_over = submitted.found is Found.FINISHED
    return not (is_over or is_asked(record.document) or where.place.is_driven(record.uid))
