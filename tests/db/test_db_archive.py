"""The archive: rows that follow records whose truth is elsewhere, from any state, at any pace."""

import math
from contextlib import suppress
from dataclasses import replace
from itertools import chain, repeat
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tunewright.api.errors import NotFound
from tunewright.api.history import Proposal, Verdict
from tunewright.api.identity import ExperimentKey
from tunewright.api.objective import Strategy
from tunewright.api.observation import Batch, Observation, Sample, TextValue, summarize
from tunewright.api.states import ExperimentState, TrialState
from tunewright.api.stopping import Stop
from tunewright.db.archive import keep, look, stops
from tunewright.db.records import (
    AttemptRecord,
    AttemptState,
    ExperimentRecord,
    PendingStop,
    Reporter,
    Totals,
    TrialRecord,
)
from tunewright.db.store import Store

NOW = 100.0
SPEC = {"objective": {"type": "minimize", "objectiveMetricName": "loss"}}
DONE = {TrialState.SUCCEEDED, TrialState.FAILED, TrialState.KILLED, TrialState.EARLY_STOPPED}


def experiment(uid: str = "e-1", **changes) -> ExperimentRecord:
    made = ExperimentRecord(
        uid=uid,
        key=ExperimentKey("team", "digits"),
        document={"metadata": {"name": "digits"}, "spec": SPEC},
        version=1,
        state=ExperimentState.RUNNING,
        reason="ExperimentRunning",
        message="Experiment is running",
        seed=7,
        workdir="",
        suspended=False,
        created_at=1.0,
        started_at=2.0,
        finished_at=None,
        active_seconds=0.0,
        totals=Totals(),
    )
    return replace(made, **changes)


def trial(index: int = 0, **changes) -> TrialRecord:
    made = TrialRecord(
        index=index,
        name=f"digits-{index}",
        state=TrialState.CREATED,
        reason="TrialCreated",
        message="Trial is created",
        proposal=Proposal({"x": 0.5 + index}),
        made_from=index,
        created_at=3.0 + index,
        started_at=None,
        finished_at=None,
        value=None,
        attempt=None,
    )
    return replace(made, **changes)


def starting(number: int = 1) -> AttemptRecord:
    return AttemptRecord(number, AttemptState.STARTING, token=f"t{number}", started_at=10.0)


def running(number: int = 1) -> AttemptRecord:
    return replace(starting(number), state=AttemptState.RUNNING)


def over(number: int = 1, reason: str = "Completed") -> AttemptRecord:
    return replace(
        starting(number), state=AttemptState.ENDED, ended_at=20.0, exit_code=0, reason=reason
    )


def runs(record: TrialRecord, number: int = 1) -> TrialRecord:
    return replace(
        record,
        state=TrialState.RUNNING,
        reason="TrialRunning",
        message="Trial is running",
        started_at=11.0,
        attempt=running(number),
        retry_at=None,
    )


def ends(record: TrialRecord, state: TrialState = TrialState.SUCCEEDED, **changes) -> TrialRecord:
    ended = replace(record, state=state, reason=f"Trial{state}", message="done", finished_at=30.0)
    return replace(ended, **changes)


def report(store: Store, *values: float, index: int = 0, attempt: int = 1, uid: str = "e-1"):
    samples = tuple(Sample("loss", value, 12.0 + n) for n, value in enumerate(values))
    store.record([Batch(uid, index, attempt, "StdOut", 0, samples)], now=13.0)


def seen(*values: float) -> Observation:
    return summarize([Sample("loss", value, 12.0 + n, n) for n, value in enumerate(values)])


