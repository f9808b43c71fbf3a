"""When an experiment's status is written: at once, two seconds later, or not at all."""

import asyncio

import pytest
from tunewright.api.states import ExperimentState
from tunewright.controller.kube.book import Book
from tunewright.controller.kube.experiments import experiment_record
from tunewright.controller.kube.resources import EXPERIMENTS
from tunewright.controller.kube.writing import StatusWriter

DOCUMENT = {
    "apiVersion": "kubeflow.org/v1beta1",
    "kind": "Experiment",
    "metadata": {"name": "e", "namespace": "team", "uid": "u", "generation": 1}
    | {"resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z"},
    "spec": {"objective": {"type": "minimize", "objectiveMetricName": "loss"}},
}
RUNS, COUNTS = "it begins to run", "its counts change"


class Told:
    """A cluster that keeps what the experiment's status said that it waits for."""

    def __init__(self):
        self.waits = []

    async def apply(self, resource, namespace, document, **how):
        if resource == EXPERIMENTS:
            self.waits.append(document["status"].get("waitsFor"))


def written(*moments):
    """What is written by one who has written `a` before; a moment is (time, lines, news)."""
    book, told, writer = Book(*experiment_record(DOCUMENT), []), Told(), StatusWriter(["a"])
    for at, lines, news in moments:
        if news is RUNS:
            book.set_state("u", ExperimentState.RUNNING, reason="r", message="m", now=at)
        book.unwritten.status |= news is COUNTS
        asyncio.run(writer.write(book, told, at, lines))
    return told.waits


@pytest.mark.parametrize(
    ("moments", "waits"),
    [
        pytest.param([(0.0, ["a"], None), (9.0, ["a"], None)], [], id="nothing is new"),
        pytest.param(
            [(0.0, ["a"], RUNS), (0.1, ["a"], COUNTS), (2.1, ["a"], None)],
            [["a"], ["a"]],
            id="a condition is written at once, counts behind it later",
        ),
        pytest.param([(9.0, ["b"], COUNTS)], [["b"]], id="what it waits for goes with other news"),
        pytest.param(
            [(0.0, ["b"], None), (0.1, ["a"], None), (1.9, ["b"], None), (2.1, ["b"], None)],
            [],
            id="it waits for something else for a moment only",
        ),
        pytest.param(
            [(0.0, ["b"], None), (0.1, ["c"], None), (2.0, ["c"], None), (9.0, ["c"], None)],
            [["c"]],
            id="it waits for something else for a while",
        ),
    ],
)
def test_a_status_is_written(moments, waits):
    assert written(*moments) == waits
