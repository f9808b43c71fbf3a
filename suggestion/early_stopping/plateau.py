"""plateau: a trial that does not get better any more is stopped.

The mean of its last `patience` reports is compared with the mean of as many
before them. Both follow from running averages, which the store keeps, so that
nothing is remembered here and a single lucky or unlucky report decides nothing.

A NaN report enters no average, so that the means of a window that holds one cannot be
told: a trial is not judged before it has left both windows.
"""

import math

from ...api.objective import Direction
from ...api.stopping import Progress
from ..settings import number
from .rule import Case, Rule, start_step


class Plateau(Rule):
    name = "plateau"
    description = "stops trials that no longer improve"
    settings = (
        number(
            "patience",
            int,
            "10",
            "≥ 1",
            message="patience must be greater or equal than one (>=1)",
            description="reports that are compared with the same number before them",
        ),
        number(
            "min_delta",
            float,
            "0",
            "≥ 0",
            message="min_delta must be greater or equal than zero",
            description="by how much the mean must improve",
        ),
        start_step("1"),
    )

    def reason(self, report: Progress, case: Case) -> str | None:
        patience, least = int(case.settings["patience"]), float(case.settings["min_delta"])
        if report.reports < max(int(case.settings["start_step"]), 2 * patience):
            return None
        before, last = _windows(report, case, patience)
        gain = before - last if case.objective.direction is Direction.MINIMIZE else last - before
        if math.isnan(gain) or gain > least:
            return None
        if report.nans and _may_hold_nan(report, case, 2 * patience):
            return None
        return (
            f"the mean {case.objective.metric.name} of the last {patience} reports, {last:.6g}, "
            f"is no better than {before:.6g} of the {patience} before"
            + (f" by more than {least:g}" if least else "")
        )


def _windows(report: Progress, case: Case, patience: int) -> tuple[float, float]:
    """Return the mean of the `patience` reports before the last so many, and of those.

    NaN reports, which are in no average, are taken to be older than these.
    """
    end, middle, begin = report.reports, report.reports - patience, report.reports - 2 * patience
    means = case.log.running_means(case.experiment_uid, report.index, (begin, middle))
    first = means.get(begin, math.nan) * (begin - report.nans) if begin > report.nans else 0.0
    second = means.get(middle, math.nan) * (middle - report.nans)
    last = report.mean * (end - report.nans) - second
    return (second - first) / patience, last / patience


def _may_hold_nan(report: Progress, case: Case, reports: int) -> bool:
    """Say whether one of the last so many reports may be NaN: it left the average as it was."""
    counts = range(max(report.reports - reports, 1), report.reports)
    means = dict(case.log.running_means(case.experiment_uid, report.index, counts))
    means[report.reports] = report.mean
    return any(means.get(count) == means.get(count + 1) for count in counts)
