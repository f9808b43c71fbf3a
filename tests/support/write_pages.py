"""`make pages`: the files in docs/ that are made of others."""

from pathlib import Path

from .mistakes import SECTIONS
from .notebook import notebook
from .troubleshooting import page

DOCS = Path(__file__).parents[2] / "docs"


def written() -> dict[Path, str]:
    """Return what each of them must hold."""
    tutorial = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    return {
        DOCS / "troubleshooting.md": page(SECTIONS),
        DOCS / "tutorial.ipynb": notebook(tutorial),
    }


if __name__ == "__main__":
    for path, text in written().items():
        path.write_text(text, encoding="utf-8")
