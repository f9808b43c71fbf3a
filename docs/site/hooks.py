"""What MkDocs is told beside mkdocs.yml: generated pages, the README as the first one, and links.

On GitHub a page may link to a file of the repository. The site has no such file, so the link
becomes the file's name, and one to nowhere fails the build.
"""

import os
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>\.\./[^)#\s]+)(?P<anchor>#[^)]*)?\)")

_PAGES = {ROOT / "controller/plan/reasons.py": "reference/reasons.md"}
"""Files that the site shows as generated pages."""


def on_files(files: Files, config: Any) -> Files:
    sys.path.insert(0, str(Path(__file__).parent))  # MkDocs restores it once a hook is loaded
    from reference import pages

    for path, text in {**pages(), "index.md": _readme()}.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    here = (DOCS / page.file.src_uri).parent
    return _LINK.sub(lambda link: _placed(link, here), markdown)


def _readme() -> str:
    """Return the README as a page of docs/."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.sub(r"\]\((?!https?:|#)(docs/)?", lambda found: "](" if found[1] else "](../", text)


def _placed(link: re.Match[str], here: Path) -> str:
    """Leave links within docs/; make others the page of the file, or its name: it must be there."""
    target = (here / link["target"]).resolve()
    if target in _PAGES:
        return f"[{link['text']}]({os.path.relpath(DOCS / _PAGES[target], here)})"
    if not target.exists():
        raise PluginError(f"{here}: {link['target']} leads nowhere")
    if target.is_relative_to(DOCS):
        return link[0]
    text = link["text"]
    return text if text.startswith("`") else f"`{text}`"
