"""Hugging Face: `Trainer(..., callbacks=[ReportCallback()])`."""

from collections.abc import Mapping
from typing import Any

import torch
from transformers import TrainerCallback

from ..report import report, should_stop


class ReportCallback(TrainerCallback):
    """Reports whatever the Trainer logs, `loss`, `eval_loss` and more, at its global step.

    The main process reports; all processes stop at the same step.
    """

    def on_log(
        self,
        args: Any,
        state: Any,
        control: Any,
        logs: Mapping[str, Any] | None = None,
        **_more: Any,
    ) -> None:
        stop = False
        if state.is_world_process_zero:
            numbers = {
                name: value
                for name, value in (logs or {}).items()
                if isinstance(value, int | float)
            }
            report(numbers, step=state.global_step)
            stop = should_stop()
        if _for_all(stop=stop, device=args.device):
            control.should_training_stop = True


def _for_all(*, stop: bool, device: Any) -> bool:
    """Say whether any process is to stop: one that stops alone leaves the others waiting."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return stop
    flag = torch.tensor(int(stop), device=device)
    torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
    return bool(flag.item())
