"""The Trial document: one point, its job, and what came of it."""

from .collector_spec import MetricsCollectorSpec
from .conditions import Condition
from .metadata import Metadata
from .model import Count, Model, Object, Several, Text
from .objective_spec import ObjectiveSpec


class ParameterAssignment(Model):
    name: str = ""
    value: Text = ""


class MetricObservation(Model):
    """Numbers as text, as Katib writes them; `nan` and `inf` may stand here."""

    name: str = ""
    min: Text = ""
    max: Text = ""
    latest: Text = ""


class ObservationStatus(Model):
    metrics: Several[MetricObservation] = ()


class EarlyStoppingRule(Model):
    name: str = ""
    value: Text = ""
    comparison: str = ""
    start_step: Count | None = None


class TrialSpec(Model):
    """`run_spec` is the rendered job."""

    objective: ObjectiveSpec | None = None
    parameter_assignments: Several[ParameterAssignment] = ()
    early_stopping_rules: Several[EarlyStoppingRule] = ()
    run_spec: Object | None = None
    retain_run: bool | None = None
    metrics_collector: MetricsCollectorSpec | None = None
    primary_pod_labels: dict[str, Text] | None = None
    primary_container_name: str | None = None
    success_condition: str | None = None
    failure_condition: str | None = None
    labels: dict[str, Text] | None = None


class TrialStatus(Model):
    """`index` and `attempt` are extensions: the trial's number, and its attempt's."""

    start_time: str | None = None
    completion_time: str | None = None
    last_reconcile_time: str | None = None
    conditions: Several[Condition] = ()
    observation: ObservationStatus | None = None
    index: Count | None = None
    attempt: Count | None = None


class Trial(Model):
    api_version: str = "kubeflow.org/v1beta1"
    kind: str = "Trial"
    metadata: Metadata = Metadata()
    spec: TrialSpec = TrialSpec()
    status: TrialStatus | None = None
