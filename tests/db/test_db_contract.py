"""What every store keeps, whichever database is behind it."""

import math
from collections.abc import Callable

import pytest
from tunewright.api.errors import Conflict, Invalid, NotFound, StoreUnavailable
from tunewright.api.history import Dropped, Finished, Proposal, Proposed, Verdict
from tunewright.api.identity import ExperimentKey
from tunewright.api.observation import Batch, Sample, TextValue, summarize
from tunewright.api.states import ExperimentState, TrialState, UnknownEdge
from tunewright.db.records import AttemptState, ExperimentRecord, Usage
from tunewright.db.store import Store

KEY = ExperimentKey("default", "digits")
DOCUMENT = {
    "metadata": {"name": "digits"},
    "spec": {
        "objective": {
            "type": "minimize",
            "objectiveMetricName": "loss",
            "additionalMetricNames": ["accuracy"],
        }
    },
}
TEXT = TextValue("Genotype(normal=[('skip', 0)], 'ⓝ')")
BELOW_3 = [{"metric": "memory", "max": 3}]
USAGE = Usage(wall_seconds=2.5, cpu_seconds=1.5, peak_memory_bytes=1 << 33, device_seconds=0.5)


def made(store: Store, key: ExperimentKey = KEY) -> ExperimentRecord:
    return store.create_experiment(key, DOCUMENT, seed=7, workdir="/work", now=1.0)


def proposed(store: Store, uid: str, count: int = 1, first: int = 0) -> None:
    points = [(f"t-{first + n}", Proposal({"x": 0.5 + first + n})) for n in range(count)]
    store.propose(uid, first, points, made_from=0, now=2.0)


def running(store: Store, uid: str, index: int, attempt: int = 1) -> None:
    store.start_attempt(uid, index, attempt, token=f"token-{attempt}", now=3.0)
    store.attempt_running(uid, index, attempt, pid=42, pid_started_at=2.5, now=4.0)


def reported(
    store: Store,
    uid: str,
    index: int,
    *values: float,
    metric: str = "loss",
    first: int = 0,
    attempt: int = 1,
) -> None:
    samples = tuple(Sample(metric, value, 10.0 + n, n) for n, value in enumerate(values))
    store.record([Batch(uid, index, attempt, f"stdout/{metric}", first, samples)], now=5.0)


def ended(store: Store, uid: str, index: int, attempt: int, reason: str) -> None:
    store.attempt_ended(
        uid, index, attempt, exit_code=0, reason=reason, message="", usage=USAGE, now=6.0
    )


def finished(
    store: Store,
    uid: str,
    index: int,
    state: TrialState = TrialState.SUCCEEDED,
    min_delta: float = 0.0,
) -> Finished:
    return store.finish_trial(
        uid, index, state, reason=f"Trial{state}", message="done", min_delta=min_delta, now=9.0
    )


def observed(
    store: Store, uid: str, index: int, *values: float, min_delta: float = 0.0
) -> Finished:
    """Take a trial through its whole life."""
    proposed(store, uid, first=index)
    running(store, uid, index)
    reported(store, uid, index, *values)
    return finished(store, uid, index, min_delta=min_delta)


