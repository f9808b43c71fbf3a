"""The store as an archive: it copies experiments and trials that are resources of a cluster.

`keep` brings the rows up to given records, whatever they held before. It may be repeated,
and interrupted anywhere; a record that is older than the rows changes nothing. Observations
are kept in the store alone; `look` and `stops` read them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from ..api.errors import NotFound
from ..api.excerpts import min_delta_of
from ..api.history import Verdict
from ..api.observation import Batch, Observation, Sample, Summary
from ..api.states import EXPERIMENT_EDGES, ExperimentState, TrialState
from .records import (
    COMPLETED,
    AttemptRecord,
    AttemptState,
    ExperimentRecord,
    PendingStop,
    TrialRecord,
)
from .store import Store

KNOWN_SOURCE = "initial"
"""The source of results that came with a record: nobody reported them to this store."""

STREAM = "stdout"
"""The stream under which a container's log is kept, which holds both of its streams."""

_LOST = ("Lost", "Nobody told how it ended")


@dataclass(frozen=True, slots=True)
class Looked:
    """What is known of an attempt's metrics.

    `last_sign_at` is when a reporter last spoke, `done` whether all who spoke then have
    nothing more to say. `metrics_seen` and `dropped` are what they said of themselves.
    """

    observation: Observation
    last_sign_at: float | None = None
    metrics_seen: tuple[str, ...] = ()
    dropped: int = 0
    done: bool = False


def keep(
    store: Store, experiment: ExperimentRecord, trials: Sequence[TrialRecord], *, now: float
) -> int:
    """Bring the rows up to the records, in one transaction; return the first index they lack.

    Trials beyond that index are skipped. They are given where the store was lost; the caller
    then goes on from that index.
    """
    with store.group():
        stored = store.mirror_experiment(experiment, now=now)
        _pass_experiment(store, stored, experiment, now)
        known = stored.totals.proposed
        for trial in sorted(trials, key=lambda trial: trial.index):
            if trial.index > known:
                break
            if trial.index == known:
                store.propose(
                    experiment.uid,
                    trial.index,
                    [(trial.name, trial.proposal)],
                    made_from=trial.made_from,
                    now=trial.created_at or now,
                )
                known += 1
            _Following(store, experiment, trial, now).follow()
    return known


def look(store: Store, uid: str, wanted: Sequence[tuple[int, int]]) -> Mapping[int, Looked]:
    """Return what attempts reported, by the index of the trial; unknown ones are left out.

    `wanted` are pairs of index and attempt.
    """
    found = {}
    for index, attempt in wanted:
        try:
            found[index] = _looked(store, uid, index, attempt)
        except NotFound:
            continue
    return found


def stops(store: Store) -> Sequence[PendingStop]:
    """Return the early stops of all experiments that have not been carried out.

    A stop has been carried out when `keep` records the end of its trial.
    """
    return store.pending_stops()


def _looked(store: Store, uid: str, index: int, attempt: int) -> Looked:
    observation = store.observation(uid, index, attempt)
    heard = [
        (each.heard_at, each)
        for each in store.reporters(uid, index, attempt)
        if each.heard_at is not None
    ]
    if not heard:
        return Looked(observation)
    heard.sort(key=itemgetter(0))
    last = heard[-1][0]
    return Looked(
        observation,
        last_sign_at=last,
        metrics_seen=tuple(dict.fromkeys(name for _, each in heard for name in each.seen)),
        dropped=sum(each.dropped for _, each in heard),
        done=all(each.done for at, each in heard if at == last),
    )


def _pass_experiment(
    store: Store, stored: ExperimentRecord, record: ExperimentRecord, now: float
) -> None:
    """Set the experiment's state, by way of Restarting where only that leads there."""
    way = [record.state]
    again = ExperimentState.RESTARTING
    if record.state is not stored.state and record.state not in EXPERIMENT_EDGES[stored.state]:
        if again not in EXPERIMENT_EDGES[stored.state]:
            return  # a transient state; the one after it is told next
        way = [again, record.state]
    for state in way:
        at = record.finished_at if state.is_finished else record.started_at
        store.set_state(
            record.uid, state, reason=record.reason, message=record.message, now=at or now
        )


