"""The blocks of a page in docs/, and what their marks say of them.

A mark is a comment on the line before a block:

    <!-- file: NAME -->     the block is written to that file
    <!-- run -->            a script, or commands behind `$ ` with lines that they print
    <!-- run: exit N -->    the last command ends so
    <!-- needs: MODULE -->  of the whole page: it runs where that is installed

A block of code without a mark stands below a line in italics that begins "Not run by the tests",
which readers see, too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

CODE = {"console", "python", "sh", "yaml"}
_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- (?P<word>file|run)(?:: (?P<value>.+?))? -->\n\Z")
_NEEDS = re.compile(r"<!-- needs: (\w+) -->")
_NOT_RUN = re.compile(r"\*Not run by the tests[^*]+\*\n\n\Z")


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    line: int
    word: str = ""
    value: str = ""
    is_left_out: bool = False


@dataclass(frozen=True)
class Command:
    """What is typed, and the lines that it prints among others; `…` is anything within one."""

    typed: str
    prints: tuple[str, ...]


def blocks(page: str) -> Iterator[Block]:
    for fence in _FENCE.finditer(page):
        before = page[: fence.start()]
        mark = _MARK.search(before)
        yield Block(
            language=fence["language"],
            text=fence["text"],
            line=before.count("\n") + 1,
            word=mark["word"] if mark else "",
            value=(mark["value"] or "") if mark else "",
            is_left_out=_NOT_RUN.search(before) is not None,
        )


def needs(page: str) -> list[str]:
    return _NEEDS.findall(page)


def commands(text: str) -> Iterator[Command]:
    """Take a console apart; a command goes on in the next line after a backslash."""
    joined = text.replace("\\\n", " ")
    for part in re.split(r"^\$ ", joined, flags=re.MULTILINE)[1:]:
        typed, *printed = part.splitlines()
        yield Command(typed, tuple(printed))


def prints(output: str, line: str) -> bool:
    """Say whether a line stands in the output."""
    pattern = "[^\n]*".join(re.escape(part) for part in line.split("…"))
    return re.search(rf"^{pattern}$", output, re.MULTILINE) is not None