class TestAnExperiment:
    def test_what_was_forgotten_may_be_there_again(self, store: Store):
        """A cluster that is restored has its resources back, by the uids that they had."""
        keep(store, experiment(), [trial(0)], now=NOW)
        store.add_event("e-1", index=None, kind="Normal", reason="A", message="", now=NOW)
        store.delete_experiment("e-1")
        keep(store, experiment(), [trial(0)], now=NOW)
        store.add_event("e-1", index=None, kind="Normal", reason="B", message="", now=NOW)
        assert "B" in {each.reason for each in store.events("e-1")}
        assert [each.index for each in store.trials("e-1")] == [0]

    @pytest.mark.parametrize("is_kept", [False, True], ids=["reported", "kept"])
    def test_what_was_forgotten_is_known_where_another_replica_wrote_it_anew(self, opened, is_kept):
        store, other = opened(), opened()
        keep(store, experiment(), [runs(trial(0))], now=NOW)
        assert [each.index for each in other.trials("e-1")] == [0]
        store.delete_experiment("e-1")
        keep(store, experiment(), [runs(trial(0))], now=NOW)
        if is_kept:
            keep(other, experiment(), [runs(trial(0)), trial(1)], now=NOW)
        report(other, 0.5)
        assert store.observation("e-1", 0)["loss"].count == 1

    def test_it_is_written_under_its_uid_and_follows_its_record(self, store: Store):
        keep(store, experiment(), [], now=NOW)
        end = experiment(
            state=ExperimentState.SUCCEEDED,
            reason="GoalReached",
            message="Goal is reached",
            finished_at=50.0,
            active_seconds=48.0,
        )
        keep(store, end, [], now=NOW)
        found = store.experiment(ExperimentKey("team", "digits"))
        assert found.totals.proposed == 0
        assert replace(found, totals=Totals()) == end

    @pytest.mark.parametrize(
        "states",
        [
            pytest.param(["Running", "Succeeded", "Restarting", "Running"], id="all was told"),
            pytest.param(["Succeeded", "Running"], id="its restart was not"),
            pytest.param(["Running", "Restarting", "Running"], id="its end was not"),
            pytest.param(["Failed", "Succeeded"], id="a whole life was not"),
        ],
    )
    def test_it_passes_to_any_state_whatever_was_told_before(self, store: Store, states):
        for state in map(ExperimentState, states):
            keep(store, experiment(state=state, finished_at=9.0), [], now=NOW)
        assert store.view("e-1").experiment.state == states[-1]

    def test_a_newer_document_replaces_an_older_one_and_never_the_other_way(self, store: Store):
        edited = {"metadata": {"name": "digits"}, "spec": {**SPEC, "maxTrialCount": 9}}
        newer = experiment(version=5, document=edited, suspended=True)
        for told in (experiment(), newer, experiment()):
            keep(store, told, [], now=NOW)
        found = store.view("e-1").experiment
        assert (found.version, found.document, found.suspended) == (5, edited, True)

    def test_a_deleted_one_with_its_key_gives_the_key_up_and_keeps_its_rows(self, store: Store):
        keep(store, experiment("deleted-1"), [trial()], now=NOW)
        keep(store, experiment("e-2"), [trial()], now=NOW)
        assert store.experiment(ExperimentKey("team", "digits")).uid == "e-2"
        retired = store.experiment(ExperimentKey("team", "digits~deleted-"))
        assert [one.name for one in store.trials(retired.uid)] == ["digits-0"]
        assert store.find_trial("digits-0", "team") == ("e-2", 0)


