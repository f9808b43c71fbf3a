"""Hyperparameter tuning for any training command."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .api.errors import Conflict, Invalid, NotFound, TunewrightError
    from .sdk import search
    from .sdk.aio import AsyncClient
    from .sdk.client import Client
    from .sdk.report import report, should_stop
    from .sdk.tune import tune

__all__ = [
    "AsyncClient",
    "Client",
    "Conflict",
    "Invalid",
    "NotFound",
    "TunewrightError",
    "__version__",
    "report",
    "search",
    "should_stop",
    "tune",
]

__version__ = "0.1.0"

_HOMES = {
    "AsyncClient": "sdk.aio",
    "Client": "sdk.client",
    "Conflict": "api.errors",
    "Invalid": "api.errors",
    "NotFound": "api.errors",
    "TunewrightError": "api.errors",
    "report": "sdk.report",
    "search": "sdk.search",
    "should_stop": "sdk.report",
    "tune": "sdk.tune",
}


def __getattr__(name: str) -> object:
    """Import what is asked for when it is asked for: training programs start quickly."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f".{_HOMES[name]}", __name__)
    return module if name == "search" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
