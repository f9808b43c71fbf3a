"""kubectl, as the cluster's administrator."""

import subprocess

from . import build
from .layout import STATE
from .say import ClusterError

CONFIG = STATE / "config" / "admin.kubeconfig"


def run(*words: str, given: str = "") -> str:
    """Return what it prints.

    Raises:
        ClusterError: it failed; the message is its own.
    """
    done = _tried(*words, given=given)
    if done.returncode != 0:
        raise ClusterError(f"kubectl {words[0]} failed:\n{done.stderr.strip()}")
    return done.stdout


def ask(*words: str) -> str:
    """Return what it prints, and nothing when it fails."""
    done = _tried(*words)
    return done.stdout if done.returncode == 0 else ""


def _tried(*words: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    known = ("--kubeconfig", CONFIG, "--cache-dir", STATE / "cache")
    return subprocess.run(
        [build.programs() / "kubectl", *known, *words],
        input=given,
        check=False,
        capture_output=True,
        text=True,
    )