class TestATrial:
    def test_it_is_recorded_with_its_point_before_anything_runs(self, store: Store):
        assert keep(store, experiment(), [trial(0), trial(1, attempt=starting())], now=NOW) == 2
        first, second = store.trials("e-1")
        assert (first.proposal.point, first.made_from, first.created_at) == ({"x": 0.5}, 0, 3.0)
        assert (second.attempt and second.attempt.token) == "t1"

    def test_its_end_is_written_with_the_value_that_the_store_itself_sums_up(self, store: Store):
        keep(store, experiment(), [runs(trial())], now=NOW)
        report(store, 0.5, 0.25)
        keep(store, experiment(), [ends(runs(trial()), attempt=over())], now=NOW)
        found = store.trial("e-1", 0)
        assert (found.state, found.value, found.finished_at) == (TrialState.SUCCEEDED, 0.25, 30.0)
        assert (found.reason, found.message, found.started_at) == ("TrialSucceeded", "done", 11.0)
        assert found.attempt == replace(over(), ran_at=None)

    @pytest.mark.parametrize("own", [Verdict.BAD, Verdict.NOTHING])
    def test_a_failure_tells_algorithms_what_the_record_says_of_it(self, store: Store, own):
        failed = ends(runs(trial()), TrialState.FAILED, attempt=over(), verdict=own)
        keep(store, experiment(), [failed], now=NOW)
        assert store.trial("e-1", 0).verdict is own

    def test_a_known_result_is_recorded_where_the_store_has_none(self, store: Store):
        known = ends(trial(), attempt=over(), observation=seen(0.75))
        keep(store, experiment(), [known], now=NOW)
        assert store.trial("e-1", 0).value == 0.75
        assert [one.source for one in store.reporters("e-1", 0, 1)] == ["initial"]

    def test_a_result_that_was_reported_is_not_recorded_again(self, store: Store):
        keep(store, experiment(), [runs(trial())], now=NOW)
        report(store, 0.5)
        ended = ends(runs(trial()), attempt=over(), observation=seen(0.5))
        keep(store, experiment(), [ended], now=NOW)
        assert len(list(store.samples("e-1", 0))) == 1

    @pytest.mark.parametrize("strategy", ["min", "max", "latest"])
    @pytest.mark.parametrize(
        "values",
        [
            *((0.5,), (3.0, 1.0, 2.0), (1.0, math.nan), (math.nan,), (1.0, math.inf, 1.0)),
            (TextValue("flat"), TextValue("deep")),
        ],
    )
    def test_a_lost_store_takes_the_same_value_from_what_the_record_brings(
        self, store: Store, strategy, values
    ):
        how = {"metricStrategies": [{"name": "loss", "value": strategy}]}
        document = {"metadata": {}, "spec": {"objective": SPEC["objective"] | how}}
        ended = ends(runs(trial()), attempt=over(), observation=seen(*values))
        keep(store, experiment(document=document), [ended], now=NOW)
        wanted = Strategy(strategy).take(seen(*values)["loss"])
        assert repr(store.trial("e-1", 0).value) == repr(wanted)

    def test_a_retry_is_counted_once(self, store: Store):
        failed = over(1, "Failed")
        waits = replace(runs(trial()), state=TrialState.CREATED, attempt=failed, retry_at=40.0)
        waits = replace(waits, retries=1, reason="Retrying", message="again")
        for told in (runs(trial()), waits, waits, runs(waits, 2), waits):
            keep(store, experiment(), [told], now=NOW)
        found = store.trial("e-1", 0)
        assert (found.state, found.retries) == (TrialState.RUNNING, 1)
        assert [one.state for one in store.attempts("e-1", 0)] == ["ended", "running"]

    def test_attempts_that_nobody_told_of_ended_as_the_record_counts_them(self, store: Store):
        keep(store, experiment(), [runs(trial())], now=NOW)
        report(store, 0.25)
        third = replace(runs(trial(), 3), retries=1, earlier=(seen(0.75),))
        keep(store, experiment(), [third], now=NOW)
        reasons = [one.reason for one in store.attempts("e-1", 0)]
        assert reasons == ["Lost", "Completed", ""]
        assert store.trial("e-1", 0).retries == 1
        report(store, 0.25, attempt=3)
        keep(store, experiment(), [ends(third, attempt=over(3))], now=NOW)
        assert store.trial("e-1", 0).value == 0.5  # the mean of the runs that ended well

    def test_one_that_was_taken_out_is_taken_out_once(self, store: Store):
        dropped = ends(runs(trial()), attempt=over(), observation=seen(0.5), dropped=True)
        for _ in range(2):
            keep(store, experiment(), [dropped], now=NOW)
        totals = store.view("e-1").experiment.totals
        assert (totals.dropped, totals.observed) == (1, 0)

    def test_those_behind_a_gap_are_left_until_the_gap_is_filled(self, store: Store):
        every = [ends(runs(trial(n)), attempt=over(), observation=seen(0.1 * n)) for n in range(4)]
        assert keep(store, experiment(), every[2:], now=NOW) == 0
        assert store.trials("e-1") == []
        assert keep(store, experiment(), every, now=NOW) == 4
        assert [one.value for one in store.trials("e-1")] == pytest.approx([0, 0.1, 0.2, 0.3])


