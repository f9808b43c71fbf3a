"""What the tutorial and the how-to pages show is typed, in order, in a home of its own."""

import subprocess
import sys
from pathlib import Path

import pytest
from support import command, pages
from support.pages import CODE, Block

DOCS = command.ROOT / "docs"
PAGES = [DOCS / "tutorial.md", *sorted((DOCS / "how-to").glob("*.md"))]
NAMES = [str(path.relative_to(DOCS)) for path in PAGES]
README = command.ROOT / "README.md"

pytestmark = [pytest.mark.timeout(300), pytest.mark.needs("linux")]


def typed(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run what a reader types in a folder, whose `bin` is first on the PATH."""
    given = command.environment(folder / ".home")
    return subprocess.run(
        words,
        cwd=folder,
        env={**given, "PATH": f"{folder / '.bin'}:{given['PATH']}"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def run_console(block: Block, folder: Path) -> None:
    listed = list(pages.commands(block.text))
    expected = [0] * (len(listed) - 1) + [int(block.value.removeprefix("exit ") or 0)]
    for each, code in zip(listed, expected, strict=True):
        done = typed(["sh", "-c", each.typed], folder)
        output = done.stdout + done.stderr
        assert done.returncode == code, f"$ {each.typed}\n{output}"
        for line in each.prints:
            assert pages.prints(output, line), (
                f"{line!r} is not printed by\n$ {each.typed}\n{output}"
            )


def run_block(block: Block, folder: Path) -> None:
    if block.word == "file":
        (folder / block.value).write_text(block.text)
    elif block.word == "run" and block.language == "python":
        script = folder / f"line-{block.line}.py"
        script.write_text(block.text)
        done = typed([sys.executable, str(script)], folder)
        assert done.returncode == 0, done.stdout + done.stderr
    elif block.word == "run":
        run_console(block, folder)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / ".bin").mkdir()
    program = tmp_path / ".bin" / "tunewright"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m tunewright "$@"\n')
    program.chmod(0o755)
    return tmp_path


def case(path):
    """Return a page with what it needs of the machine."""
    needed = pages.needs(path.read_text(encoding="utf-8"))
    return pytest.param(path, id=path.stem, marks=[pytest.mark.needs(each) for each in needed])


@pytest.mark.parametrize("path", [case(path) for path in (README, *PAGES)])
def test_what_a_page_shows_runs_as_it_stands(path, folder):
    page = path.read_text(encoding="utf-8")
    for block in pages.blocks(page):
        run_block(block, folder)


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_a_block_is_run_or_says_that_it_is_not(path):
    page = path.read_text(encoding="utf-8")

    silent = [
        block.line
        for block in pages.blocks(page)
        if block.language in CODE and not block.word and not block.is_left_out
    ]

    assert silent == []


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_a_page_that_needs_a_library_says_so(path):
    page = path.read_text(encoding="utf-8")

    assert bool(pages.needs(page)) == ("*Run by the tests where " in page)
