"""`spec.warmStartFrom` on a cluster, where its sources are resources."""

from collections.abc import Sequence

from ...api.errors import Invalid
from ...api.excerpts import objective_of
from ...db.records import ExperimentRecord, TrialRecord
from ..brief import Brief
from ..plan.view import InitialTrial
from ..warm_start import is_due, recorded_of, records_of, source_of, space_of, trials_of, with_rest
from .cache import Key
from .experiments import experiment_record
from .informers import Informers
from .trials import is_ours, page_of


async def warm_trials(
    informers: Informers,
    record: ExperimentRecord,
    brief: Brief,
    trials: Sequence[TrialRecord],
    *,
    proposed: int,
) -> tuple[InitialTrial, ...]:
    """Return the points that the experiment tries first, after its own; () once it has gone on.

    `trials` are the experiment's. Where another operator ended while it created the first of
    them, the rest is found again; sources that are gone meanwhile are done without.

    Raises:
        Invalid: a source is not there, or does not suit it.
    """
    if is_due(brief, proposed):
        return await _found(informers, record, brief)
    recorded = recorded_of(brief, proposed, trials) if brief.warm_from else ()
    if not recorded:
        return ()
    try:
        return with_rest(recorded, await _found(informers, record, brief))
    except Invalid:
        return recorded


async def _found(
    informers: Informers, record: ExperimentRecord, brief: Brief
) -> tuple[InitialTrial, ...]:
    namespace = record.key.namespace

    def look(name: str) -> ExperimentRecord | None:
        found = informers.experiments.get(Key(namespace, name))
        return None if found is None else experiment_record(found)[0]

    sources = []
    for source in records_of(record.key, record.document, look):
        objective, space = objective_of(source.document), space_of(source)
        pages = [
            page_of(trial, objective, space)
            for trial in await informers.trials_of(Key(namespace, source.key.name), anew=False)
            if is_ours(trial, source.uid)
        ]
        trials = [page.record for page in pages if page.is_of_space]
        sources.append(source_of(source, trials))
    return trials_of(brief, sources)