class Stops:
    """A rule that stops every trial at its second report."""

    def evaluate(self, _uid, _rule, _objective, reports, _log):
        return [Stop(one.index, one.attempt, "too slow") for one in reports if one.reports == 2]


def stopping() -> ExperimentRecord:
    rule = {"earlyStopping": {"algorithmName": "medianstop"}}
    return experiment(document={"metadata": {}, "spec": {**SPEC, **rule}})


class TestWhatIsAsked:
    def test_a_look_tells_what_was_reported_and_when(self, store: Store):
        keep(store, experiment(), [runs(trial(0)), runs(trial(1))], now=NOW)
        report(store, 0.5)
        said = Reporter("StdOut", seen=("los",), dropped=3, done=True)
        store.note_reporter("e-1", 0, 1, said, now=15.0)
        found = look(store, "e-1", [(0, 1), (1, 1), (7, 1)])
        assert set(found) == {0, 1}
        assert found[0].observation["loss"].latest == 0.5
        assert (found[0].last_sign_at, found[0].metrics_seen) == (15.0, ("los",))
        assert (found[0].dropped, found[0].done) == (3, True)
        assert (found[1].observation, found[1].last_sign_at, found[1].done) == ({}, None, False)

    def test_a_look_at_an_experiment_that_is_not_there_finds_nothing(self, store: Store):
        assert look(store, "nobody", [(0, 1)]) == {}

    def test_of_several_reporters_the_last_to_be_heard_says_whether_all_is_told(self, store: Store):
        keep(store, experiment(), [runs(trial())], now=NOW)
        for at, pod, done in ((14.0, "first", True), (15.0, "second", False)):
            reporter = Reporter(f"StdOut/{pod}", dropped=1, done=done)
            store.note_reporter("e-1", 0, 1, reporter, now=at)
        found = look(store, "e-1", [(0, 1)])[0]
        assert (found.done, found.dropped) == (False, 2)

    def test_reporters_that_are_heard_at_one_moment_have_all_to_be_done(self, store: Store):
        keep(store, experiment(), [runs(trial())], now=NOW)
        for done in (True, False):
            for pod in ("first", "second"):
                reporter = Reporter(f"StdOut/{pod}", done=done or pod == "first")
                store.note_reporter("e-1", 0, 1, reporter, now=14.0)
            assert look(store, "e-1", [(0, 1)])[0].done is done

    def test_a_reporter_that_said_something_goes_on_with_its_samples(self, store: Store):
        keep(store, experiment(), [runs(trial())], now=NOW)
        assert store.note_reporter("e-1", 0, 1, Reporter("StdOut"), now=1.0).last_sequence == -1
        report(store, 0.5)
        assert store.note_reporter("e-1", 0, 1, Reporter("StdOut"), now=1.0).last_sequence == 0

    def test_nobody_reports_for_an_attempt_that_is_not_there(self, store: Store):
        keep(store, experiment(), [trial()], now=NOW)
        with pytest.raises(NotFound):
            store.note_reporter("e-1", 0, 1, Reporter("StdOut"), now=1.0)

    def test_a_stop_is_pending_until_its_trial_has_ended(self, opened):
        store = opened(Stops())
        keep(store, stopping(), [runs(trial(0)), runs(trial(1))], now=NOW)
        for index in (0, 1):
            report(store, 0.5, 0.4, index=index)
        wanted = [PendingStop("e-1", index, 1, "too slow") for index in (0, 1)]
        assert stops(store) == wanted
        ended = ends(runs(trial(0)), TrialState.EARLY_STOPPED, attempt=over(1, "Stopped"))
        keep(store, stopping(), [ended], now=NOW)
        assert stops(store) == wanted[1:]
        found = store.trial("e-1", 0)
        assert (found.value, found.stop and found.stop.answered) == (0.4, True)

    def test_a_stop_of_an_attempt_that_is_over_is_none(self, opened):
        store = opened(Stops())
        keep(store, stopping(), [runs(trial())], now=NOW)
        report(store, 0.5, 0.4)
        keep(store, stopping(), [runs(trial(), 2)], now=NOW)
        assert stops(store) == []


