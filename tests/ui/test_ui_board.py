"""What a board asks its source for, in few questions."""

from pathlib import Path

import pytest
from tunewright.api.history import Proposal
from tunewright.api.identity import ExperimentKey
from tunewright.api.observation import Batch, Sample
from tunewright.db.sql import open_store
from tunewright.sdk.client import Client
from tunewright.sdk.sources.here import Here
from tunewright.sdk.sources.place import Place
from tunewright.ui.board import Board

DOCUMENT = {"spec": {"objective": {"type": "minimize", "objectiveMetricName": "loss"}}}
KEY = ExperimentKey("default", "e")


@pytest.fixture
def store(tmp_path: Path):
    opened = open_store(tmp_path / "store.db")
    uid = opened.create_experiment(KEY, DOCUMENT, seed=1, workdir="/", now=1.0).uid
    for index in range(100):
        opened.propose(uid, index, [(f"e-{index}", Proposal({}))], made_from=0, now=1.0)
        opened.start_attempt(uid, index, 1, token=f"t{index}", now=1.0)
        loss = Sample("loss", float(index), 2.0)
        opened.record([Batch(uid, index, 1, "stdout", 0, (loss,))], now=2.0)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("indexes", "questions"),
    [
        pytest.param(range(20, 70), 1, id="a page of them"),
        pytest.param(range(99, 49, -1), 1, id="the newest first"),
        pytest.param([3, 1, 2, 5], 1, id="all but a few"),
        pytest.param([80, 2, 41], 3, id="far from one another"),
    ],
)
def test_trials_that_lie_together_are_asked_for_at_once(
    store, tmp_path, monkeypatch, indexes, questions
):
    board = Board(Here(Place.of(str(tmp_path / "store.db")), store), Client(), tmp_path)
    record, asked = store.experiment(KEY), []
    for name in ("trial", "trials"):
        real = getattr(store, name)
        monkeypatch.setattr(
            store, name, lambda *a, real=real, **k: asked.append(a) or real(*a, **k)
        )

    found = list(board.trials(record, indexes))

    assert [(each.index, each.observation["loss"].latest) for each in found] == [
        (index, float(index)) for index in indexes
    ]
    assert len(asked) == questions
