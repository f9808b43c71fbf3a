"""Files in docs/ that are made of others are what `make pages` writes, and the notebook runs."""

import shutil
import subprocess
import sys

import pytest
from support import command
from support.write_pages import DOCS, written

EXECUTE = """
import nbclient, nbformat
book = nbformat.read("tutorial.ipynb", as_version=4)
# On a busy machine a cell's output comes seconds after its end; by default it is lost.
waits = dict(timeout=200, iopub_timeout=60, raise_on_iopub_timeout=True)
nbclient.NotebookClient(book, kernel_name="python3", **waits).execute()
for cell in book.cells:
    for output in cell.get("outputs", ()):
        print(output.get("text") or output.get("data", {}).get("text/plain"))
"""


@pytest.mark.parametrize("path", written(), ids=lambda path: path.name)
def test_a_page_that_is_made_of_others_is_up_to_date(path):
    assert path.read_text(encoding="utf-8") == written()[path], "run `make pages`"


@pytest.mark.timeout(300)
@pytest.mark.needs("linux")
def test_the_notebook_of_the_tutorial_runs(tmp_path):
    shutil.copy(DOCS / "tutorial.ipynb", tmp_path)

    done = subprocess.run(
        [sys.executable, "-c", EXECUTE],
        cwd=tmp_path,
        env={**command.environment(tmp_path / "home"), "IPYTHONDIR": str(tmp_path / "ipython")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-4000:]
    assert "valley Succeeded after" in done.stdout
    assert "did you mean objectiveMetricName?" in done.stdout
