"""threshold: a trial whose objective is worse than a bound is stopped; on wish, one that is NaN."""

import math
from collections.abc import Mapping

from ...api.objective import Direction
from ...api.stopping import Progress
from ..settings import Setting, one_of
from .rule import Case, Rule, start_step


class Threshold(Rule):
    name = "threshold"
    description = "stops trials that are beyond a bound"
    settings = (
        Setting(
            "bound",
            float,
            "",
            "a number",
            accepts=lambda value: not math.isnan(float(value)),
            message="bound {value} is not a number",
            description="the worst value with which a trial continues",
        ),
        start_step("1"),
        one_of(
            "stop_on_nan",
            ["false", "true"],
            where="threshold",
            description="whether a trial that reports NaN is stopped, at any step",
        ),
    )

    @classmethod
    def complaint(cls, settings: Mapping[str, str]) -> str:
        """Say what is missing: a rule that could stop nothing is a slip."""
        says_something = settings.get("bound") or settings.get("stop_on_nan") == "true"
        return "" if says_something else "threshold needs a bound, or stop_on_nan: true"

    def reason(self, report: Progress, case: Case) -> str | None:
        metric = case.objective.metric.name
        if math.isnan(report.value):
            asked = case.settings["stop_on_nan"] == "true"
            return f"{metric} is NaN at report {report.reports}" if asked else None
        if "bound" not in case.settings or report.reports < int(case.settings["start_step"]):
            return None
        bound = float(case.settings["bound"])
        minimize = case.objective.direction is Direction.MINIMIZE
        if report.value <= bound if minimize else report.value >= bound:
            return None
        return (
            f"{metric} {report.value:.6g} at report {report.reports} is "
            f"{'above' if minimize else 'below'} {bound:g}"
        )
