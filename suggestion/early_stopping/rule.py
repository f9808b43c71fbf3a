"""What an early-stopping rule is: a name, settings, and a reason to stop or none.

A rule is asked at every report of a running trial's objective, where it is stored.
Its answer is a function of what was reported: of the report, of what the log
says of the other trials, and of nothing else. What a rule remembers of the log
may be forgotten at any time, and is kept by each replica for itself.

    class Patience(Rule):
        name = "patience"
        description = "stops what takes too long"
        settings = (start_step("100"),)

        def reason(self, report: Progress, case: Case) -> str | None:
            late = report.reports >= case.settings["start_step"]
            return f"{report.reports} reports are enough" if late else None

A distribution that declares the entry point `patience = "package.module:Patience"`
in the group `tunewright.early_stopping` makes it known by that name.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ...api.objective import Objective
from ...api.stopping import CurveLog, Progress, Stop, StoppingRule
from ..settings import Setting, SettingValue, number, setting_values


@dataclass(frozen=True, slots=True)
class Case:
    """What a report is judged by: the experiment's objective, the settings, the other trials."""

    experiment_uid: str
    objective: Objective
    settings: Mapping[str, SettingValue]
    log: CurveLog


class Rule(ABC):
    """One rule; an instance judges any number of experiments.

    `clock` gives monotonic seconds: what was read of the log may be a second old.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    settings: ClassVar[tuple[Setting, ...]] = ()

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock

    @classmethod
    def complaint(cls, settings: Mapping[str, str]) -> str:
        """Say what is wrong with settings that are each in range; "" when nothing is."""
        del settings
        return ""

    @abstractmethod
    def reason(self, report: Progress, case: Case) -> str | None:
        """Say why the trial should end at this report; None when it should go on.

        NaN is no number: a trial that reports it is stopped for it on request only.
        """

    def evaluate(
        self,
        experiment_uid: str,
        rule: StoppingRule,
        objective: Objective,
        reports: Sequence[Progress],
        log: CurveLog,
    ) -> Sequence[Stop]:
        """Judge reports in order; the settings have passed their check."""
        case = Case(experiment_uid, objective, setting_values(self.settings, rule.settings), log)
        reasons = ((report, self.reason(report, case)) for report in reports)
        return [
            Stop(report.index, report.attempt, f"{self.name}: {reason}")
            for report, reason in reasons
            if reason is not None
        ]


def start_step(default: str) -> Setting:
    """Return the setting that keeps a trial from being stopped before so many reports."""
    return number(
        "start_step",
        int,
        default,
        "≥ 1",
        message="start_step must be greater or equal than one (>=1)",
        description="reports of a trial before it can be stopped",
    )
