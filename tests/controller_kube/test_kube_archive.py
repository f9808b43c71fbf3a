"""The archive as the operator sees it: the same in this process and behind the metrics service."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tunewright.api.errors import Invalid, StoreUnavailable
from tunewright.api.history import Proposal, Verdict
from tunewright.api.identity import ExperimentKey
from tunewright.api.observation import Batch, Sample, TextValue, summarize
from tunewright.api.states import ExperimentState, TrialState
from tunewright.api.stopping import Stop
from tunewright.controller.kube import retention
from tunewright.controller.kube.archive import Archive, RemoteArchive, StoreArchive
from tunewright.controller.plan.limits import Limits
from tunewright.db.archive import Looked
from tunewright.db.metrics_service import serve
from tunewright.db.records import (
    AttemptRecord,
    AttemptState,
    ExperimentRecord,
    Missing,
    PendingStop,
    Reporter,
    Totals,
    TrialRecord,
    Usage,
)
from tunewright.db.sql import open_store
from tunewright.db.store import Store
from tunewright.proto.service import Service

T = TypeVar("T")
KEY = ExperimentKey("team", "digits")
SPEC = {
    "objective": {"type": "minimize", "objectiveMetricName": "loss"},
    "earlyStopping": {"algorithmName": "medianstop"},
}
EXPERIMENT = ExperimentRecord(
    uid="e-1",
    key=KEY,
    document={"metadata": {"name": "digits", "labels": {"für": "alle"}}, "spec": SPEC},
    version=3,
    state=ExperimentState.RUNNING,
    reason="ExperimentRunning",
    message="Experiment is running",
    seed=2**40,
    workdir="",
    suspended=True,
    created_at=1.0,
    started_at=2.5,
    finished_at=None,
    active_seconds=0.25,
    totals=Totals(),
)
ATTEMPT = AttemptRecord(
    2,
    AttemptState.ENDED,
    token="t2",
    started_at=5.0,
    ended_at=9.0,
    exit_code=-9,
    reason="Failed",
    message="exit 137",
    usage=Usage(4.0, 3.0, 1 << 33, 8.0),
)
RUNNING = TrialRecord(
    index=0,
    name="digits-0",
    state=TrialState.RUNNING,
    reason="TrialRunning",
    message="Trial is running",
    proposal=Proposal({"lr": 0.1, "layers": 3, "opt": "sgd"}, "user", (("rung", "0"),), "p", "own"),
    made_from=4,
    created_at=3.0,
    started_at=6.0,
    finished_at=None,
    value=None,
    attempt=replace(ATTEMPT, state=AttemptState.RUNNING, ended_at=None, exit_code=None),
    retries=1,
)
FAILED = replace(
    RUNNING,
    state=TrialState.FAILED,
    reason="TrialFailed",
    message="exit 137",
    finished_at=10.0,
    attempt=ATTEMPT,
    verdict=Verdict.BAD,
    observation=summarize([Sample("loss", math.nan, 7.0, 1), Sample("loss", 0.5, 8.0, 2)]),
    earlier=(summarize([Sample("loss", 1.5, 7.0)]),),
)


class Always:
    """A rule that stops every trial at its first report."""

    def evaluate(self, _uid, _rule, _objective, reports, _log):
        return [Stop(one.index, one.attempt, "too slow") for one in reports]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "store.db", evaluator=Always())
    yield opened
    opened.close()


@pytest.fixture
def served(store: Store) -> Iterator[str]:
    server, address = serve(store, "127.0.0.1:0", clock=lambda: 50.0)
    yield address
    server.stop(None).wait()


Asking = Callable[[Callable[[Archive], Awaitable[T]]], T]


@pytest.fixture(params=["store", "remote"])
def ask(request: pytest.FixtureRequest, store: Store) -> Asking:
    """Return what asks the archive in an event loop of its own."""

    def asking(question):
        async def run():
            if request.param == "store":
                return await question(StoreArchive(store, lambda: 50.0))
            remote = RemoteArchive(Service(request.getfixturevalue("served")))
            try:
                return await question(remote)
            finally:
                await remote.close()

        return asyncio.run(run())

    return asking


def report(store: Store, value: float) -> None:
    batch = Batch("e-1", 0, 2, "StdOut", 0, (Sample("loss", value, 7.0, 4),))
    store.record([batch], now=8.0)


def test_what_is_kept_is_in_the_store_to_the_letter(store: Store, ask: Asking):
    assert ask(lambda archive: archive.keep(EXPERIMENT, [FAILED])) == 1
    found = store.experiment(KEY)
    assert replace(found, totals=Totals()) == EXPERIMENT
    trial = store.trial("e-1", 0)
    assert (trial.state, trial.verdict, trial.retries) == (TrialState.FAILED, Verdict.BAD, 1)
    assert (trial.proposal, trial.attempt) == (RUNNING.proposal, ATTEMPT)
    assert (trial.created_at, trial.started_at, trial.finished_at) == (3.0, 6.0, 10.0)
    assert trial.value == 1.0  # the mean of both runs


def test_a_store_that_lacks_trials_says_from_which_on(ask: Asking):
    assert ask(lambda archive: archive.keep(EXPERIMENT, [replace(RUNNING, index=5)])) == 0


@pytest.mark.parametrize("value", [0.5, math.inf, TextValue("deep")])
def test_a_look_brings_summaries_and_signs(store: Store, ask: Asking, value: float):
    ask(lambda archive: archive.keep(EXPERIMENT, [RUNNING]))
    report(store, value)
    store.note_reporter(
        "e-1", 0, 2, Reporter("StdOut", seen=("los",), dropped=3, done=True), now=9.0
    )
    wanted = Looked(summarize([Sample("loss", value, 7.0, 4)]), 9.0, ("los",), 3, done=True)
    found = ask(lambda archive: archive.look("e-1", [(0, 2), (4, 1)]))
    assert repr(found) == repr({0: wanted})


def test_a_value_that_is_none_is_looked_at_as_it_is(store: Store, ask: Asking):
    ask(lambda archive: archive.keep(EXPERIMENT, [RUNNING]))
    report(store, math.nan)
    found = ask(lambda archive: archive.look("e-1", [(0, 2)]))
    assert math.isnan(found[0].observation["loss"].latest)


def test_stops_are_brought_until_their_trial_has_ended(store: Store, ask: Asking):
    ask(lambda archive: archive.keep(EXPERIMENT, [RUNNING]))
    report(store, 0.5)
    assert ask(lambda archive: archive.stops()) == [PendingStop("e-1", 0, 2, "too slow")]
    ended = replace(RUNNING, state=TrialState.EARLY_STOPPED, attempt=ATTEMPT)
    ask(lambda archive: archive.keep(EXPERIMENT, [ended]))
    assert ask(lambda archive: archive.stops()) == []


def test_a_service_that_is_away_may_be_asked_again():
    async def run() -> None:
        remote = RemoteArchive(Service("127.0.0.1:1"), timeout=5.0)
        try:
            with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1"):
                await remote.stops()
        finally:
            await remote.close()

    asyncio.run(run())


def test_a_failure_of_the_service_is_one_of_the_moment(served: str, monkeypatch):
    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("tunewright.db.archive.stops", fail)

    async def run():
        remote = RemoteArchive(Service(served))
        try:
            with pytest.raises(StoreUnavailable, match="answers INTERNAL"):
                await remote.stops()
        finally:
            await remote.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"state": "Paused"}, "Paused", id="a state"),
        pytest.param({"document": 5}, "experiment.document: is no object", id="a document"),
    ],
)
def test_a_record_that_the_service_does_not_know_is_refused_with_the_reason(
    served: str, change: dict[str, Any], reason: str
):
    unknown = replace(EXPERIMENT, **change)

    async def run() -> None:
        remote = RemoteArchive(Service(served))
        try:
            with pytest.raises(Invalid, match=reason):
                await remote.keep(unknown, [])
        finally:
            await remote.close()

    asyncio.run(run())


def test_what_is_missing_is_told_from_the_second_time_on(store: Store, ask: Asking):
    store.mirror_experiment(EXPERIMENT, now=1.0)

    def look(*present, namespaces=()):
        return ask(lambda archive: archive.missing(present, namespaces))

    assert look("e-1") == look() == []
    assert look() == [Missing("e-1", "team", 50.0)]
    assert look("e-1") == look(namespaces=["another"]) == []


def test_an_experiment_of_this_machine_was_never_a_resource(store: Store, ask: Asking):
    store.create_experiment(KEY, EXPERIMENT.document, seed=1, workdir="/home/me", now=1.0)

    assert ask(lambda archive: archive.missing([], [])) == []
    assert ask(lambda archive: archive.missing([], [])) == []


def test_a_deleted_experiment_is_forgotten_when_its_time_is_over(store: Store, ask: Asking):
    store.mirror_experiment(EXPERIMENT, now=1.0)

    def sweep(now, *present):
        limits = Limits(retention_seconds=100.0)
        ask(lambda archive: retention.sweep(archive, present, [], lambda _: limits, now))
        return [each.uid for each in store.experiments()]

    assert sweep(50.0) == sweep(149.0) == sweep(150.0, "e-1") == ["e-1"]
    assert sweep(150.0) == []


def test_the_end_of_what_an_attempt_wrote_is_kept_once(store: Store, ask: Asking):
    ask(lambda archive: archive.keep(EXPERIMENT, [FAILED]))

    for tail in (b"first", b"\xff last"):
        ask(lambda archive, tail=tail: archive.keep_output("e-1", 0, 2, tail))

    assert store.output("e-1", 0, 2, "stdout") == b"\xff last"