# Laws: lives of trials, told at any pace.


@st.composite
def lives(draw, index: int) -> list[TrialRecord]:
    """Return the records of one trial as it lives, each a little further than the one before."""
    record = trial(index)
    told = [record]
    number = 0
    for _ in range(draw(st.integers(0, 3))):
        number += 1
        record = replace(record, attempt=starting(number), retry_at=None)
        told.append(record)
        if draw(st.booleans()):
            record = runs(record, number)
            told.append(record)
        how = draw(st.sampled_from(["Completed", "Failed", "Lost"]))
        record = replace(record, attempt=over(number, how))
        told.append(record)
        counted = how == "Failed"
        earlier = (*record.earlier, seen(0.5 * number)) if how == "Completed" else record.earlier
        record = replace(
            record,
            state=TrialState.CREATED,
            reason="Retrying",
            message="again",
            retry_at=20.0,
            retries=record.retries + counted,
            earlier=earlier,
        )
        told.append(record)
    number += 1
    record = runs(replace(record, attempt=starting(number)), number)
    told.append(record)
    record = ends(
        replace(record, attempt=over(number), observation=seen(draw(st.floats(0, 1)))),
        draw(st.sampled_from(sorted(DONE))),
        verdict=draw(st.sampled_from([Verdict.BAD, Verdict.NOTHING])),
    )
    told.append(record)
    if draw(st.booleans()):
        told.append(replace(record, dropped=True))
    return told


@st.composite
def stories(draw) -> tuple[list[list[TrialRecord]], list[TrialRecord]]:
    """Return calls, in any order and repeated, and then one with how it all ended."""
    whole = [draw(lives(index)) for index in range(draw(st.integers(1, 3)))]
    told = [record for life in whole for record in life]
    calls = draw(st.lists(st.lists(st.sampled_from(told), max_size=4), max_size=8))
    return calls, [life[-1] for life in whole]


def rows(store: Store, uid: str) -> list[TrialRecord]:
    """Return what the store says of all trials; NaN is not equal to itself, its text is."""
    return [replace(found, made_from=0) for found in store.trials(uid)]


class Broken(Exception):
    """The process ended here."""


class Breaking:
    """A store of which only the first `calls` calls happen."""

    def __init__(self, store: Store, calls: int) -> None:
        self._store = store
        self._left = calls

    def __getattr__(self, name: str):
        self._left -= 1
        if self._left < 0:
            raise Broken
        return getattr(self._store, name)


# One store serves all examples: each makes experiments of its own.
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(story=stories(), breaks=st.lists(st.integers(0, 40), max_size=8))
def test_whatever_was_told_before_and_wherever_it_broke_off_the_end_is_the_same(
    store: Store, story, breaks
):
    calls, end = story
    told, fresh = (experiment(uuid4().hex, key=ExperimentKey(uuid4().hex, "e")) for _ in range(2))
    for call, left in zip(calls, chain(breaks, repeat(40)), strict=False):
        with suppress(Broken):
            keep(Breaking(store, left), told, call, now=NOW)
    for each in (told, fresh):
        for _ in range(2):
            assert keep(store, each, end, now=NOW) == len(end)
    found = rows(store, told.uid)
    assert repr(found) == repr(rows(store, fresh.uid))
    assert [one.state for one in found] == [record.state for record in end]
    assert [one.retries for one in found] == [record.retries for record in end]