class TestExperiments:
    def test_what_was_written_is_read(self, store: Store):
        record = made(store)
        assert record == store.experiment(KEY)
        assert (record.key, record.document, record.seed) == (KEY, DOCUMENT, 7)
        assert record.state is ExperimentState.CREATED
        assert record.totals.proposed == 0

    def test_a_key_is_taken_once(self, store: Store):
        made(store)
        with pytest.raises(Conflict, match="default/digits"):
            made(store)

    def test_one_name_may_live_in_two_namespaces(self, store: Store):
        made(store)
        other = made(store, ExperimentKey("team", "digits"))
        assert [found.uid for found in store.experiments(namespace="team")] == [other.uid]
        assert len(store.experiments(name="digits")) == 2

    def test_a_deleted_key_is_free_and_nothing_of_it_is_left(self, store: Store):
        uid = made(store).uid
        observed(store, uid, 0, 0.5)
        store.delete_experiment(uid)
        with pytest.raises(NotFound):
            store.experiment(KEY)
        again = made(store)
        assert store.trials(again.uid) == []
        with pytest.raises(NotFound):
            store.find_trial("t-0")

    def test_an_edit_of_an_old_version_is_refused(self, store: Store):
        record = made(store)
        store.set_document(record.uid, {**DOCUMENT, "more": 1}, version=1, suspended=True)
        with pytest.raises(Conflict):
            store.set_document(record.uid, DOCUMENT, version=1, suspended=False)
        assert store.experiment(KEY).document["more"] == 1
        assert store.experiment(KEY).suspended

    def test_a_state_passes_through_the_door_with_an_event(self, store: Store):
        uid = made(store).uid
        store.set_state(uid, ExperimentState.RUNNING, reason="Started", message="it runs", now=3.0)
        store.set_state(uid, ExperimentState.SUCCEEDED, reason="Goal", message="reached", now=4.0)
        with pytest.raises(UnknownEdge):
            store.set_state(uid, ExperimentState.RUNNING, reason="", message="", now=5.0)
        record = store.experiment(KEY)
        assert (record.started_at, record.finished_at, record.reason) == (3.0, 4.0, "Goal")
        assert [event.reason for event in store.events(uid)] == ["Started", "Goal"]

    def test_a_wish_waits_until_it_is_answered(self, store: Store):
        uid = made(store).uid
        wish = store.wish(uid, "pause", {"now": True}, now=3.0)
        assert store.view(uid).wishes == (wish,)
        store.answer_wish(uid, wish.id)
        assert store.view(uid).wishes == ()

    def test_active_time_adds_up(self, store: Store):
        uid = made(store).uid
        store.add_active_seconds(uid, 1.5)
        store.add_active_seconds(uid, 2.0)
        assert store.experiment(KEY).active_seconds == 3.5


