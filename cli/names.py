"""From what a person typed to the experiment or trial that is meant."""

import difflib
from collections.abc import Sequence

from ..api.errors import Conflict, NotFound
from ..api.identity import ExperimentKey
from ..db.records import ExperimentRecord, TrialRecord
from ..db.store import Store


def find_experiment(store: Store, name: str, namespace: str | None = None) -> ExperimentRecord:
    """Return the experiment that `name` or `namespace/name` means, in whatever namespace.

    Raises:
        NotFound: there is none; the message names one that is spelled alike.
        Conflict: several namespaces have one, and none was named.
    """
    if "/" in name and namespace is None:
        namespace, name = name.split("/", 1)
    found = store.experiments(name=name, namespace=namespace)
    if len(found) > 1:
        keys = ", ".join(sorted(record.key.namespace for record in found))
        raise Conflict(f"{name} is in the namespaces {keys}: name one with --namespace")
    if not found:
        raise NotFound(_no_experiment(store, name, namespace))
    return store.experiment(found[0].key)


def _no_experiment(store: Store, name: str, namespace: str | None) -> str:
    known = sorted({record.key.name for record in store.experiments(namespace=namespace)})
    near = difflib.get_close_matches(name, known, n=1)
    where = f" in namespace {namespace}" if namespace else ""
    if near:
        remedy = f"did you mean {near[0]}?"
    else:
        remedy = "`tunewright get` lists them" if known else "there are none in this store yet"
    return f"no experiment is called {name}{where} ({remedy})"


def find_trial(
    store: Store, record: ExperimentRecord, word: str, *, observations: bool = False
) -> TrialRecord:
    """Return the trial of an experiment by its index, its name, `best` or `last`.

    Raises:
        NotFound: there is no such trial.
    """
    index = _index(store, record, word)
    if index is None or not 0 <= index < record.totals.proposed:
        count = record.totals.proposed
        range_ = f"its trials are 0 to {count - 1}" if count else "it has no trials yet"
        raise NotFound(f"{record.key.name} has no trial {word} ({range_})")
    if observations:
        return store.trials(record.uid, after=index - 1, limit=1, observations=True)[0]
    return store.trial(record.uid, index)


def _index(store: Store, record: ExperimentRecord, word: str) -> int | None:
    if word.isdecimal():
        return int(word)
    if word == "best":
        return best_of(record).index
    if word == "last":
        return record.totals.proposed - 1
    uid, index = store.find_trial(word, record.key.namespace)
    return index if uid == record.uid else None


def why_no_best(record: ExperimentRecord) -> str:
    if record.document["spec"].get("constraints"):
        return "none has ended with a value of the objective and every constraint kept"
    return "none has ended with a value of the objective"


def best_of(record: ExperimentRecord) -> TrialRecord:
    if not record.best:
        raise NotFound(f"{record.key.name} has no best trial yet: {why_no_best(record)}")
    return record.best[0]


def resolve(
    store: Store, name: str, trial: str | None, namespace: str | None
) -> tuple[ExperimentRecord, TrialRecord | None]:
    """Return what `NAME [TRIAL]` means: an experiment, one of its trials, or a trial by name."""
    if trial is not None:
        record = find_experiment(store, name, namespace)
        return record, find_trial(store, record, trial, observations=True)
    try:
        return find_experiment(store, name, namespace), None
    except NotFound:
        try:
            uid, index = store.find_trial(name, namespace)
        except NotFound:
            raise NotFound(_no_experiment(store, name, namespace)) from None
        record = by_uid(store.experiments(), uid)
        return record, find_trial(store, record, str(index), observations=True)


def by_uid(records: Sequence[ExperimentRecord], uid: str) -> ExperimentRecord:
    return next(record for record in records if record.uid == uid)


def key_of(text: str, namespace: str) -> ExperimentKey:
    return ExperimentKey(namespace, text)
