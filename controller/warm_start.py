"""`spec.warmStartFrom`: from the experiments it names to points that are tried first.

The sources are read once, before any trial is recorded besides the file's own `initialTrials`,
and the points taken from them become trials at once: later changes of a source have no effect.
On a cluster those trials are created one by one, and the operator may be killed in between: the
next one finds which are recorded (`recorded_of`) and adds the rest (`with_rest`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..api.compile import search_space
from ..api.errors import Fault, Invalid, NotFound
from ..api.excerpts import objective_of
from ..api.experiment import ExperimentSpec
from ..api.history import WARM_START, Verdict
from ..api.identity import ExperimentKey
from ..api.objective import Objective
from ..api.space import Point, SearchSpace
from ..db.records import ExperimentRecord, TrialRecord
from ..db.store import Store
from ..suggestion.warm_start import Source, beginnings, shared
from .brief import Brief, brief_of
from .plan.view import InitialTrial

LABEL = "tunewright.dev/warm-start-from"
"""The label of such a trial: the experiment that its point comes from."""

_CANDIDATES = 64
"""How many of a source's best trials are looked at."""


def is_due(brief: Brief, proposed: int) -> bool:
    """Say whether sources are to be read: until more than the file's own points is recorded."""
    return bool(brief.warm_from) and proposed <= len(brief.initial)


def check_sources(store: Store, key: ExperimentKey, document: Mapping[str, Any]) -> None:
    """Refuse an experiment whose sources a store does not have, or that do not suit it.

    Raises:
        Invalid: with every fault.
    """
    records_of(key, document, lambda name: _stored(store, ExperimentKey(key.namespace, name)))


def warm_trials(store: Store, record: ExperimentRecord) -> tuple[InitialTrial, ...]:
    """Return the points that an experiment of a store tries first, after its own.

    Raises:
        Invalid: a source is not there, or does not suit it.
    """
    brief = brief_of(record)
    if not is_due(brief, record.totals.proposed):
        return ()

    def look(name: str) -> ExperimentRecord | None:
        return _stored(store, ExperimentKey(record.key.namespace, name))

    found = records_of(record.key, record.document, look)
    trials = [store.best_trials(source.uid, _CANDIDATES) for source in found]
    return trials_of(brief, map(source_of, found, trials))


def records_of(
    key: ExperimentKey,
    document: Mapping[str, Any],
    look: Callable[[str], ExperimentRecord | None],
) -> Sequence[ExperimentRecord]:
    """Return the sources of an experiment; `look` finds them by name in its namespace.

    Raises:
        Invalid: with a fault for each that is not there or does not suit it.
    """
    spec = ExperimentSpec.read(document["spec"])
    space = search_space(spec)
    records, faults = [], []
    for place, entry in enumerate(spec.warm_start_from):
        record = None if entry.name == key.name else look(entry.name)
        wrong = _wrong(key, space, entry.name, record)
        if record is not None:
            records.append(record)
        if wrong is not None:
            faults.append(Fault(f"spec.warmStartFrom[{place}].name", *wrong))
    if faults:
        raise Invalid(faults)
    return records


def _wrong(
    key: ExperimentKey, space: SearchSpace, name: str, record: ExperimentRecord | None
) -> tuple[str, str, str] | None:
    """Return message, remedy and kind of what is wrong with a source, None if it will do."""
    if name == key.name:
        return "an experiment cannot start from itself", "name an earlier one", "Invalid"
    if record is None:
        message = f"there is no experiment {name} in the namespace {key.namespace}"
        return message, "name one that `tunewright get` shows, or leave it out", "NotFound"
    if not shared(space, space_of(record)):
        message = f"the experiment {name} shares no parameter with this one"
        return message, "name one that searches some of the same parameters", "Invalid"
    return None


def source_of(record: ExperimentRecord, trials: Iterable[TrialRecord]) -> Source:
    """Return an experiment as a source: its good trials by its own objective, the best first."""
    points = best_points(objective_of(record.document), trials)
    return Source(record.key.name, space_of(record), points)


def best_points(objective: Objective, trials: Iterable[TrialRecord]) -> Sequence[Point]:
    good = [
        (objective.loss(trial.value), trial.index, trial.proposal.point)
        for trial in trials
        if trial.verdict is Verdict.OBSERVED and trial.value is not None and not trial.dropped
    ]
    return [point for *_, point in sorted(good, key=lambda each: each[:2])[:_CANDIDATES]]


def space_of(record: ExperimentRecord) -> SearchSpace:
    return search_space(ExperimentSpec.read(record.document["spec"]))


def trials_of(brief: Brief, sources: Iterable[Source]) -> tuple[InitialTrial, ...]:
    """Return the points to try, those of the file's own left out."""
    found = beginnings(
        brief.problem.space,
        list(sources),
        seed=brief.problem.seed,
        max_trials=brief.policy.max_trials,
    )
    own = [trial.point for trial in brief.initial]
    return tuple(
        InitialTrial(point, reason=WARM_START, labels=((LABEL, source.name),))
        for source, point in found
        if point not in own
    )


def recorded_of(
    brief: Brief, proposed: int, trials: Iterable[TrialRecord]
) -> tuple[InitialTrial, ...]:
    """Return the points of sources that are recorded already, while nothing else follows them.

    Nothing once a trial of another origin follows, or a trial was deleted: then the search has
    gone on. `trials` are those that exist, `proposed` says how many there ever were.
    """
    behind = sorted(
        (trial for trial in trials if trial.index >= len(brief.initial)),
        key=lambda trial: trial.index,
    )
    whole = len(behind) == proposed - len(brief.initial)
    if not whole or any(trial.proposal.reason != WARM_START for trial in behind):
        return ()
    return tuple(
        InitialTrial(trial.proposal.point, reason=WARM_START, labels=tuple(trial.proposal.labels))
        for trial in behind
    )


def with_rest(
    recorded: Sequence[InitialTrial], found: Sequence[InitialTrial]
) -> tuple[InitialTrial, ...]:
    """Return the recorded points, and after them those found now that are not recorded yet."""
    known = [trial.point for trial in recorded]
    left = [trial for trial in found if trial.point not in known]
    return (*recorded, *left[: max(len(found) - len(recorded), 0)])


def _stored(store: Store, key: ExperimentKey) -> ExperimentRecord | None:
    try:
        return store.experiment(key)
    except NotFound:
        return None