class TestTrials:
    def test_points_are_recorded_with_their_place_in_the_log(self, store: Store):
        uid = made(store).uid
        proposal = Proposal(
            {"x": 0.1, "n": 3, "opt": "añ'\"\n"}, "initial", (("a", "b"),), "t-9", "own-name"
        )
        entries = store.propose(uid, 0, [("t-0", proposal)], made_from=0, now=2.0)
        assert entries == [Proposed(1, 0, proposal, 0)]
        assert store.history(uid) == entries
        assert store.trial(uid, 0).proposal == proposal

    def test_an_index_is_given_once(self, store: Store):
        uid = made(store).uid
        proposed(store, uid)
        with pytest.raises(Conflict):
            proposed(store, uid)

    def test_a_whole_life_is_in_the_record(self, store: Store):
        uid = made(store).uid
        observed(store, uid, 0, 0.5, 0.25)
        store.attempt_ended(
            uid, 0, 1, exit_code=0, reason="Completed", message="", usage=USAGE, now=8.0
        )
        trial = store.trial(uid, 0)
        assert (trial.state, trial.value, trial.finished_at) == (TrialState.SUCCEEDED, 0.25, 9.0)
        assert trial.attempt is not None
        assert (trial.attempt.state, trial.attempt.usage) == (AttemptState.ENDED, USAGE)

    def test_the_end_of_the_output_stays_with_the_attempt(self, store: Store):
        uid = made(store).uid
        proposed(store, uid)
        running(store, uid, 0)
        tail = bytes(range(256)) * 256
        for output in ({"stdout": tail}, {"stdout": b"again"}):
            store.attempt_ended(
                *(uid, 0, 1),
                exit_code=0, reason="Completed", message="", usage=USAGE, now=8.0, output=output,
            )  # fmt: skip
        assert store.output(uid, 0, 1, "stdout") == tail
        assert store.output(uid, 0, 1, "stderr") == b""

    def test_output_that_is_kept_again_takes_the_place_of_what_was_kept(self, store: Store):
        uid = made(store).uid
        proposed(store, uid)
        for tail in (b"one", b"\xff two"):
            store.keep_output(uid, 0, 1, "stdout", tail)
        assert store.output(uid, 0, 1, "stdout") == b"\xff two"

    def test_a_finished_trial_stays_as_it_is(self, store: Store):
        uid = made(store).uid
        first = observed(store, uid, 0, 0.5)
        assert finished(store, uid, 0, TrialState.FAILED) == first
        assert store.trial(uid, 0).state is TrialState.SUCCEEDED
        assert store.experiment(KEY).totals.finished == 1

    def test_starting_an_attempt_twice_is_once(self, store: Store):
        uid = made(store).uid
        proposed(store, uid)
        running(store, uid, 0)
        store.start_attempt(uid, 0, 1, token="another", now=6.0)
        assert [attempt.token for attempt in store.attempts(uid, 0)] == ["token-1"]

    def test_a_retried_trial_waits_under_the_same_name(self, store: Store):
        uid = made(store).uid
        proposed(store, uid)
        running(store, uid, 0)
        store.retry_trial(
            uid, 0, counted=True, retry_at=20.0, reason="Retry", message="exit 1", now=9.0
        )
        trial = store.trial(uid, 0)
        assert (trial.state, trial.retries, trial.retry_at) == (TrialState.CREATED, 1, 20.0)
        running(store, uid, 0, attempt=2)
        assert [attempt.attempt for attempt in store.attempts(uid, 0)] == [1, 2]
        assert store.experiment(KEY).totals.of(TrialState.RUNNING) == 1

    def test_the_view_holds_what_is_unfinished(self, store: Store):
        uid = made(store).uid
        observed(store, uid, 0, 0.5)
        proposed(store, uid, first=1, count=2)
        running(store, uid, 2)
        view = store.view(uid)
        assert [trial.index for trial in view.unfinished] == [1, 2]
        assert view.experiment.totals.proposed == 3
        assert [trial.index for trial in view.experiment.best] == [0]

    def test_the_best_come_first_and_what_is_not_finite_is_never_among_them(self, store: Store):
        uid = made(store).uid
        for index, value in enumerate([0.5, math.nan, 0.1, -math.inf, math.inf]):
            observed(store, uid, index, value)
        best = store.experiment(KEY).best
        assert [(trial.index, trial.value) for trial in best] == [(2, 0.1), (0, 0.5)]
        assert store.trial(uid, 3).value == -math.inf

    def test_of_texts_the_last_is_the_best(self, store: Store):
        uid = made(store).uid
        for index, text in enumerate(["flat", "deep", "wide"]):
            observed(store, uid, index, TextValue("first"), TextValue(text))
        store.drop_trial(uid, 2, now=9.0)
        best = store.experiment(KEY).best
        assert [(trial.index, trial.value) for trial in best] == [
            *((1, TextValue("deep")), (0, TextValue("flat"))),
        ]
        assert [sample.value for sample in store.samples(uid, 0)][1:] == [TextValue("flat")]

    def test_what_betters_the_best_by_too_little_is_no_improvement(self, store: Store):
        uid = made(store).uid
        passed = []
        for index, value in enumerate([1.0, 0.95, 0.7, 0.65, 0.9]):
            observed(store, uid, index, value, min_delta=0.1)
            passed.append(store.view(uid).experiment.totals.since_improvement)
        assert passed == [0, 1, 0, 1, 2]
        assert store.experiment(KEY).best[0].value == 0.65

    def test_what_breaks_a_constraint_is_bad_and_never_the_best(self, store: Store):
        document = {**DOCUMENT, "spec": {**DOCUMENT["spec"], "constraints": BELOW_3}}
        uid = store.create_experiment(KEY, document, seed=7, workdir="/", now=1.0).uid
        verdicts = {}
        for index, (loss, memory) in enumerate([(0.5, 2.0), (0.1, 9.0), (0.2, None), (0.3, 3.0)]):
            proposed(store, uid, first=index)
            running(store, uid, index)
            reported(store, uid, index, loss)
            if memory is not None:
                reported(store, uid, index, 50.0, memory, metric="memory")
            verdicts[index] = str(finished(store, uid, index).verdict)
        assert verdicts == {0: "observed", 1: "bad", 2: "bad", 3: "observed"}
        assert [trial.index for trial in store.best_trials(uid, 5)] == [3, 0]
        assert store.trial(uid, 1).value == 0.1
        totals = store.experiment(KEY).totals
        assert (totals.observed, totals.since_improvement) == (4, 0)

    def test_a_point_that_ran_several_times_comes_to_their_mean(self, store: Store):
        uid = made(store).uid
        proposed(store, uid)
        for attempt, (reason, value) in enumerate(
            [("Completed", 1.0), ("Stopped", 50.0), ("Completed", 2.0), ("Completed", 6.0)], start=1
        ):
            running(store, uid, 0, attempt)
            reported(store, uid, 0, value, attempt=attempt)
            reported(store, uid, 0, value / 10, metric="accuracy", attempt=attempt)
            ended(store, uid, 0, attempt, reason)
        (waiting,) = store.view(uid).unfinished
        assert [each["loss"].latest for each in waiting.earlier] == [1.0, 2.0]
        entry = finished(store, uid, 0)
        assert (entry.value, entry.values) == (3.0, (("accuracy", pytest.approx(0.3)),))
        assert entry.deviation == pytest.approx(math.sqrt(7))
        assert store.history(uid)[-1] == entry
        assert store.trial(uid, 0).deviation == entry.deviation

    def test_as_many_of_the_best_are_given_as_are_asked_for(self, store: Store):
        uid = made(store).uid
        for index in range(12):
            observed(store, uid, index, float(index))
        assert [trial.index for trial in store.best_trials(uid, 10)] == list(range(10))
        assert len(store.experiment(KEY).best) == 5

    def test_pages_follow_one_another(self, store: Store):
        uid = made(store).uid
        proposed(store, uid, count=5)
        assert [t.index for t in store.trials(uid, after=1, limit=2)] == [2, 3]
        assert [t.index for t in store.trials(uid, newest_first=True, limit=2)] == [4, 3]
        assert [t.index for t in store.trials(uid, newest_first=True, after=3, limit=2)] == [2, 1]
        assert store.trials(uid, states=[TrialState.FAILED]) == []

    def test_a_name_finds_its_trial_unless_two_have_it(self, store: Store):
        uid = made(store).uid
        proposed(store, uid)
        assert store.find_trial("t-0") == (uid, 0)
        other = made(store, ExperimentKey("team", "digits")).uid
        proposed(store, other)
        with pytest.raises(Conflict, match="default, team"):
            store.find_trial("t-0")
        assert store.find_trial("t-0", "team") == (other, 0)

    def test_one_that_ends_before_it_began_is_counted_apart(self, store: Store):
        uid = made(store).uid
        proposed(store, uid, count=3)
        running(store, uid, 0)
        for index in (0, 1):
            finished(store, uid, index, TrialState.KILLED)
        totals = store.experiment(KEY).totals
        assert (totals.proposed, totals.finished, totals.unbegun) == (3, 1, 1)
        assert (totals.of(TrialState.KILLED), totals.of(TrialState.CREATED)) == (1, 1)
        assert totals.since_improvement == 1
        assert store.trial(uid, 1).state is TrialState.KILLED


