"""A book is a ledger like the store, and can be found again in the resources that it is told to."""

import math
import uuid
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tunewright.api.history import Dropped, Finished, Proposal, Proposed
from tunewright.api.identity import ExperimentKey
from tunewright.api.observation import Batch, Sample, TextValue
from tunewright.api.space import Parameter, ParameterKind, SearchSpace
from tunewright.api.states import ExperimentState, TrialState
from tunewright.controller.kube.book import MESSAGE, Book
from tunewright.controller.kube.experiments import experiment_record, experiment_status
from tunewright.controller.kube.page import Page
from tunewright.controller.kube.tally import NOBODY
from tunewright.controller.kube.trials import page_of, trial_document, trial_status
from tunewright.db.records import StopRow, Usage
from tunewright.db.sql import open_store

SPACE = SearchSpace((Parameter("x", ParameterKind.CATEGORICAL, choices=("1", "2")),))
DOCUMENT = {
    "apiVersion": "kubeflow.org/v1beta1",
    "kind": "Experiment",
    "metadata": {
        "name": "digits",
        "namespace": "team",
        "uid": "u-1",
        "generation": 3,
        "resourceVersion": "7",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    },
    "spec": {
        "objective": {"type": "minimize", "objectiveMetricName": "loss"},
        "parameters": [],
        "trialTemplate": {"trialSpec": {}},
    },
}
JOB = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "t"}}

many = settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
values = st.sampled_from([math.nan, math.inf, -2.0, 0.5, 0.25, 3.0, TextValue("deep")])
steps = st.one_of(
    st.tuples(st.just("propose"), st.just(0), values, st.just(TrialState.CREATED)),
    st.tuples(
        st.sampled_from(["finish", "finish silently", "run", "retry", "repeat", "drop"]),
        st.integers(0, 6),
        values,
        st.sampled_from([state for state in TrialState if state.is_finished]),
    ),
)


def book(*pages, known: int = 0) -> Book:
    record, conditions = experiment_record({**DOCUMENT, "status": {"trials": known}})
    return Book(record, conditions, pages)


def again(old: Book) -> Book:
    """The book as it is found in the resources that the old one is written to."""
    pages = []
    for page in old.pages.values():
        document = trial_document(old, page, JOB)
        document["metadata"] |= {"uid": "t", "creationTimestamp": "2026-01-01T00:00:00Z"}
        pages.append(page_of({**document, "status": trial_status(page)}, old.objective, SPACE))
    return book(*pages)


def step(ledger, uid: str, count: int, what: str, index: int, value: float, state) -> int:
    """Do one thing to one of `count` trials; return how many there are then."""
    if what == "propose":
        ledger.propose(uid, count, [(f"t-{count}", Proposal({"x": "1"}))], made_from=0, now=1.0)
        return count + 1
    if index >= count:
        return count
    trial = ledger.trial(uid, index)
    if trial.state.is_finished:
        if what == "drop":
            ledger.drop_trial(uid, index, now=3.0)
        return count
    attempt = trial.attempt.attempt + 1 if trial.attempt else 1
    if what == "drop" or (trial.attempt and trial.attempt.state == "running"):
        return count
    ledger.start_attempt(uid, index, attempt, token="t", now=1.0)
    ledger.attempt_running(uid, index, attempt, pid=None, pid_started_at=None, now=1.0)
    if what == "run":
        return count
    if what != "finish silently":
        batch = Batch(uid, index, attempt, "stdout", 0, (Sample("loss", value, 1.0),))
        ledger.record([batch], now=1.0)
    reason = "Failed" if what == "retry" else "Completed"
    ledger.attempt_ended(
        uid, index, attempt, exit_code=0, reason=reason, message="", usage=Usage(), now=2.0
    )
    if what in {"retry", "repeat"}:
        counted = what == "retry"
        ledger.retry_trial(
            uid, index, counted=counted, retry_at=5.0, reason="r", message="m", now=2.0
        )
    else:
        ledger.finish_trial(uid, index, state, reason="r", message="m", now=2.0)
    return count


def seen(ledger, uid: str, log) -> object:
    """What a plan and an algorithm see; NaN is not equal to itself, its text is."""
    view = ledger.view(uid)
    totals = view.experiment.totals
    if totals.dropped:  # to a book a dropped trial never was, a store does not count back
        totals = replace(totals, since_improvement=0)
    unfinished = [
        (trial.index, trial.state, trial.retries, trial.retry_at, len(trial.earlier))
        for trial in view.unfinished
    ]
    best = [(trial.index, trial.value) for trial in view.experiment.best]
    # A store keeps no deviation that is NaN.
    return repr((totals, unfinished, best, log)).replace("deviation=nan", "deviation=None")


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "store.db")
    yield opened
    opened.close()


