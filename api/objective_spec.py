"""`spec.objective` and what stands around it: which metrics count, and how."""

from .model import Model, Several, Text, Texts


class MetricStrategy(Model):
    """Which of a metric's values stands for the trial: min, max or latest."""

    name: str = ""
    value: str = ""


class ObjectiveSpec(Model):
    type: str = ""
    goal: float | None = None
    objective_metric_name: Text = ""
    additional_metric_names: Texts = ()
    metric_strategies: Several[MetricStrategy] = ()


class FurtherObjective(Model):
    """Extension `objectives[]`: one more metric to make better."""

    metric: Text = ""
    type: str = ""
    goal: float | None = None


class MetricConstraint(Model):
    """Extension `constraints[]`: a point counts only where the metric keeps its bound."""

    metric: Text = ""
    min: float | None = None
    max: float | None = None