class TestHistory:
    def test_it_is_numbered_without_gaps(self, store: Store):
        uid = made(store).uid
        observed(store, uid, 0, 0.5)
        proposed(store, uid, first=1, count=2)
        finished(store, uid, 2, TrialState.KILLED)
        store.drop_trial(uid, 0, now=10.0)
        kinds = [(entry.position, type(entry), entry.index) for entry in store.history(uid)]
        assert kinds == [
            (1, Proposed, 0),
            (2, Finished, 0),
            (3, Proposed, 1),
            (4, Proposed, 2),
            (5, Finished, 2),
            (6, Dropped, 0),
        ]
        assert [entry.position for entry in store.history(uid, after=4)] == [5, 6]
        assert [entry.position for entry in store.history(uid, after=1, limit=2)] == [2, 3]

    @pytest.mark.parametrize(
        ("values", "state", "own_failure", "verdict"),
        [
            pytest.param([0.5], TrialState.SUCCEEDED, False, Verdict.OBSERVED, id="observed"),
            pytest.param([0.5], TrialState.EARLY_STOPPED, False, Verdict.OBSERVED, id="stopped"),
            pytest.param([math.nan], TrialState.SUCCEEDED, False, Verdict.BAD, id="nan is bad"),
            pytest.param([TEXT], TrialState.SUCCEEDED, False, Verdict.NOTHING, id="a text"),
            pytest.param([0.5], TrialState.FAILED, True, Verdict.BAD, id="its own exit"),
            pytest.param([0.5], TrialState.FAILED, False, Verdict.NOTHING, id="a deadline of ours"),
            pytest.param([0.5], TrialState.KILLED, False, Verdict.NOTHING, id="killed"),
            pytest.param([], TrialState.METRICS_UNAVAILABLE, False, Verdict.NOTHING, id="silent"),
        ],
    )
    def test_a_verdict_says_what_a_trial_is_worth(
        self, store: Store, values, state, own_failure, verdict
    ):
        uid = made(store).uid
        proposed(store, uid)
        running(store, uid, 0)
        reported(store, uid, 0, *values)
        entry = store.finish_trial(
            uid, 0, state, reason="r", message="m", own_failure=own_failure, now=9.0
        )
        assert entry.verdict is verdict
        assert repr(store.history(uid)[-1]) == repr(entry)

    def test_further_metrics_travel_with_the_end(self, store: Store):
        uid = made(store).uid
        proposed(store, uid)
        running(store, uid, 0)
        reported(store, uid, 0, 0.5)
        reported(store, uid, 0, 0.8, 0.7, metric="accuracy")
        assert finished(store, uid, 0).values == (("accuracy", 0.7),)
        entry = store.history(uid)[-1]
        assert isinstance(entry, Finished)
        assert entry.values == (("accuracy", 0.7),)


