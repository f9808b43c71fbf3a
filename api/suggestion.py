"""The Suggestion document: what Katib's clients read of an experiment's search."""

from .algorithm_spec import AlgorithmSpec, EarlyStoppingSpec, Setting
from .conditions import Condition
from .metadata import Metadata
from .model import Count, Model, Several, Text
from .trial import EarlyStoppingRule, ParameterAssignment


class SuggestionSpec(Model):
    """`requests` is how many points were ever wanted."""

    algorithm: AlgorithmSpec | None = None
    early_stopping: EarlyStoppingSpec | None = None
    requests: Count | None = None
    resume_policy: str | None = None


class TrialAssignment(Model):
    name: str = ""
    parameter_assignments: Several[ParameterAssignment] = ()
    early_stopping_rules: Several[EarlyStoppingRule] = ()
    labels: dict[str, Text] | None = None


class SuggestionStatus(Model):
    """`suggestions` holds the latest few only: an object's size is bounded."""

    algorithm_settings: Several[Setting] = ()
    suggestion_count: Count | None = None
    suggestions: Several[TrialAssignment] = ()
    start_time: str | None = None
    completion_time: str | None = None
    last_reconcile_time: str | None = None
    conditions: Several[Condition] = ()


class Suggestion(Model):
    api_version: str = "kubeflow.org/v1beta1"
    kind: str = "Suggestion"
    metadata: Metadata = Metadata()
    spec: SuggestionSpec = SuggestionSpec()
    status: SuggestionStatus | None = None
