"""Several who write at once, each with a store of its own, as replicas and engines have."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import text
from support.waiting import until
from tunewright.api.errors import Conflict
from tunewright.api.history import Proposal
from tunewright.api.identity import ExperimentKey
from tunewright.api.observation import Batch, Sample, summarize
from tunewright.api.states import TrialState
from tunewright.db.connection import Database
from tunewright.db.store import Store

KEY = ExperimentKey("default", "a")
DOCUMENT = {"spec": {"objective": {"type": "minimize", "objectiveMetricName": "loss"}}}
WRITERS = 3
REPORTS = 30


@pytest.fixture
def stores(opened: Callable[..., Store]) -> Sequence[Store]:
    return [opened() for _ in range(WRITERS)]


def with_trials(store: Store, count: int) -> str:
    uid = store.create_experiment(KEY, DOCUMENT, seed=1, workdir="/", now=1.0).uid
    store.propose(
        uid, 0, [(f"a-{n}", Proposal({"x": n})) for n in range(count)], made_from=0, now=1.0
    )
    for index in range(count):
        store.start_attempt(uid, index, 1, token="t", now=1.0)
    return uid


def at_once(stores: Sequence[Store], work: Callable[[int, Store], object]) -> list[object]:
    """Let each store's owner work in a thread, all from the same moment on."""
    start = Barrier(len(stores))

    def run(number: int, store: Store) -> object:
        start.wait(30)
        return work(number, store)

    with ThreadPoolExecutor(len(stores)) as threads:
        return list(threads.map(run, range(len(stores)), stores))


def report(store: Store, uid: str, source: str, index: int = 0) -> None:
    for n in range(REPORTS):
        store.record(
            [Batch(uid, index, 1, source, n, (Sample("loss", float(n), float(n)),))], now=1.0
        )


def test_no_report_of_several_sources_is_lost_from_the_summary(stores: Sequence[Store]):
    uid = with_trials(stores[0], 1)
    at_once(stores, lambda number, store: report(store, uid, f"replica-{number}"))
    log = list(stores[0].samples(uid, 0))
    assert len(log) == WRITERS * REPORTS
    assert stores[0].observation(uid, 0) == summarize(log)


def test_a_batch_that_reaches_several_replicas_is_kept_once(stores: Sequence[Store]):
    uid = with_trials(stores[0], 1)
    at_once(stores, lambda _number, store: report(store, uid, "stdout"))
    assert [sample.value for sample in stores[0].samples(uid, 0)] == [*map(float, range(REPORTS))]
    assert stores[0].observation(uid, 0)["loss"].count == REPORTS


def test_rows_without_a_sequence_take_numbers_of_their_own(stores: Sequence[Store]):
    uid = with_trials(stores[0], 1)

    def append(_number: int, store: Store) -> None:
        for n in range(REPORTS):
            store.append(
                Batch(uid, 0, 1, "katib", 0, (Sample("loss", float(n), float(n)),)), now=1.0
            )

    at_once(stores, append)
    assert stores[0].observation(uid, 0)["loss"].count == WRITERS * REPORTS


def test_batches_about_the_same_trials_in_any_order_do_not_hold_each_other(
    stores: Sequence[Store],
):
    uid = with_trials(stores[0], 2)

    def record(number: int, store: Store) -> None:
        for n in range(REPORTS):
            sample = (Sample("loss", float(n), float(n)),)
            batches = [Batch(uid, index, 1, f"replica-{number}", n, sample) for index in (0, 1)]
            acks = store.record(batches[:: 1 if number % 2 else -1], now=1.0)
            assert [ack.index for ack in acks] == ([0, 1] if number % 2 else [1, 0])

    at_once(stores, record)
    for index in (0, 1):
        assert stores[0].observation(uid, index)["loss"].count == WRITERS * REPORTS


def test_a_trial_ends_once(stores: Sequence[Store]):
    uid = with_trials(stores[0], 1)
    ends = at_once(
        stores,
        lambda _number, store: store.finish_trial(
            uid, 0, TrialState.SUCCEEDED, reason="r", message="m", now=2.0
        ),
    )
    assert ends == [ends[0]] * WRITERS
    totals = stores[0].view(uid).experiment.totals
    assert (totals.finished, totals.position) == (1, 2)


def test_trials_that_end_at_once_are_all_counted(stores: Sequence[Store]):
    uid = with_trials(stores[0], WRITERS)
    for index in range(WRITERS):
        report(stores[0], uid, "stdout", index)
    at_once(
        stores,
        lambda number, store: store.finish_trial(
            uid, number, TrialState.SUCCEEDED, reason="r", message="m", now=2.0
        ),
    )
    totals = stores[0].view(uid).experiment.totals
    assert (totals.finished, totals.observed) == (WRITERS, WRITERS)
    assert totals.since_improvement == WRITERS - 1
    positions = [entry.position for entry in stores[0].history(uid)]
    assert positions == list(range(1, 2 * WRITERS + 1))


def test_an_index_is_taken_once_and_the_log_has_no_gaps(stores: Sequence[Store]):
    uid = with_trials(stores[0], 1)

    def propose(number: int, store: Store) -> int:
        taken = 0
        for index in range(1, 20):
            try:
                points = [(f"a-{index}-{number}", Proposal({"x": number}))]
                store.propose(uid, index, points, made_from=0, now=2.0)
                taken += 1
            except Conflict:
                pass
        return taken

    at_once(stores, propose)
    log = stores[0].history(uid)
    assert [entry.position for entry in log] == list(range(1, len(log) + 1))
    assert [entry.index for entry in log] == list(range(len(log)))
    assert stores[0].view(uid).experiment.totals.proposed == len(log)


WAITING = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
    "mysql": "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
    "sqlite": "SELECT 1",  # who writes there is alone from the start
}


def test_what_is_reported_while_its_experiment_is_deleted_leaves_nothing_behind(
    place: str, stores: Sequence[Store]
):
    uid = with_trials(stores[0], 1)
    database = Database(place)

    def count(query: str) -> int:
        with database.readers.connect() as connection:
            return int(connection.execute(text(query)).scalar_one())

    with ThreadPoolExecutor(1) as threads:
        with stores[0].group():
            report(stores[0], uid, "stdout")
            deleted = threads.submit(stores[1].delete_experiment, uid)
            until(lambda: count(WAITING[database.dialect]))
        deleted.result(30)

    assert count("SELECT count(*) FROM observations") == 0
    database.close()


def test_free_devices_are_leased_to_everybody_who_asks(stores: Sequence[Store]):
    inventory = [f"gpu-{n}" for n in range(WRITERS)]
    leased = at_once(
        stores,
        lambda number, store: store.lease_devices(
            f"owner-{number}", 1, inventory=inventory, shares=1, now=1.0
        ),
    )
    assert sorted(device for devices in leased for device in devices) == inventory


def test_a_new_store_may_be_opened_by_several_at_once(place: str, opened: Callable[..., Store]):
    start = Barrier(WRITERS)

    def open_(_number: int) -> Store:
        start.wait(30)
        return opened()

    with ThreadPoolExecutor(WRITERS) as threads:
        found = list(threads.map(open_, range(WRITERS)))
    assert [store.experiments() for store in found] == [[]] * WRITERS