class TestObservations:
    def test_every_float_comes_back(self, store: Store):
        uid = made(store).uid
        proposed(store, uid)
        running(store, uid, 0)
        values = [0.1, -1e300, 5e-324, math.inf, -math.inf, math.nan, 0.0]
        reported(store, uid, 0, *values)
        assert repr([sample.value for sample in store.samples(uid, 0)]) == repr(values)

    def test_summaries_are_those_of_the_whole_log(self, store: Store):
        uid = made(store).uid
        proposed(store, uid)
        running(store, uid, 0)
        samples = [
            Sample("loss", value, 10.0 + n, n) for n, value in enumerate([3.0, 1.0, 2.0, math.nan])
        ]
        for n, sample in enumerate(samples):
            store.record([Batch(uid, 0, 1, "stdout", n, (sample,))], now=5.0)
        assert repr(store.observation(uid, 0)) == repr(summarize(samples))

    def test_any_number_of_metrics_is_summed_up(self, store: Store, monkeypatch):
        monkeypatch.setattr("tunewright.db.cache.MOST", 2)
        uid = made(store).uid
        proposed(store, uid)
        running(store, uid, 0)
        names = [f"layer-{n}" for n in range(40)]
        samples = [Sample(name, float(n), 10.0, n) for n, name in enumerate(names)]
        later = [Sample(name, -1.0, 11.0, 40) for name in names[1:20]]
        store.record([Batch(uid, 0, 1, "stdout", 0, tuple(samples))], now=5.0)
        store.record([Batch(uid, 0, 1, "stdout", 40, tuple(later))], now=5.0)
        assert store.observation(uid, 0) == summarize([*samples, *later])
        assert store.trial(uid, 0).observation == summarize([*samples, *later])

    def test_a_batch_sent_twice_changes_nothing(self, store: Store):
        uid = made(store).uid
        proposed(store, uid)
        running(store, uid, 0)
        batch = Batch(uid, 0, 1, "stdout", 0, (Sample("loss", 0.5, 1.0), Sample("loss", 0.4, 2.0)))
        longer = Batch(uid, 0, 1, "stdout", 1, (*batch.samples[1:], Sample("loss", 0.3, 3.0)))
        acks = [store.record([sent], now=5.0)[0] for sent in (batch, batch, longer, batch)]
        assert [ack.last_sequence for ack in acks] == [1, 1, 2, 2]
        assert [sample.value for sample in store.samples(uid, 0)] == [0.5, 0.4, 0.3]
        assert store.observation(uid, 0)["loss"].count == 3

    def test_a_range_of_one_metric_is_read(self, store: Store):
        uid = made(store).uid
        proposed(store, uid)
        running(store, uid, 0)
        reported(store, uid, 0, 5.0, 4.0, 3.0)
        reported(store, uid, 0, 1, metric="accuracy")
        found = store.samples(uid, 0, metric="loss", since=11.0, until=11.5)
        assert [sample.value for sample in found] == [4]
        assert list(store.samples(uid, 0, metric="never seen")) == []

    def test_the_objective_of_all_trials_is_read_at_once(self, store: Store):
        uid = made(store).uid
        observed(store, uid, 0, 0.5, 0.4)
        observed(store, uid, 1, 0.9)
        found = [(index, sample.value) for index, sample in store.objective_samples(uid)]
        assert found == [(0, 0.5), (0, 0.4), (1, 0.9)]
        assert [i for i, _ in store.objective_samples(uid, since=11.0)] == [0]

    def test_each_attempt_has_its_own_log(self, store: Store):
        uid = made(store).uid
        proposed(store, uid)
        running(store, uid, 0)
        reported(store, uid, 0, 0.1)
        store.retry_trial(uid, 0, counted=True, retry_at=0, reason="r", message="m", now=6.0)
        running(store, uid, 0, attempt=2)
        store.record([Batch(uid, 0, 2, "stdout", 0, (Sample("loss", 0.7, 1.0),))], now=7.0)
        assert finished(store, uid, 0).value == 0.7
        assert store.observation(uid, 0, attempt=1)["loss"].min == 0.1

    def test_what_comes_late_is_kept_and_changes_no_state(self, store: Store):
        uid = made(store).uid
        observed(store, uid, 0, 0.5)
        reported(store, uid, 0, 0.1, first=1)
        assert store.trial(uid, 0).value == 0.5
        assert len(list(store.samples(uid, 0))) == 2

    def test_an_unknown_trial_is_refused(self, store: Store):
        uid = made(store).uid
        with pytest.raises(NotFound):
            reported(store, uid, 3, 0.5)

    def test_more_rows_than_a_statement_has_places_for(self, store: Store):
        uid = made(store).uid
        proposed(store, uid)
        running(store, uid, 0)
        reported(store, uid, 0, *[n / 10 for n in range(40_000)])
        assert store.observation(uid, 0)["loss"].count == 40_000
        assert sum(1 for _ in store.samples(uid, 0)) == 40_000

    @pytest.mark.parametrize(
        "sample",
        [
            pytest.param(Sample("x" * 256, 0.5, 1.0), id="a long name"),
            pytest.param(Sample("lo\0ss", 0.5, 1.0), id="nul in a name"),
            pytest.param(Sample("loss ", 0.5, 1.0), id="a blank at the end of a name"),
            pytest.param(Sample("lo\udcffss", 0.5, 1.0), id="broken utf-8 in a name"),
            pytest.param(Sample("loss", 0.5, 1.0, 2**70), id="a step beyond 64 bits"),
        ],
    )
    def test_what_cannot_be_kept_is_refused_whole(self, store: Store, sample: Sample):
        uid = made(store).uid
        proposed(store, uid)
        running(store, uid, 0)
        good = Sample("loss", 0.5, 1.0)
        with pytest.raises(Invalid, match=r"cannot (be kept|keep)"):
            store.record([Batch(uid, 0, 1, "stdout", 0, (good, sample))], now=5.0)
        assert store.observation(uid, 0) == {}
        assert store.record([Batch(uid, 0, 1, "stdout", 0, (good,))], now=5.0)[0].last_sequence == 0

    @pytest.mark.parametrize(
        "name", ["loss/😀", "Loss", "损失", "x" * 240], ids=["emoji", "case", "chinese", "long"]
    )
    def test_a_metric_may_be_called_as_one_likes(self, store: Store, name: str):
        uid = made(store).uid
        proposed(store, uid)
        running(store, uid, 0)
        reported(store, uid, 0, 0.5)
        reported(store, uid, 0, 0.25, metric=name)
        assert {n: s.latest for n, s in store.observation(uid, 0).items()} == {
            "loss": 0.5,
            name: 0.25,
        }

    def test_a_message_may_hold_whatever_a_program_printed(self, store: Store):
        uid = made(store).uid
        proposed(store, uid)
        running(store, uid, 0)
        message = "😀\0\udcff\x1b[1m\n" + "x" * 100_000
        usage = Usage()
        store.attempt_ended(
            uid, 0, 1, exit_code=1, reason="r", message=message, usage=usage, now=8.0
        )
        store.finish_trial(uid, 0, TrialState.FAILED, reason="r", message=message, now=9.0)
        store.add_event(uid, index=0, kind="Normal", reason="r", message=message, now=9.0)
        kept = message.replace("\0", "\ufffd").replace("\udcff", "?")
        trial = store.trial(uid, 0)
        assert trial.attempt is not None
        assert {trial.message, trial.attempt.message, store.events(uid)[-1].message} == {kept}