class _Following:
    """Makes the rows of one trial follow its record."""

    def __init__(
        self, store: Store, experiment: ExperimentRecord, record: TrialRecord, now: float
    ) -> None:
        self._store = store
        self._experiment = experiment
        self._record = record
        self._now = now
        self._key = (experiment.uid, record.index)

    def follow(self) -> None:
        record, stored = self._record, self._store.trial(*self._key)
        if not stored.state.is_finished and _number(record) >= _number(stored):
            if record.attempt is not None:
                if _number(record) > _number(stored):
                    self._begin(record.attempt, stored)
                    stored = self._store.trial(*self._key)
                self._go_on(record.attempt, stored)
            if record.state.is_finished:
                self._finish(stored)
        if record.dropped and record.state.is_finished:
            self._store.drop_trial(*self._key, now=self._now)

    def _begin(self, attempt: AttemptRecord, stored: TrialRecord) -> None:
        """Start the attempt, after those before it of which this store was not told.

        Of these the last ones count as completed, as many as the record has observations for.
        """
        last = _number(stored)
        passed = list(range(last + 1, attempt.attempt))
        if stored.attempt is not None and stored.attempt.state is not AttemptState.ENDED:
            passed.insert(0, last)
        lost = len(passed) - (len(self._record.earlier) - len(self._completed()))
        for place, number in enumerate(passed):
            self._store.start_attempt(*self._key, number, token="", now=self._now)
            self._end(_passed(number, self._now, completed=place >= lost))
        if (last and stored.retry_at is None) or self._record.retries > stored.retries:
            self._send_back(stored, self._now)
        self._store.start_attempt(
            *self._key, attempt.attempt, token=attempt.token, now=attempt.started_at or self._now
        )

    def _go_on(self, attempt: AttemptRecord, stored: TrialRecord) -> None:
        """Bring the rows of the trial's last attempt to the state in the record."""
        record = self._record
        assert stored.attempt is not None
        ran = attempt.state is AttemptState.RUNNING or record.started_at is not None
        if ran and stored.attempt.state is AttemptState.STARTING:
            self._store.attempt_running(
                *self._key,
                attempt.attempt,
                pid=attempt.pid,
                pid_started_at=attempt.pid_started_at,
                now=record.started_at or self._now,
            )
        if attempt.state is AttemptState.ENDED:
            self._end(attempt)
        if record.retry_at is not None and stored.retry_at is None:
            self._send_back(stored, record.retry_at)

    def _end(self, attempt: AttemptRecord) -> None:
        self._store.attempt_ended(
            *self._key,
            attempt.attempt,
            exit_code=attempt.exit_code,
            reason=attempt.reason,
            message=attempt.message,
            usage=attempt.usage,
            now=attempt.ended_at or self._now,
        )

    def _send_back(self, stored: TrialRecord, retry_at: float) -> None:
        """Send the trial back for each retry that the record counts, or once if it counts none."""
        counted = self._record.retries - stored.retries
        for _ in range(max(1, counted)):
            self._store.retry_trial(
                *self._key,
                counted=counted > 0,
                retry_at=retry_at,
                reason=self._record.reason,
                message=self._record.message,
                now=self._now,
            )

    def _finish(self, stored: TrialRecord) -> None:
        record = self._record
        for number, observation in zip(self._completed(), record.earlier, strict=False):
            self._bring(number, observation)
        self._bring(_number(record), record.observation or {})
        self._store.finish_trial(
            *self._key,
            record.state,
            reason=record.reason,
            message=record.message,
            own_failure=record.state is TrialState.FAILED and record.verdict is Verdict.BAD,
            min_delta=min_delta_of(self._experiment.document),
            now=record.finished_at or self._now,
        )
        if stored.stop is not None:
            self._store.answer_stop(*self._key, stored.stop.attempt)

    def _completed(self) -> Sequence[int]:
        """Return the attempts before the record's that are known to have ended well."""
        last = _number(self._record)
        if last < 2:
            return ()
        attempts = self._store.attempts(*self._key)
        return [one.attempt for one in attempts if one.attempt < last and one.reason == COMPLETED]

    def _bring(self, attempt: int, observation: Observation) -> None:
        """Record results that the rows lack: they came with the file, or the rows were lost."""
        known = self._store.observation(*self._key, attempt)
        samples = tuple(
            sample
            for metric, summary in observation.items()
            if metric not in known
            for sample in _samples(metric, summary)
        )
        if samples:
            batch = Batch(*self._key, attempt, KNOWN_SOURCE, 0, samples)
            self._store.append(batch, now=self._now)


def _number(trial: TrialRecord) -> int:
    return trial.attempt.attempt if trial.attempt else 0


def _passed(number: int, now: float, *, completed: bool) -> AttemptRecord:
    """Return the end of an attempt that others followed before anybody told of it."""
    reason, message = (COMPLETED, "") if completed else _LOST
    return AttemptRecord(
        number, AttemptState.ENDED, token="", ended_at=now, reason=reason, message=message
    )


def _samples(metric: str, summary: Summary) -> Sequence[Sample]:
    """Return the fewest samples from which every strategy takes what it takes of the summary."""
    extremes = {summary.min: summary.min_step, summary.max: summary.max_step}
    values = [
        *((value, step) for value, step in extremes.items() if value != summary.latest),
        (summary.latest, summary.latest_step),
    ]
    if not summary.numbers:
        del values[:-1]
    return [Sample(metric, value, summary.latest_time, step) for value, step in values]
