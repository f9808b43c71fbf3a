"""`spec.warmStartFrom`: from the experiments it names to points that are tried first.

They are read once, before the experiment's first trial is recorded, and recorded as its
trials: what becomes of those experiments later changes nothing.
"""

from collections.abc import Iterable, Sequence

from ..api.compile import objective_of, problem
from ..api.errors import Fault, Invalid, NotFound
from ..api.experiment import Experiment
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


def path_of(place: int) -> str:
    return f"spec.warmStartFrom[{place}].name"


def is_due(brief: Brief, proposed: int) -> bool:
    """Say whether sources are to be read: until the points of the file's own are followed."""
    return bool(brief.warm_from) and proposed <= len(brief.initial)


def warm_trials(store: Store, record: ExperimentRecord) -> tuple[InitialTrial, ...]:
    """Return the points that an experiment of a store tries first, after its own.

    Raises:
        Invalid: a source is not there, or has nothing in common with it.
    """
    brief = brief_of(record)
    if not is_due(brief, record.totals.proposed):
        return ()
    sources = []
    for place, name in enumerate(brief.warm_from):
        try:
            found = store.experiment(ExperimentKey(record.key.namespace, name))
        except NotFound:
            raise absent(place, name, record.key) from None
        sources.append(source_of(found, store.best_trials(found.uid, _CANDIDATES)))
    return trials_of(brief, sources)


def absent(place: int, name: str, key: ExperimentKey) -> Invalid:
    message = f"there is no experiment {name} in the namespace {key.namespace}"
    remedy = "name one that `tunewright get` shows, or leave it out"
    return Invalid([Fault(path_of(place), message, remedy, "NotFound")])


def source_of(record: ExperimentRecord, trials: Iterable[TrialRecord]) -> Source:
    """Return an experiment as a source: its good trials by its own objective, the best first."""
    points = best_points(objective_of(record.document), trials)
    return Source(record.key.name, _space_of(record), points)


def best_points(objective: Objective, trials: Iterable[TrialRecord]) -> Sequence[Point]:
    good = [
        (objective.loss(trial.value), trial.index, trial.proposal.point)
        for trial in trials
        if trial.verdict is Verdict.OBSERVED and trial.value is not None and not trial.dropped
    ]
    return [point for *_, point in sorted(good, key=lambda each: each[:2])[:_CANDIDATES]]


def _space_of(record: ExperimentRecord) -> SearchSpace:
    return problem(Experiment.read(record.document), uid=record.uid, seed=record.seed).space


def trials_of(brief: Brief, sources: Sequence[Source]) -> tuple[InitialTrial, ...]:
    """Return the points to try, those of the file's own left out.

    Raises:
        Invalid: a source has no parameter in common with the experiment.
    """
    space = brief.problem.space
    faults = [
        Fault(
            path_of(place),
            f"the experiment {source.name} shares no parameter with this one",
            "name one that searches some of the same parameters",
        )
        for place, source in enumerate(sources)
        if not shared(space, source.space)
    ]
    if faults:
        raise Invalid(faults)
    found = beginnings(
        space, sources, seed=brief.problem.seed, max_trials=brief.policy.max_trials
    )
    own = [trial.point for trial in brief.initial]
    return tuple(
        InitialTrial(point, reason=WARM_START, labels=((LABEL, source.name),))
        for source, point in found
        if point not in own
    )