class TestGroups:
    def test_the_writes_of_a_group_happen_together_or_not_at_all(
        self, store: Store, opened: Callable[..., Store]
    ):
        uid = made(store).uid
        with pytest.raises(NotFound), store.group():  # noqa: PT012 # the first write is the point
            proposed(store, uid)
            running(store, uid, 9)
        assert opened().trials(uid) == []
        with store.group():
            proposed(store, uid)
            assert len(store.trials(uid)) == 1
        assert len(opened().trials(uid)) == 1

    def test_a_group_at_once_is_one_or_is_refused_before_anything_is_written(
        self, store: Store, opened: Callable[..., Store], place: str
    ):
        uid = made(store).uid
        if "://" in place:
            with pytest.raises(StoreUnavailable, match="waited for"), store.at_once():
                proposed(store, uid)
        else:
            with pytest.raises(NotFound), store.at_once():  # noqa: PT012 # the first is the point
                proposed(store, uid)
                running(store, uid, 9)
        assert opened().trials(uid) == []


class TestWhatWasUndone:
    """An undone transaction leaves nothing behind, in no memory either."""

    def test_a_metric_first_seen_in_it_is_kept_afterwards(
        self, store: Store, opened: Callable[..., Store]
    ):
        uid = made(store).uid
        proposed(store, uid)
        running(store, uid, 0)
        with pytest.raises(NotFound), store.group():  # noqa: PT012 # the first write is the point
            reported(store, uid, 0, 0.5)
            running(store, uid, 9)
        reported(store, uid, 0, 0.25)
        for reader in (store, opened()):
            assert reader.observation(uid, 0)["loss"].latest == 0.25
            assert [sample.value for sample in reader.samples(uid, 0)] == [0.25]

    def test_what_is_remembered_has_an_end_and_is_read_again(self, store: Store, monkeypatch):
        monkeypatch.setattr("tunewright.db.cache.MOST", 2)
        uids = [made(store, ExperimentKey("default", f"e-{n}")).uid for n in range(5)]
        for uid in uids:
            observed(store, uid, 0, 0.5)
        assert [store.trial(uid, 0).value for uid in uids] == [0.5] * 5
        remembered = (store._ids, store._rules, store._documents, store._names._ids)
        assert max(len(memory._known) for memory in remembered) == 2

    def test_an_edit_made_in_it_is_not_read_for_one_made_later(self, store: Store):
        uid = made(store).uid
        observed(store, uid, 0, 0.5)
        for metric, undone in (("accuracy", True), ("auc", False)):
            spec = {"objective": {"type": "maximize", "objectiveMetricName": metric}}
            try:
                with store.group():
                    store.set_document(uid, {"spec": spec}, version=1, suspended=False)
                    assert store.view(uid).experiment.document == {"spec": spec}
                    if undone:
                        running(store, uid, 9)
            except NotFound:
                assert undone
        assert store.view(uid).experiment.document == {"spec": spec}
        proposed(store, uid, first=1)
        running(store, uid, 1)
        reported(store, uid, 1, 0.75, metric="auc")
        assert finished(store, uid, 1).value == 0.75

    def test_an_experiment_deleted_elsewhere_is_not_mistaken_for_a_newer_one(
        self, store: Store, opened: Callable[..., Store]
    ):
        gone = made(store).uid
        proposed(store, gone)
        store.view(gone)
        other = opened()
        other.delete_experiment(gone)
        newer = made(other).uid
        with pytest.raises((NotFound, Conflict)):
            proposed(store, gone, first=0)
        assert other.trials(newer) == []