@example(
    script=[
        *[("propose", 0, 0.0, TrialState.CREATED)] * 2,
        ("finish", 1, -2.0, TrialState.SUCCEEDED),
        ("finish", 0, -2.0, TrialState.SUCCEEDED),
    ]
)
@many
@given(script=st.lists(steps, max_size=25))
def test_whatever_happens_a_book_says_what_a_store_says(store, script):
    key = ExperimentKey("default", f"e{uuid.uuid4().hex}")
    uid = store.create_experiment(key, DOCUMENT, seed=1, workdir="/", now=1.0).uid
    ours, counts = book(), [0, 0]
    for each in script:
        counts = [step(store, uid, counts[0], *each), step(ours, uid, counts[1], *each)]

    assert seen(ours, uid, ours.history(uid)) == seen(store, uid, store.history(uid))


@many
@given(script=st.lists(steps, max_size=25))
def test_a_book_is_found_again_in_the_resources(script):
    ours, count = book(), 0
    for each in script:
        count = step(ours, "", count, *each)

    found = again(ours)
    assert seen(found, "", found.history("")) == seen(ours, "", ours.history(""))
    assert listed(experiment_status(found)) == listed(experiment_status(ours))
    for index, page in ours.pages.items():
        assert trial_status(found.pages[index]) == trial_status(page)


@many
@given(script=st.lists(st.tuples(steps, st.booleans()), max_size=25))
def test_a_book_grows_by_the_pages_that_changed_to_what_all_of_them_are(script):
    ours, count, shown, told = book(), 0, book(), {}
    for each, is_looked_at in script:
        count = step(ours, "", count, *each)
        if is_looked_at:
            changed = [page for name, page in ours.pages.items() if page != told.get(name)]
            told = dict(ours.pages)
            before, all_ = seen(shown, "", shown.history("")), book(*told.values())
            grown = shown.grown(all_.experiment, (), changed)
            assert seen(shown, "", shown.history("")) == before
            shown = grown or all_
            assert seen(shown, "", shown.history("")) == seen(all_, "", all_.history(""))


def test_a_book_grows_by_trials_that_begin_and_end_whichever_is_told_first():
    ours = finished(book(), 0.5, 0.25)
    shown = book(*ours.pages.values())
    step(ours, "", 2, "propose", 0, 0.0, None)
    finished(ours, 0.125)
    grown = shown.grown(shown.experiment, (), [ours.pages[3], ours.pages[2]])
    assert [trial.index for trial in grown.view("").experiment.best] == [3, 1, 0]
    assert [trial.index for trial in grown.unfinished] == [2]


def test_a_book_does_not_grow_by_a_page_of_which_the_one_before_is_not_told_yet():
    ours = book()
    for index in range(2):
        step(ours, "", index, "propose", 0, 0.0, None)
    assert book().grown(book().experiment, (), [ours.pages[1]]) is None


def listed(status):
    """A status of which the lists' lengths are looked at: their order is for people."""
    return {name: len(value) if name.endswith("List") else value for name, value in status.items()}


def finished(ours: Book, *values_: float) -> Book:
    """A book in which trials have ended with these values."""
    for value in values_:
        count = ours.proposed
        step(ours, "", count, "propose", 0, 0.0, None)
        step(ours, "", count + 1, "finish", count, value, TrialState.SUCCEEDED)
    return ours


def test_a_trial_whose_resource_was_deleted_was_killed_and_its_index_stays_taken():
    ours = finished(book(), 3.0, 1.0, 2.0)
    del ours.pages[1]
    found = again(ours)

    totals = found.view("").experiment.totals
    assert (totals.proposed, totals.of(TrialState.KILLED), totals.of(TrialState.SUCCEEDED)) == (
        *(3, 1, 2),
    )
    assert found.view("").experiment.best[0].index == 2
    assert [type(entry) for entry in found.history("")] == [
        *(Proposed, Finished, Dropped, Dropped, Proposed, Finished),
    ]
    assert found.history("", 2)[0] == Dropped(3, NOBODY)


def test_a_trial_without_a_resource_is_told_as_one_that_may_still_run():
    ours = finished(book(), 3.0, 1.0)
    del ours.pages[0]

    assert again(ours).told(0).state is TrialState.CREATED


def test_the_last_trial_keeps_its_index_too_when_its_resource_is_deleted():
    (first,) = finished(book(), 3.0).pages.values()
    found = book(first, known=2)

    assert (found.proposed, found.view("").experiment.totals.of(TrialState.KILLED)) == (2, 1)


def test_lists_and_status_stay_small_however_many_trials_there_are():
    status = experiment_status(finished(book(), *map(float, range(200))))

    assert status["trials"] == status["trialsSucceeded"] == 200
    assert status["succeededTrialList"] == [f"t-{index}" for index in range(190, 200)]
    assert status["best"] == "0.0"
    assert status["currentOptimalTrial"]["bestTrialName"] == "t-0"


