"""What every store makes of a stopping rule, whichever database is behind it."""

from collections.abc import Callable, Mapping, Sequence

import pytest
from tunewright.api.history import Proposal
from tunewright.api.identity import ExperimentKey
from tunewright.api.observation import Batch, Sample
from tunewright.api.stopping import Evaluator, Stop
from tunewright.db.records import Ack
from tunewright.db.store import Store

DOCUMENT = {
    "spec": {
        "objective": {"type": "minimize", "objectiveMetricName": "loss"},
        "earlyStopping": {"algorithmName": "mine"},
    }
}


class Fails:
    """A rule with a bug."""

    def evaluate(self, *_args):
        raise ZeroDivisionError("division by zero")


class StopsAll:
    """A rule that stops every trial, and notes the averages of trial 0 that it reads."""

    def __init__(self, counts: Sequence[int] = (1, 2, 4)) -> None:
        self.counts = counts
        self.read: list[Mapping[int, float]] = []

    def evaluate(self, uid, rule, objective, reports, log):
        self.read.append(log.running_means(uid, 0, self.counts))
        return [Stop(report.index, report.attempt, f"{rule.name}: enough") for report in reports]


class NotesReports:
    """A rule that stops nobody, and notes how far each report's trial is."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def evaluate(self, uid, rule, objective, reports, log):
        self.seen += [(report.reports, report.nans) for report in reports]
        return ()


class ReadsOthers(StopsAll):
    """A rule that stops nobody, and notes the latest accuracy of the trial that reports."""

    def evaluate(self, uid, rule, objective, reports, log):
        self.read += [log.observation(uid, report.index)["accuracy"].latest for report in reports]
        return ()


@pytest.fixture
def driven(opened: Callable[..., Store]) -> Callable[[Evaluator], tuple[Store, str]]:
    """Make a store over a rule, with two running trials."""

    def make(evaluator: Evaluator) -> tuple[Store, str]:
        store = opened(evaluator)
        key = ExperimentKey("default", "digits")
        uid = store.create_experiment(key, DOCUMENT, seed=7, workdir="/work", now=1.0).uid
        points = [(f"t-{n}", Proposal({"x": 0.5 + n})) for n in range(2)]
        store.propose(uid, 0, points, made_from=0, now=2.0)
        for index in range(2):
            store.start_attempt(uid, index, 1, token=f"token-{index}", now=3.0)
            store.attempt_running(uid, index, 1, pid=42, pid_started_at=2.5, now=4.0)
        return store, uid

    return make


def report(store: Store, uid: str, index: int, *values: float, first: int = 0) -> Ack:
    samples = tuple(Sample("loss", value, 10.0 + n) for n, value in enumerate(values))
    return store.record([Batch(uid, index, 1, "stdout", first, samples)], now=5.0)[0]


def test_a_stop_is_written_with_the_report_that_caused_it(driven):
    store, uid = driven(StopsAll())
    stop = report(store, uid, 0, 0.5).stop
    assert (stop.reason, stop.answered) == ("mine: enough", False)
    assert store.view(uid).unfinished[0].stop == stop


def test_a_rule_reads_averages_after_the_counts_that_it_names_and_the_last(driven):
    rule = StopsAll()
    store, uid = driven(rule)
    report(store, uid, 0, 4.0, 2.0, 0.0)
    assert rule.read == [{1: 4.0, 2: 3.0, 3: 2.0}]


def test_a_rule_may_name_more_counts_than_a_statement_takes(driven):
    """As it does for a service that began anew, and is told of a long trial from its start."""
    rule = StopsAll(range(1, 300_000))
    store, uid = driven(rule)
    report(store, uid, 0, 4.0, 2.0, 0.0)
    assert rule.read == [{1: 4.0, 2: 3.0, 3: 2.0}]


def test_a_rule_hears_how_many_reports_are_nan(driven):
    rule = NotesReports()
    store, uid = driven(rule)
    report(store, uid, 0, 1.0, float("nan"))
    report(store, uid, 0, float("nan"), 2.0, first=2)
    assert rule.seen == [(1, 0), (2, 1), (3, 2), (4, 2)]


def test_a_rule_reads_other_metrics_with_those_of_the_same_batch(driven):
    rule = ReadsOthers()
    store, uid = driven(rule)
    samples = (Sample("accuracy", 0.25, 10.0), Sample("loss", 4.0, 10.0))
    store.record([Batch(uid, 1, 1, "stdout", 0, samples)], now=5.0)
    assert rule.read == [0.25]


def test_a_rule_that_fails_stops_nobody_and_the_batch_is_kept(driven):
    store, uid = driven(Fails())
    ack = report(store, uid, 0, 0.5, 0.4)
    assert (ack.last_sequence, ack.stop) == (1, None)
    assert store.observation(uid, 0)["loss"].count == 2


def test_a_rule_that_fails_is_told_of_once_a_trial(driven, caplog):
    store, uid = driven(Fails())
    for index, first in ((0, 0), (0, 1), (1, 0)):
        report(store, uid, index, 0.5, first=first)
    told = [event for event in store.events(uid) if event.kind == "Warning"]
    assert [(event.index, event.reason) for event in told] == [
        (0, "StoppingRuleFailed"),
        (1, "StoppingRuleFailed"),
    ]
    assert "the stopping rule mine fails: ZeroDivisionError: division by zero" in told[0].message
    assert len(caplog.records) == 2


def test_a_stop_that_is_decided_later_is_written_once_and_for_what_still_runs(driven):
    store, uid = driven(Fails())
    store.decide_stop(uid, Stop(0, 1, "enough"), now=6.0)
    store.decide_stop(uid, Stop(0, 1, "more than enough"), now=7.0)
    store.decide_stop(uid, Stop(1, 2, "an attempt that there is not"), now=8.0)
    assert [(stop.index, stop.reason) for stop in store.pending_stops()] == [(0, "enough")]
