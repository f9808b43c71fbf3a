"""Keras: `model.fit(..., callbacks=[ReportCallback()])`."""

from collections.abc import Mapping
from typing import SupportsFloat

import keras

from ..report import report, should_stop


class ReportCallback(keras.callbacks.Callback):
    """Reports the metrics of each epoch, `loss`, `val_loss`, …, the first epoch being 0."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, SupportsFloat] | None = None) -> None:
        report(logs, step=epoch)
        if should_stop():
            self.model.stop_training = True
