"""Laws of the store: what it keeps beside its rows is what the rows say."""

import math
import uuid

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tunewright.api.history import Finished, Proposal
from tunewright.api.identity import ExperimentKey
from tunewright.api.observation import Batch, Sample, summarize
from tunewright.api.states import TrialState
from tunewright.db.store import Store

DOCUMENT = {"spec": {"objective": {"type": "minimize", "objectiveMetricName": "loss"}}}

# One store serves all examples of a test: each makes an experiment of its own.
many = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

# Without -0.0, whose sign SQLite and MySQL do not keep.
values = st.one_of(
    st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 1.5]),
    st.floats(min_value=-1e300, max_value=1e300, allow_nan=False).map(lambda value: value + 0.0),
)
samples = st.lists(
    st.builds(
        Sample,
        st.sampled_from(["loss", "accuracy"]),
        values,
        st.integers(0, 5).map(float),
        st.none() | st.integers(0, 5),
    ),
    max_size=12,
)


def made(store: Store) -> str:
    key = ExperimentKey("default", f"e{uuid.uuid4().hex}")
    return store.create_experiment(key, DOCUMENT, seed=1, workdir="/", now=1.0).uid


def propose(store: Store, uid: str, index: int) -> None:
    store.propose(uid, index, [(f"t-{index}", Proposal({"x": 1}))], made_from=0, now=1.0)


@many
@given(log=samples, cuts=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=6))
def test_summaries_and_log_do_not_depend_on_how_a_log_was_sent(store: Store, log, cuts):
    """Batches may be repeated and may overlap; they leave no gap, for a reporter goes on."""
    uid = made(store)
    propose(store, uid, 0)
    store.start_attempt(uid, 0, 1, token="t", now=1.0)
    kept = 0
    for start, end in [*cuts, (0, len(log))]:
        first = min(start, kept)
        part = tuple(log[first:end])
        ack = store.record([Batch(uid, 0, 1, "stdout", first, part)], now=1.0)[0]
        kept = max(kept, first + len(part))
        assert ack.last_sequence == kept - 1
    assert as_text(store.observation(uid, 0)) == as_text(summarize(log))
    for metric in ("loss", "accuracy"):
        found = list(store.samples(uid, 0, metric=metric))
        assert repr(found) == repr(
            sorted((s for s in log if s.metric == metric), key=lambda s: s.time)
        )


def as_text(found) -> dict[str, str]:
    """NaN is not equal to itself; its text is."""
    return {name: repr(summary) for name, summary in found.items()}


steps = st.one_of(
    st.tuples(st.just("propose"), st.just(0), values, st.just(TrialState.CREATED)),
    st.tuples(
        st.just("finish"),
        st.integers(0, 7),
        values,
        st.sampled_from([state for state in TrialState if state.is_finished]),
    ),
    st.tuples(st.just("drop"), st.integers(0, 7), values, st.just(TrialState.CREATED)),
    st.tuples(st.just("retry"), st.integers(0, 7), values, st.just(TrialState.CREATED)),
)


def step(store: Store, uid: str, count: int, what: str, index: int, value, state) -> int:
    """Do one thing to one of `count` trials; return how many there are then."""
    if what == "propose":
        propose(store, uid, count)
        return count + 1
    if index >= count:
        return count
    trial = store.trial(uid, index)
    if what == "drop" and trial.state.is_finished:
        store.drop_trial(uid, index, now=3.0)
    elif what == "retry" and trial.state is TrialState.RUNNING:
        store.retry_trial(uid, index, counted=True, retry_at=0, reason="r", message="m", now=3.0)
    elif what == "finish" and not trial.state.is_finished:
        attempt = trial.attempt.attempt + 1 if trial.attempt else 1
        store.start_attempt(uid, index, attempt, token="t", now=1.0)
        store.attempt_running(uid, index, attempt, pid=1, pid_started_at=1.0, now=1.0)
        if value != 1.5:
            batch = Batch(uid, index, attempt, "stdout", 0, (Sample("loss", value, 1.0),))
            store.record([batch], now=1.0)
        if value != 0.0:  # one that stays running
            store.finish_trial(uid, index, state, reason="r", message="m", now=2.0)
    return count


@many
@given(script=st.lists(steps, max_size=25))
def test_totals_and_best_are_those_of_the_rows(store: Store, script):
    uid = made(store)
    count = 0
    for what, index, value, state in script:
        count = step(store, uid, count, what, index, value, state)
    view = store.view(uid)
    totals = view.experiment.totals
    trials = store.trials(uid)
    assert totals.proposed == count == len(trials)
    assert totals.by_state == {
        state: sum(trial.state is state for trial in trials) for state in TrialState
    }
    assert totals.observed == sum(t.value is not None and not t.dropped for t in trials)
    assert totals.dropped == sum(trial.dropped for trial in trials)
    assert [t.index for t in view.unfinished] == [
        t.index for t in trials if not t.state.is_finished
    ]
    good = {TrialState.SUCCEEDED, TrialState.EARLY_STOPPED}
    ranked = sorted(
        (t.value, t.index)
        for t in trials
        if t.state in good and t.value is not None and math.isfinite(t.value) and not t.dropped
    )
    assert [t.index for t in view.experiment.best] == [index for _, index in ranked[:5]]
    log = store.history(uid)
    assert [entry.position for entry in log] == list(range(1, totals.position + 1))
    assert sum(isinstance(entry, Finished) for entry in log) == totals.finished
