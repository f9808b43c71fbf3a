"""What all tests share: the list of what this machine lacks, and a home of their own."""

import gc
import importlib.util
import os
import re
import shutil
import subprocess
import sys

# Before numpy is there: two test processes with threads on every core stand in each other's way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# As in a person's shell, where what a command prints waits in its buffer until it is full.
os.environ.pop("PYTHONUNBUFFERED", None)

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cluster.node.build import built
from hypothesis import settings
from services import browser, program
from support import apiserver, katib_sdk
from tunewright.controller.local.cgroups import held, own_places

# Thousands of tests are objects that stay: looking for garbage among them is a fifth of the time.
gc.set_threshold(50_000, 20, 20)

settings.register_profile("tests", deadline=None)  # how long a test takes is no law
settings.load_profile("tests")

COMPLETE = os.environ.get("TUNEWRIGHT_TESTS_COMPLETE") == "1"


def _has_mount_namespaces() -> bool:
    if shutil.which("unshare") is None:
        return False
    command = ["unshare", "--user", "--map-root-user", "--mount", "true"]
    tried = subprocess.run(command, check=False, capture_output=True)
    return tried.returncode == 0


def _imports(*modules: str) -> bool:
    return all(importlib.util.find_spec(module) is not None for module in modules)


def _reaches_a_package_index() -> bool:
    """Whether the SDK of Katib is here already, or could be fetched."""
    if katib_sdk.FOLDER.exists():
        return True
    asked = [sys.executable, "-m", "pip", "index", "versions", "kubeflow-katib"]
    return subprocess.run(asked, check=False, capture_output=True).returncode == 0


FRAMEWORKS = "pip install --editable '.[frameworks]'"

NEEDS: dict[str, tuple[Callable[[], bool], str]] = {
    "postgres": (
        lambda: bool(os.environ.get("TUNEWRIGHT_TEST_POSTGRES_URL") or program("initdb")),
        "install PostgreSQL, or name a server in TUNEWRIGHT_TEST_POSTGRES_URL",
    ),
    "mysql": (
        lambda: bool(os.environ.get("TUNEWRIGHT_TEST_MYSQL_URL") or program("mariadbd")),
        "install MariaDB, or name a server in TUNEWRIGHT_TEST_MYSQL_URL",
    ),
    "linux": (lambda: Path("/proc/self").exists(), "run on Linux"),
    "root": (lambda: os.geteuid() == 0, "run as root"),
    "mount-namespaces": (_has_mount_namespaces, "allow user namespaces, or run as root"),
    "openssl": (lambda: shutil.which("openssl") is not None, "install openssl"),
    "package-index": (_reaches_a_package_index, "let pip reach a package index"),
    "cgroups": (
        lambda: held(own_places()) == {"memory", "cpu"},
        "run as root, or within `systemd-run --user --scope`",
    ),
    "apiserver": (
        lambda: built() is not None,
        "run `make cluster` once, which builds it",
    ),
    "cc": (lambda: shutil.which("cc") is not None, "install a C compiler"),
    "strace": (lambda: shutil.which("strace") is not None, "install strace"),
    "xgboost": (lambda: _imports("xgboost"), "pip install xgboost-cpu"),
    "lightgbm": (lambda: _imports("lightgbm"), "pip install lightgbm"),
    "sklearn": (lambda: _imports("sklearn"), "pip install scikit-learn"),
    "keras": (lambda: _imports("keras", "jax"), FRAMEWORKS),
    "transformers": (
        lambda: _imports("transformers", "accelerate", "torch"),
        FRAMEWORKS,
    ),
    "mlflow": (lambda: _imports("mlflow"), "pip install mlflow-skinny"),
    "lightning": (lambda: _imports("lightning", "torch"), FRAMEWORKS),
    "browser": (lambda: browser() is not None, "install Chromium"),
    "torch": (lambda: _imports("torch"), FRAMEWORKS),
    "tmux": (lambda: shutil.which("tmux") is not None, "install tmux"),
    "matplotlib": (lambda: _imports("matplotlib", "pandas"), "pip install matplotlib pandas"),
}
"""What a test may need of the machine: whether it is there, and how to have it."""

LARGE = frozenset({"keras", "lightning", "torch", "transformers"})
"""Gigabytes to install: asked of nobody, and listed where they are not there."""

_found: dict[str, bool] = {}


def _there(name: str) -> bool:
    if name not in _found:
        _found[name] = NEEDS[name][0]()
    return _found[name]


def pytest_collection_finish() -> None:
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            if not _there(name):
                refuse = pytest.fail if COMPLETE and name not in LARGE else pytest.skip
                refuse(f"not run, needs {name}: {NEEDS[name][1]}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Keep which tests failed under their names without their groups, too.

    xdist writes a group behind the name, after `--last-failed` has looked for it in a file: where
    others failed before it, the test is left out in silence.
    """
    cache = getattr(session.config, "cache", None)
    if cache is None or hasattr(session.config, "workerinput"):
        return
    failed = cache.get("cache/lastfailed", {})
    bare = {re.sub(r"@[\w-]+$", "", name): True for name in failed}
    cache.set("cache/lastfailed", failed | bare)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lacking: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        _, found, what = reason.partition("not run, needs ")
        if found:
            lacking[what] = lacking.get(what, 0) + 1
    if lacking:
        terminalreporter.section("not run on this machine")
        for what, count in sorted(lacking.items()):
            name, _, remedy = what.partition(": ")
            terminalreporter.line(f"{count} tests need {name}; to have it: {remedy}")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the store of whoever runs it."""
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path / "tunewright-home"))


@pytest.fixture(scope="session")
def api_server() -> Iterator[apiserver.ApiServer]:
    """A real API server that knows our resources; its tests are marked `apiserver.NEEDED`."""
    with apiserver.api_server() as server:
        server.install()
        yield server
