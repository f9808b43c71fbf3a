"""plateau: a trial that does not get better any more is stopped.

The mean of its last `patience` reports is compared with the mean of as many
before them. Both follow from running averages, which the store keeps, so that
nothing is remembered here and a single lucky or unlucky report decides nothing.
"""

import math
from collections.abc import Callable, Mapping, Sequence

from ...api.objective import Direction, Objective
from ...api.stopping import CurveLog, Progress, Stop, StoppingRule
from ..settings import number, setting_values

NAME = "plateau"
SETTINGS = (
    number(
        "patience",
        int,
        "10",
        "≥ 1",
        message="patience must be greater or equal than one (>=1)",
        description="reports that are compared with as many before them",
    ),
    number(
        "min_delta",
        float,
        "0",
        "≥ 0",
        message="min_delta must be greater or equal than zero",
        description="what the mean must be bettered by, to count as better",
    ),
    number(
        "start_step",
        int,
        "1",
        "≥ 1",
        message="start_step must be greater or equal than one (>=1)",
        description="reports of a trial before it is stopped",
    ),
)


class Plateau:
    """Evaluates plateau by what the store has of the trial itself."""

    def __init__(self, clock: Callable[[], float]) -> None:
        del clock

    def evaluate(
        self,
        experiment_uid: str,
        rule: StoppingRule,
        objective: Objective,
        reports: Sequence[Progress],
        log: CurveLog,
    ) -> Sequence[Stop]:
        settings = setting_values(SETTINGS, rule.settings)
        patience, least = int(settings["patience"]), float(settings["min_delta"])
        start = max(int(settings["start_step"]), 2 * patience)
        late = [report for report in reports if report.reports >= start]
        stops = []
        for report in late:
            counts = (report.reports - 2 * patience, report.reports - patience)
            means = log.running_means(experiment_uid, report.index, counts)
            stop = _judge(report, means, objective, patience, least)
            stops += [stop] if stop else []
        return stops


def _judge(
    report: Progress,
    means: Mapping[int, float],
    objective: Objective,
    patience: int,
    least: float,
) -> Stop | None:
    end, middle, begin = report.reports, report.reports - patience, report.reports - 2 * patience
    first = means.get(begin, 0.0) * begin
    second = means.get(middle, math.nan) * middle
    before, last = (second - first) / patience, (report.mean * end - second) / patience
    gain = before - last if objective.direction is Direction.MINIMIZE else last - before
    if math.isnan(gain) or gain > least:
        return None
    return Stop(
        report.index,
        report.attempt,
        f"plateau: the mean {objective.metric.name} of the last {patience} reports, {last:.6g}, "
        f"is no better than {before:.6g} of the {patience} before"
        + (f" by more than {least:g}" if least else ""),
    )
