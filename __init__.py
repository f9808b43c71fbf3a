"""Hyperparameter tuning for any training command."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .sdk.report import report, should_stop

__all__ = ["__version__", "report", "should_stop"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Import what is asked for when it is asked for: training programs start quickly."""
    if name in {"report", "should_stop"}:
        from .sdk import report as reporting

        return getattr(reporting, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