def test_a_text_is_written_as_katib_writes_it_and_the_last_is_the_best():
    status = experiment_status(finished(book(), TextValue("flat"), TextValue("deep")))

    assert status["currentOptimalTrial"]["bestTrialName"] == "t-1"
    assert status["currentOptimalTrial"]["observation"] == {
        "metrics": [
            {"name": "loss", "min": "unavailable", "max": "unavailable", "latest": "deep"},
        ]
    }


def test_the_state_stays_the_last_condition_whatever_else_is_said():
    ours = book()
    ours.set_state("", ExperimentState.RUNNING, reason="ExperimentRunning", message="m", now=1.0)
    ours.refuse_edit(4, "spec.maxTrialCount: must be greater than 0", 2.0)

    assert [each.type for each in ours.conditions] == ["EditRefused", "Running"]
    assert ours.experiment.version == 4


def test_only_the_last_attempt_of_a_trial_is_stopped_early():
    found = book()
    uid = found.experiment.uid
    found.propose(uid, 0, [("t-0", Proposal({"x": "1"}))], made_from=0, now=1.0)
    for attempt in (1, 2):
        found.start_attempt(uid, 0, attempt, token="t", now=1.0)
    late, due = (StopRow(0, attempt, "slow", 1.0, answered=False) for attempt in (1, 2))
    assert [found.ask_to_stop(stop) for stop in (late, due, due)] == [False, True, False]
    assert found.trial(uid, 0).stop == due


def test_an_edit_is_taken_over_and_takes_a_refusal_back():
    ours = book()
    ours.refuse_edit(4, "wrong", 2.0)
    edited = {**DOCUMENT, "spec": {**DOCUMENT["spec"], "suspend": True}}
    ours.learn(experiment_record(edited)[0])

    assert ours.experiment.suspended
    assert not [each for each in ours.conditions if each.type == "EditRefused"]
    assert ours.unwritten.status


def with_strange_condition(kind: str) -> tuple[Page, Page]:
    """A trial that was proposed, and as it is read with a condition that another hand set."""
    known = book()
    known.propose("u-1", 0, [("t-0", Proposal({"x": "1"}))], made_from=0, now=1.0)
    page = known.pages[0]
    document = trial_document(known, page, JOB)
    document["metadata"] |= {"uid": "t", "creationTimestamp": "2026-01-01T00:00:00Z"}
    status = trial_status(page)
    strange = {"type": kind, "status": "True", "reason": "ByAnotherHand"}
    conditions = [*status["conditions"], strange]
    changed = {**document, "status": {**status, "conditions": conditions}}
    return page, page_of(changed, known.objective, SPACE)


def test_a_condition_that_another_controller_sets_on_a_trial_says_nothing_of_its_state():
    page, found = with_strange_condition("QuotaReserved")
    assert found.record == replace(page.record, created_at=found.record.created_at)
    assert found.conditions == page.conditions


def test_an_end_that_another_hand_wrote_is_none_before_it_is_acted_upon():
    _, found = with_strange_condition("EarlyStopped")
    assert (found.record.state, found.finished) == (TrialState.CREATED, None)
    assert [each.index for each in book(found).unfinished] == [0]


@pytest.mark.parametrize(
    ("index", "position"),
    [(1, 4), (2, 3), (2, 0), (10**12, 5), (2, 10**12)],
    ids=["index taken", "position taken", "no position", "vast index", "vast position"],
)
def test_a_trial_that_was_made_by_hand_and_fits_nowhere_is_left_out(index, position):
    ours = finished(book(), 3.0, 1.0)
    page = ours.pages[1]
    record = replace(page.record, index=index, name="by-hand", created_at=2e9)
    found = book(*ours.pages.values(), Page(record, position, page.conditions))

    assert found.history("") == ours.history("")
    assert found.proposed == 2
    assert found.has("by-hand")
    assert found.is_over("by-hand")


def test_what_is_said_of_a_trial_or_an_edit_is_bounded_however_long_it_is():
    known, why = book(), "a fault, " * 100_000
    known.propose("u-1", 0, [("t-0", Proposal({"x": "1"}))], made_from=0, now=1.0)
    known.say(0, "RefusedByCluster", why, 2.0)
    known.refuse_edit(4, why, 3.0)
    said = [known.pages[0].conditions[-1].message, known.conditions[0].message]
    known.finish_trial("u-1", 0, TrialState.FAILED, reason="Refused", message=why, now=4.0)
    said.append(known.pages[0].conditions[-1].message)
    assert [each == why[:MESSAGE] for each in said] == [True] * 3
