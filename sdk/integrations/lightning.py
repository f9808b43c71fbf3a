"""PyTorch Lightning, under either of its names: `Trainer(callbacks=[ReportCallback()])`."""

import importlib
import sys
from collections.abc import Mapping
from typing import Any

from ..report import report, should_stop

_NAMES = ("lightning.pytorch", "pytorch_lightning")


def _callback_class() -> Any:
    """Return `Callback` of the name that the program uses, where both are installed."""
    used = next((name for name in _NAMES if name in sys.modules), None)
    if used is None:
        try:
            return importlib.import_module(_NAMES[0]).Callback
        except ImportError:
            used = _NAMES[1]
    return importlib.import_module(used).Callback


_Callback: Any = _callback_class()


class ReportCallback(_Callback):
    """Reports what was logged by the end of each epoch and validation, at the global step.

    The main process reports; all processes stop together.
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, float] = {}

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        del pl_module
        if not trainer.sanity_checking:
            self._tell(trainer)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        del pl_module
        self._tell(trainer)

    def _tell(self, trainer: Any) -> None:
        stop = False
        if trainer.is_global_zero:
            report(self._news(trainer.callback_metrics), step=trainer.global_step)
            stop = should_stop()
        if trainer.strategy.reduce_boolean_decision(stop, all=False):
            trainer.should_stop = True

    def _news(self, metrics: Mapping[str, Any]) -> dict[str, float]:
        """Return what has changed: Lightning shows a value until there is another."""
        now = {name: float(value) for name, value in metrics.items()}
        news = {name: value for name, value in now.items() if self._told.get(name) != value}
        self._told = now
        return news
