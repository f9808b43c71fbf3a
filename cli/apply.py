"""Running documents on a cluster: creating their experiments, and following them."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..db.records import ExperimentRecord
from ..sdk.sources.there import There
from ..sdk.sources.where import Where
from ..sdk.submit import Found
from ..sdk.submit_there import check_all, check_there, submit_there, try_out
from . import console
from .exits import INTERRUPTED
from .watch import attach


def run_there(
    documents: Sequence[dict[str, Any]],
    others: Sequence[Mapping[str, Any]],
    where: Where,
    *,
    dry_run: bool,
    detach: bool,
    again: bool,
) -> int:
    """Create the experiments and, unless `detach`, follow one after the other to its end."""
    for document in documents:
        check_there(document)
    source = where.reached()
    if dry_run:
        try_out(source, documents)
        return 0
    if len(documents) > 1 and not again:
        check_all(source, documents)
    for other in others:
        name = (other.get("metadata") or {}).get("name")
        console.warn(f"{other.get('kind')} {name} is not created: kubectl apply -f does that")
    records = [_submit(source, document, again=again) for document in documents]
    if detach:
        return 0
    code = 0
    for record in records:
        code = max(code, attach(source, record))
        if code == INTERRUPTED:
            break
    return code


def _submit(source: There, document: Mapping[str, Any], *, again: bool) -> ExperimentRecord:
    submitted = submit_there(source, document, again=again)
    key = submitted.record.key
    if submitted.found is Found.NEW:
        console.note(f"{key} is created; `tunewright watch {key.name}` shows it.")
    else:
        console.note(f"{key} already exists.")
    return submitted.record
