"""`tune()` in a notebook that a real kernel executes: its progress, and its plots."""

import json
import subprocess
import sys

import pytest
from support.command import environment
from tunewright import Client
from tunewright.sdk.progress import html, progress, text
from tunewright.sdk.results import Experiment

pytestmark = [pytest.mark.timeout(200), pytest.mark.needs("linux")]

EXECUTE = """
import nbclient, nbformat
book = nbformat.read("book.ipynb", as_version=4)
nbclient.NotebookClient(book, kernel_name="python3", timeout=120).execute()
nbformat.write(book, "book.ipynb")
"""
TUNE = """
from tunewright import search, tune

def loss(x):
    return x**2

result = tune(loss, {"x": search.double(-1, 1)}, trials=3, name="told")
"""


def executed(folder, *cells):
    """Run cells in a notebook, and return the outputs of each."""
    code = {"cell_type": "code", "execution_count": None, "outputs": [], "metadata": {}}
    book = {
        "cells": [{**code, "id": f"c{place}", "source": cell} for place, cell in enumerate(cells)],
        "metadata": {"kernelspec": {"display_name": "x", "language": "python", "name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (folder / "book.ipynb").write_text(json.dumps(book))
    done = subprocess.run(
        [sys.executable, "-c", EXECUTE],
        cwd=folder,
        env={**environment(folder / "home"), "IPYTHONDIR": str(folder / "ipython")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return [cell["outputs"] for cell in json.loads((folder / "book.ipynb").read_text())["cells"]]


@pytest.mark.needs("matplotlib")
def test_a_notebook_shows_progress_in_one_display_and_plots_where_they_are_returned(tmp_path):
    tuned, plotted = executed(tmp_path, TUNE, "result.plot.history()")
    (display,) = tuned
    shown = "".join(display["data"]["text/html"])
    assert '<progress value="3" max="3">' in shown
    assert "told</b> Succeeded" in shown
    assert "best objective=" in "".join(display["data"]["text/plain"])
    assert [list(each["data"]) for each in plotted] == [["image/png", "text/plain"]]


def test_quiet_shows_nothing_in_a_notebook(tmp_path):
    assert executed(tmp_path, TUNE.replace('"told"', '"told", quiet=True')) == [[]]


def test_an_interrupted_cell_ends_its_trials(tmp_path):
    waits = TUNE.replace("return x**2", "import time; time.sleep(100)")
    interrupting = f"""
import os, signal, threading
from tunewright import Client, NotFound

def interrupt():
    while True:
        try:
            if Client().trials("told", state="Running"):
                break
        except NotFound:
            pass
    os.killpg(0, signal.SIGINT)

threading.Thread(target=interrupt).start()
try:
{"".join(f"    {line}" + chr(10) for line in waits.splitlines())}
except KeyboardInterrupt:
    print("interrupted")
"""
    said, left = executed(tmp_path, interrupting, "Client().trials('told', state='Running')")
    assert said[-1]["text"] == ["interrupted\n"]
    assert left[0]["data"]["text/plain"] == ["[]"]


def test_outside_of_a_notebook_there_is_no_display():
    assert progress(Client(), "e") is None


def experiment(**data):
    known = {
        "name": "<e>",
        "namespace": "default",
        "state": "Running",
        "reason": "",
        "message": "",
        "max_trials": 4,
        "trials": {"total": 3, "finished": 2, "dropped": 0, "Running": 1, "Succeeded": 2},
        "objective": {"metric": "loss"},
    }
    return Experiment.read({**known, **data})


def test_progress_tells_what_is_done_of_the_budget_and_the_best():
    best = {"index": 1, "name": "t", "state": "Succeeded", "parameters": {"x": 0.1}, "value": 0.25}
    assert text(experiment(best=best)) == (
        "<e> Running; 2 of 4 trials: 1 Running, 2 Succeeded; best loss=0.25 in trial 1: x=0.1"
    )
    assert text(experiment(max_trials=None)) == "<e> Running; 2 trials: 1 Running, 2 Succeeded"


def test_what_people_named_is_text_in_the_display():
    shown = html(experiment())
    assert "&lt;e&gt;" in shown
    assert "<e>" not in shown
    assert "<progress" not in html(experiment(max_trials=None))
