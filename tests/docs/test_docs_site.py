"""The docs' site: it builds without a warning, and loads nothing from elsewhere."""

import re
import shutil
import subprocess
import sys

import pytest
from support import command

LOADED = re.compile(
    r"""<(?:script|img|iframe|source|video)[^>]+src=["']?(?:https?:)?//|"""
    r"""<link[^>]+rel=["']?(?:stylesheet|preload|preconnect|icon)[^>]+href=["']?(?:https?:)?//|"""
    r"""url\(["']?(?:https?:)?//|@import ["'](?:https?:)?//""",
)

pytestmark = pytest.mark.timeout(300)


def build(root, out):
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(out)],
        cwd=root,
        env={**command.environment(out), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    built = build(command.ROOT, out)
    assert built.returncode == 0, built.stdout + built.stderr
    return out


def test_every_page_and_every_command_is_there(site):
    commands = (site / "reference" / "commands.html").read_text()

    assert (site / "index.html").exists()
    assert "tunewright plugin bench" in commands
    assert "MetricsUnavailable" in (site / "reference" / "reasons.html").read_text()
    assert "StoreUnwritable" in (site / "reference" / "errors.html").read_text()


def test_nothing_is_loaded_from_elsewhere(site):
    texts = {
        path: path.read_text(encoding="utf-8")
        for pattern in ("*.html", "*.css")
        for path in site.rglob(pattern)
    }

    assert len(texts) > 30
    assert [path for path, text in texts.items() if LOADED.search(text)] == []


@pytest.mark.parametrize(
    "link",
    ["[gone](no-such-page.md)", "[gone](cli.md#no-such-part)", "[gone](../no/such/file.py)"],
)
def test_a_link_to_nowhere_fails_the_build(tmp_path, link):
    for name in ("mkdocs.yml", "README.md"):
        shutil.copy(command.ROOT / name, tmp_path)
    for name in ("docs", "examples", "suggestion", "proto", "deploy", "benchmarks"):
        shutil.copytree(command.ROOT / name, tmp_path / name)
    for name in ("CONTRIBUTING.md", "CHANGELOG.md"):
        shutil.copy(command.ROOT / name, tmp_path)
    page = tmp_path / "docs" / "metrics.md"
    page.write_text(f"{page.read_text()}\n{link}\n")

    built = build(tmp_path, tmp_path / "out")

    assert built.returncode != 0
    assert "no" in built.stdout + built.stderr
