"""Hyperparameter tuning for any training command."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .sdk import search
    from .sdk.client import Client
    from .sdk.report import report, should_stop
    from .sdk.tune import tune

__all__ = ["Client", "__version__", "report", "search", "should_stop", "tune"]

__version__ = "0.1.0"

_HOMES = {
    "Client": "client",
    "report": "report",
    "search": "search",
    "should_stop": "report",
    "tune": "tune",
}


def __getattr__(name: str) -> object:
    """Import what is asked for when it is asked for: training programs start quickly."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f".sdk.{_HOMES[name]}", __name__)
    return module if name == "search" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
