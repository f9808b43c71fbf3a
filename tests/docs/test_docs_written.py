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
nbclient.NotebookClient(book, kernel_name="python3", timeout=200).execute()
nbformat.write(book, "done.ipynb")
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
    printed = (tmp_path / "done.ipynb").read_text()
    assert "valley Succeeded after" in printed
    assert "did you mean objectiveMetricName?" in printed
