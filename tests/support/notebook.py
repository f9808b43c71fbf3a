"""`docs/tutorial.ipynb`, written from `docs/tutorial.md`: its text, files and commands as cells."""

import json
import re
from collections.abc import Iterator
from typing import Any

from . import pages
from .pages import Block

_BLOCK = re.compile(r"(?:<!-- [^>]* -->\n)?^```\w*\n.*?^```$", re.MULTILINE | re.DOTALL)


def notebook(page: str) -> str:
    """Return the notebook of a page, as JSON."""
    cells = [
        {"id": f"cell-{number}", "metadata": {}, **cell} for number, cell in enumerate(_cells(page))
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _cells(page: str) -> Iterator[dict[str, Any]]:
    blocks = list(pages.blocks(page))
    texts = _BLOCK.split(page)
    for text, block in zip(texts, [*blocks, None], strict=True):
        if text.strip():
            yield {"cell_type": "markdown", "source": _lines(text.strip())}
        if block is not None:
            code = {"cell_type": "code", "execution_count": None, "outputs": []}
            yield {**code, "source": _lines(_code(block))}


def _code(block: Block) -> str:
    if block.word == "file":
        return f"%%writefile {block.value}\n{block.text.strip()}"
    typed = "\n".join(each.typed for each in pages.commands(block.text))
    fails = " || true  # it ends with 2, as it should" if block.value.startswith("exit") else ""
    return f"%%sh\n{typed}{fails}"


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)
