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
    """Numbers as text, as Katib writes them; `nan` and `inf` may stand here.

    Of a metric that is a text, `latest` is the text, the others `unavailable`.
    """

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
    """`run_spec` is the rendered job.

    `index`, `position`, `made_from`, `origin` and `parent` are extensions: the
    point's place in the experiment's log, and where it comes from.
    """

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
    index: Count | None = None
    position: Count | None = None
    made_from: Count | None = None
    origin: Text | None = None
    parent: Text | None = None


class AttemptStatus(Model):
    """One start of the job. `state` is starting, running or ended; `reason` is how it ended."""

    attempt: Count = 0
    state: str = ""
    started_at: str | None = None
    ran_at: str | None = None
    ended_at: str | None = None
    wall_seconds: float | None = None
    exit_code: Count | None = None
    reason: str = ""
    message: str = ""


class TrialStatus(Model):
    """From `attempt` on these are extensions.

    `earlier` holds what attempts before the last that ended well reported, where
    the point runs several times; `position` is the end's in the experiment's log,
    and `verdict` what it tells an algorithm.
    """

    start_time: str | None = None
    completion_time: str | None = None
    last_reconcile_time: str | None = None
    conditions: Several[Condition] = ()
    observation: ObservationStatus | None = None
    attempt: AttemptStatus | None = None
    retries: Count = 0
    retry_at: str | None = None
    earlier: Several[ObservationStatus] = ()
    position: Count | None = None
    verdict: str | None = None
    dropped: Count | None = None


class Trial(Model):
    api_version: str = "kubeflow.org/v1beta1"
    kind: str = "Trial"
    metadata: Metadata = Metadata()
    spec: TrialSpec = TrialSpec()
    status: TrialStatus | None = None