class TestDevices:
    INVENTORY = ("gpu-0", "gpu-1")

    def test_no_two_owners_share_a_device(self, store: Store, opened: Callable[..., Store]):
        first = store.lease_devices("a", 1, inventory=self.INVENTORY, shares=1, now=1.0)
        second = opened().lease_devices("b", 1, inventory=self.INVENTORY, shares=1, now=1.0)
        assert {*first, *second} == set(self.INVENTORY)
        assert store.lease_devices("c", 1, inventory=self.INVENTORY, shares=1, now=1.0) == ()
        store.release_devices("a")
        assert store.lease_devices("c", 1, inventory=self.INVENTORY, shares=1, now=1.0) == first

    def test_shares_fill_the_least_used_first(self, store: Store):
        given = [
            store.lease_devices(owner, 1, inventory=self.INVENTORY, shares=2, now=1.0)[0]
            for owner in "abcd"
        ]
        assert sorted(given) == ["gpu-0", "gpu-0", "gpu-1", "gpu-1"]
        assert given[0] != given[1]
        assert store.lease_devices("e", 1, inventory=self.INVENTORY, shares=2, now=1.0) == ()

    def test_one_owner_gets_different_devices_and_the_same_when_asked_again(self, store: Store):
        given = store.lease_devices("a", 2, inventory=self.INVENTORY, shares=4, now=1.0)
        assert sorted(given) == list(self.INVENTORY)
        again = store.lease_devices("a", 2, inventory=self.INVENTORY, shares=4, now=2.0)
        assert sorted(again) == sorted(given)

    def test_it_is_known_whose_attempt_goes_on(self, store: Store):
        going, over, deleted = (made(store, ExperimentKey("default", name)).uid for name in "abc")
        for uid, token in ((going, "t1"), (over, "t2"), (deleted, "t3")):
            proposed(store, uid)
            store.start_attempt(uid, 0, 1, token=token, now=1.0)
            store.lease_devices(f"{token}/gpu", 1, inventory=self.INVENTORY, shares=2, now=1.0)
        ended(store, over, 0, 1, "Completed")
        store.delete_experiment(deleted)
        assert store.device_holders() == {"t1/gpu": going, "t2/gpu": None, "t3/gpu": None}
