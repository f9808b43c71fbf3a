"""Objective, further metrics, algorithm and early stopping."""

import math
from collections.abc import Sequence

from ..algorithm_spec import Setting
from ..experiment import ExperimentSpec
from ..objective import Direction, Strategy
from ..objective_spec import ObjectiveSpec
from ..observation import LONGEST_NAME, is_metric_name
from .report import REQUIRED, Report

DIRECTIONS = [each.value for each in Direction]
STRATEGIES = [each.value for each in Strategy]


def check_objective(spec: ExperimentSpec, report: Report) -> None:
    if spec.objective is None:
        report.add("spec.objective", "must be specified", kind=REQUIRED)
    else:
        beside = [
            *(entry.metric for entry in spec.objectives),
            *(entry.metric for entry in spec.constraints),
        ]
        _check_first(spec.objective, beside, report)
    names = {spec.objective.objective_metric_name} if spec.objective else set()
    for i, further in enumerate(spec.objectives):
        path = f"spec.objectives[{i}]"
        _check_name(f"{path}.metric", further.metric, report)
        report.one_of(f"{path}.type", further.type, DIRECTIONS, "must be minimize or maximize")
        _check_goal(further.goal, f"{path}.goal", report)
        if further.metric and further.metric in names:
            report.add(f"{path}.metric", f"{further.metric} is an objective already", "remove it")
        names.add(further.metric)
    for i, constraint in enumerate(spec.constraints):
        path = f"spec.constraints[{i}]"
        _check_name(f"{path}.metric", constraint.metric, report)
        low, high = constraint.min, constraint.max
        if low is None and high is None:
            report.add(path, "min or max must be specified", kind=REQUIRED)
        _check_goal(low, f"{path}.min", report)
        _check_goal(high, f"{path}.max", report)
        if low is not None and high is not None and low > high:
            report.add(f"{path}.max", f"max {high:g} must not be less than min {low:g}")


def _check_first(objective: ObjectiveSpec, beside: Sequence[str], report: Report) -> None:
    """Check the objective; `beside` are the metrics that further objectives and bounds name."""
    path = "spec.objective"
    report.one_of(f"{path}.type", objective.type, DIRECTIONS, "must be minimize or maximize")
    _check_goal(objective.goal, f"{path}.goal", report)
    name, additional = objective.objective_metric_name, objective.additional_metric_names
    _check_name(f"{path}.objectiveMetricName", name, report)
    if name and name in additional:
        report.add(
            f"{path}.additionalMetricNames",
            "should not contain spec.objective.objectiveMetricName",
            f"remove {name}",
        )
    report.unique(f"{path}.additionalMetricNames[{{}}]", list(additional), of="the metric")
    for i, metric in enumerate(additional):
        _check_name(f"{path}.additionalMetricNames[{i}]", metric, report)
    strategies = objective.metric_strategies
    report.unique(
        f"{path}.metricStrategies[{{}}].name", [s.name for s in strategies], of="the name"
    )
    for i, strategy in enumerate(strategies):
        where = f"{path}.metricStrategies[{i}]"
        if report.require(f"{where}.name", strategy.name) and name:
            report.one_of(
                f"{where}.name",
                strategy.name,
                list(dict.fromkeys([name, *additional, *beside])),
                f"the metric {strategy.name!r} is not collected",
            )
        report.one_of(f"{where}.value", strategy.value, STRATEGIES)


def _check_name(path: str, name: str | None, report: Report) -> None:
    if report.require(path, name) and not is_metric_name(name or ""):
        report.add(
            path,
            "cannot be kept as a name",
            f"use at most {LONGEST_NAME} characters, without NUL or a blank at the end",
        )


def _check_goal(goal: float | None, path: str, report: Report) -> None:
    if goal is not None and not math.isfinite(goal):
        report.add(path, f"{goal} is not finite", "write a number, or leave it out")


def check_algorithms(spec: ExperimentSpec, report: Report) -> None:
    """What the algorithm makes of its name and settings is said by the algorithm."""
    if spec.algorithm is not None:
        path = "spec.algorithm"
        report.require(f"{path}.algorithmName", spec.algorithm.algorithm_name)
        _check_settings(spec.algorithm.algorithm_settings, f"{path}.algorithmSettings", report)
        timeout = spec.algorithm.timeout_seconds
        if timeout is not None and not (math.isfinite(timeout) and timeout > 0):
            report.add(f"{path}.timeoutSeconds", "must be greater than 0")
        _check_endpoint(spec.algorithm.endpoint, path, report)
    if spec.early_stopping is not None:
        path = "spec.earlyStopping"
        report.require(f"{path}.algorithmName", spec.early_stopping.algorithm_name)
        _check_settings(spec.early_stopping.algorithm_settings, f"{path}.algorithmSettings", report)
        _check_endpoint(spec.early_stopping.endpoint, path, report)


def _check_endpoint(endpoint: str | None, path: str, report: Report) -> None:
    if endpoint == "":
        report.add(f"{path}.endpoint", "is empty", "host:port, or leave it out")


def _check_settings(settings: Sequence[Setting], path: str, report: Report) -> None:
    report.unique(f"{path}[{{}}].name", [setting.name for setting in settings], of="the setting")
    for i, setting in enumerate(settings):
        report.require(f"{path}[{i}].name", setting.name)
