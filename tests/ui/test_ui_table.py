"""Trials in columns, kept up to date by what changed, over a real store."""

import json
import random

import pytest
from support.asked import asked
from tunewright.api.documents import parse
from tunewright.api.history import Proposal
from tunewright.api.identity import ExperimentKey
from tunewright.api.observation import Batch, Sample
from tunewright.api.states import TrialState
from tunewright.db.sql import open_store
from tunewright.ui.table import Table

KEY = ExperimentKey("default", "asked")


class Life:
    """An experiment to which things happen."""

    def __init__(self, store):
        self.store = store
        self.uid = store.create_experiment(
            KEY, parse(asked()).write(), seed=1, workdir="/", now=1.0
        ).uid
        self.running = []
        self.count = 0

    def propose(self):
        proposal = Proposal({"x": self.count / 100})
        named = [(f"t-{self.count}", proposal)]
        self.store.propose(self.uid, self.count, named, made_from=0, now=1.0)
        self.store.start_attempt(self.uid, self.count, 1, token="t", now=1.0)
        self.running.append(self.count)
        self.count += 1

    def finish(self):
        if not self.running:
            return
        index = self.running.pop(0)
        self.store.record([Batch(self.uid, index, 1, "s", 0, (Sample("loss", 0.5, 2.0),))], now=2.0)
        self.store.finish_trial(
            self.uid, index, TrialState.SUCCEEDED, reason="", message="", now=3.0
        )

    def drop(self):
        if self.count > len(self.running):
            self.store.drop_trial(self.uid, 0, now=4.0)

    def table(self):
        table = Table(self.store, self.store.experiment(KEY))
        table.refresh()
        return table


@pytest.fixture
def life(tmp_path):
    store = open_store(tmp_path / "store.db")
    yield Life(store)
    store.close()


def states(columns):
    trials = columns["trials"]
    return dict(
        zip(trials["index"], zip(trials["state"], trials["value"], strict=True), strict=True)
    )


def test_an_experiment_without_a_trial_has_columns_without_an_entry(life):
    table = life.table()
    assert json.loads(table.json()) == table.columns()
    assert table.columns()["trials"]["index"] == []


@pytest.mark.parametrize("seed", range(5))
def test_what_changed_put_over_what_was_known_is_what_there_is(life, seed):
    chance = random.Random(seed)
    life.propose()
    table = life.table()
    known, position = states(table.columns()), table.position
    for _ in range(40):
        chance.choice([life.propose, life.finish, life.finish, life.drop])()
        if chance.random() < 0.4:
            table.refresh()
            known |= states(table.columns(position))
            position = table.position
            assert known == states(life.table().columns())


def test_what_changed_is_told_without_the_rest(life):
    for _ in range(6):
        life.propose()
    for _ in range(4):
        life.finish()
    table = life.table()
    position = table.position
    life.finish()
    table.refresh()
    assert table.columns(position)["trials"]["index"] == [4, 5]


def test_who_knows_less_than_was_ever_read_is_told_everything(life):
    life.propose()
    life.finish()
    life.propose()
    assert life.table().columns(0)["trials"]["index"] == [0, 1]
