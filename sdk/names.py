"""From what a person typed to the experiment or trial that is meant."""

import difflib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from ..api.errors import Conflict, NotFound
from ..controller.reading import Records
from ..db.records import ExperimentRecord, TrialRecord

_BEYOND = 2**31
"""An index that no store can hold."""
_DIGITS = len(str(_BEYOND))


def find_experiment(records: Records, name: str, namespace: str | None = None) -> ExperimentRecord:
    """Return the experiment that `name` or `namespace/name` means, in whatever namespace.

    Raises:
        NotFound: there is none; the message names one that is spelled alike.
        Conflict: several namespaces have one, and none was named.
    """
    if "/" in name:
        namespace, name = name.split("/", 1)
    found = records.experiments(name=name, namespace=namespace)
    if len(found) > 1:
        raise several(name, [record.key.namespace for record in found])
    if not found:
        raise missing(records, name, namespace)
    return records.experiment(found[0].key)


def several(name: str, namespaces: Iterable[str]) -> Conflict:
    found = ", ".join(sorted(namespaces))
    return Conflict(f"{name} is in the namespaces {found}: name one with --namespace")


def missing(records: Records, name: str, namespace: str | None) -> NotFound:
    """Say that there is none of exactly this name, and which is spelled alike."""
    known = {record.key.name for record in records.experiments(namespace=namespace)}
    return no_experiment(name, known, namespace)


def no_experiment(name: str, known: Collection[str], namespace: str | None) -> NotFound:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    where = f" in namespace {namespace}" if namespace else ""
    if near:
        remedy = f"did you mean {near[0]}?"
    else:
        remedy = "`tunewright get` lists them" if known else "there are none yet"
    return NotFound(f"no experiment is called {name}{where} ({remedy})")


def find_trial(
    records: Records, record: ExperimentRecord, word: str, *, observations: bool = False
) -> TrialRecord:
    """Return the trial of an experiment by its index, its name, `best` or `last`.

    Raises:
        NotFound: there is no such trial.
    """
    index = _index(records, record, word)
    trial = None if index is None else _at(records, record.uid, index)
    if trial is None:
        count = record.totals.proposed
        range_ = f"its trials are 0 to {count - 1}" if count else "it has no trials yet"
        raise NotFound(f"{record.key.name} has no trial {word} ({range_})")
    if not observations:
        return trial
    return replace(trial, observation=records.observation(record.uid, trial.index))


def _at(records: Records, uid: str, index: int) -> TrialRecord | None:
    try:
        return records.trial(uid, index) if 0 <= index < _BEYOND else None
    except NotFound:
        return None


def _index(records: Records, record: ExperimentRecord, word: str) -> int | None:
    if word.isdecimal():
        return int(word) if len(word) <= _DIGITS else None
    if word == "best":
        return best_of(record).index
    if word == "last":
        return record.totals.proposed - 1
    try:
        uid, index = records.find_trial(word, record.key.namespace)
    except NotFound:
        return None
    return index if uid == record.uid else None


def why_no_best(record: ExperimentRecord) -> str:
    if record.document["spec"].get("constraints"):
        return "none has ended with a value of the objective and every constraint kept"
    return "none has ended with a value of the objective"


def best_of(record: ExperimentRecord) -> TrialRecord:
    if not record.best:
        raise NotFound(f"{record.key.name} has no best trial yet: {why_no_best(record)}")
    return record.best[0]


def check_metric(record: ExperimentRecord, trial: TrialRecord, metric: str | None) -> None:
    """Refuse a metric that is not among those that a trial has reported.

    Raises:
        NotFound: it is not; the message names those that are.
    """
    there = trial.observation or {}
    if metric is not None and metric not in there:
        known = ", ".join(there) or "none yet"
        raise NotFound(
            f"trial {trial.index} of {record.key.name} has no metric {metric} (there are {known})"
        )


def resolve(
    records: Records, name: str, trial: str | None, namespace: str | None
) -> tuple[ExperimentRecord, TrialRecord | None]:
    """Return what `NAME [TRIAL]` means: an experiment, one of its trials, or a trial by name."""
    if trial is not None:
        record = find_experiment(records, name, namespace)
        return record, find_trial(records, record, trial, observations=True)
    try:
        return find_experiment(records, name, namespace), None
    except NotFound:
        try:
            uid, index = records.find_trial(name, namespace)
            record = _by_uid(records.experiments(namespace=namespace), uid)
        except NotFound:
            raise missing(records, name, namespace) from None
        return record, find_trial(records, record, str(index), observations=True)


def _by_uid(found: Sequence[ExperimentRecord], uid: str) -> ExperimentRecord:
    record = next((record for record in found if record.uid == uid), None)
    if record is None:
        raise NotFound(f"no experiment has the uid {uid}")
    return record
