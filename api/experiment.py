"""The Experiment document: Katib's, with optional fields of ours beside them."""

from .algorithm_spec import AlgorithmSpec, EarlyStoppingSpec
from .collector_spec import MetricsCollectorSpec
from .conditions import Condition
from .metadata import Metadata
from .model import Count, Model, Several, Text
from .objective_spec import FurtherObjective, MetricConstraint, ObjectiveSpec
from .parameter_spec import NasConfig, ParameterConditionSpec, ParameterSpec
from .policy_spec import AskTell, CheckpointSpec, InitialTrial, StopWhen, TrialPolicy, WarmStart
from .template_spec import TrialTemplate
from .trial import ObservationStatus, ParameterAssignment

API_VERSION = "kubeflow.org/v1beta1"
KIND = "Experiment"


class ExperimentSpec(Model):
    """Katib's fields, then the extensions; docs/experiment.md says what each means."""

    parameters: Several[ParameterSpec] = ()
    objective: ObjectiveSpec | None = None
    algorithm: AlgorithmSpec | None = None
    early_stopping: EarlyStoppingSpec | None = None
    trial_template: TrialTemplate | None = None
    parallel_trial_count: Count | None = None
    max_trial_count: Count | None = None
    max_failed_trial_count: Count | None = None
    metrics_collector_spec: MetricsCollectorSpec | None = None
    nas_config: NasConfig | None = None
    resume_policy: str | None = None

    objectives: Several[FurtherObjective] = ()
    constraints: Several[MetricConstraint] = ()
    parameter_conditions: Several[ParameterConditionSpec] = ()
    ask_tell: AskTell | None = None
    trial_policy: TrialPolicy | None = None
    initial_trials: Several[InitialTrial] = ()
    warm_start_from: Several[WarmStart] = ()
    checkpoint: CheckpointSpec | None = None
    stop_when: StopWhen | None = None
    repeats: Count | None = None
    seed: Count | None = None
    suspend: bool | None = None
    max_duration: float | str | None = None
    ttl_seconds_after_finished: float | None = None
    trial_service_account: Text | None = None


EXTENSIONS = frozenset(
    {
        "objectives",
        "constraints",
        "parameterConditions",
        "askTell",
        "trialPolicy",
        "initialTrials",
        "warmStartFrom",
        "checkpoint",
        "stopWhen",
        "repeats",
        "seed",
        "suspend",
        "maxDuration",
        "ttlSecondsAfterFinished",
        "trialServiceAccount",
    }
)
"""Keys of `spec` that Katib does not know; all optional."""


class OptimalTrial(Model):
    best_trial_name: str = ""
    parameter_assignments: Several[ParameterAssignment] = ()
    observation: ObservationStatus | None = None


class ExperimentStatus(Model):
    """Katib's fields; the lists hold the latest few names only.

    From `seed` on these are extensions: `best` is the objective's value of the best
    trial, `active_seconds` the time in which the experiment was driven and not
    suspended, `observed_generation` the version of the spec that all this is about,
    `waits_for` what `explain` says, as of the last time that something else changed.
    """

    start_time: str | None = None
    completion_time: str | None = None
    last_reconcile_time: str | None = None
    conditions: Several[Condition] = ()
    current_optimal_trial: OptimalTrial | None = None
    running_trial_list: Several[Text] = ()
    pending_trial_list: Several[Text] = ()
    failed_trial_list: Several[Text] = ()
    succeeded_trial_list: Several[Text] = ()
    killed_trial_list: Several[Text] = ()
    early_stopped_trial_list: Several[Text] = ()
    metrics_unavailable_trial_list: Several[Text] = ()
    trials: Count = 0
    trials_succeeded: Count = 0
    trials_failed: Count = 0
    trials_killed: Count = 0
    trials_pending: Count = 0
    trials_running: Count = 0
    trials_early_stopped: Count = 0
    trial_metrics_unavailable: Count = 0
    seed: Count | None = None
    best: Text | None = None
    active_seconds: float | None = None
    observed_generation: Count | None = None
    waits_for: Several[Text] = ()


class Experiment(Model):
    api_version: str = API_VERSION
    kind: str = KIND
    metadata: Metadata = Metadata()
    spec: ExperimentSpec = ExperimentSpec()
    status: ExperimentStatus | None = None
