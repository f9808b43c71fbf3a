"""An experiment's document, compiled once a version: all that an engine reads of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..api import compile as compiled
from ..api import defaults, documents, policy_spec
from ..api.checkpoint import Checkpoint
from ..api.objective import Objective
from ..api.policy import Policy
from ..api.problem import ANSWER_SECONDS, Problem
from ..api.space import SearchSpace
from ..api.template_spec import TrialTemplate
from ..db.records import ExperimentRecord
from ..metrics_collector.spec import CollectorKind, CollectorSpec, collector_spec
from .local.sharing import takes_port
from .plan.view import InitialTrial
from .render import Template, TrialParameter


@dataclass(frozen=True)
class Brief:
    """What to run, how, and until when."""

    version: int
    policy: Policy
    objective: Objective
    problem: Problem
    template: Template
    primary_container: str
    collector: CollectorSpec
    initial: tuple[InitialTrial, ...]
    warm_from: tuple[str, ...] = ()  # the experiments whose best points are tried first
    primary_labels: Mapping[str, str] | None = None  # of the pods whose metrics count
    collector_document: Mapping[str, Any] = field(default_factory=dict)
    success: str = ""  # the GJSON condition of the workload that says so
    failure: str = ""
    checkpoint: Checkpoint | None = None  # where trials keep what others go on from
    answer_seconds: float = ANSWER_SECONDS  # of the algorithm, for one question
    takes_port: bool = False  # its metrics are served, at a port that each trial is given


def brief_of(record: ExperimentRecord) -> Brief:
    """Compile the document of an experiment.

    Raises:
        Invalid: it is not what validation lets pass; every fault is named.
    """
    experiment = defaults.complete(documents.parse(record.document))
    problem = compiled.problem(experiment, uid=record.uid, seed=record.seed)
    template = experiment.spec.trial_template or TrialTemplate()
    written = _written(experiment.spec.metrics_collector_spec)
    collector = collector_spec(written)
    conditional = frozenset(each.parameter for each in problem.space.conditions)
    return Brief(
        version=record.version,
        policy=compiled.policy(experiment),
        objective=problem.objective,
        problem=problem,
        template=_template(template, conditional),
        primary_container=template.primary_container_name or "",
        collector=collector,
        primary_labels=template.primary_pod_labels,
        collector_document=written,
        success=template.success_condition or "",
        failure=template.failure_condition or "",
        checkpoint=compiled.checkpoint(experiment.spec),
        answer_seconds=compiled.answer_seconds(experiment),
        takes_port=collector.kind is CollectorKind.PROMETHEUS and takes_port(template.trial_spec),
        warm_from=tuple(each.name for each in experiment.spec.warm_start_from),
        initial=tuple(_initial(each, problem.space) for each in experiment.spec.initial_trials),
    )


def _template(written: TrialTemplate, conditional: frozenset[str]) -> Template:
    parameters = (
        TrialParameter(each.name, each.reference) for each in written.trial_parameters or ()
    )
    return Template(written.trial_spec or {}, tuple(parameters), conditional)


def _initial(written: policy_spec.InitialTrial, space: SearchSpace) -> InitialTrial:
    point = {
        name: space.by_name[name].parse(text) for name, text in (written.assignments or {}).items()
    }
    return InitialTrial(point, tuple((written.observation or {}).items()))


def _written(spec: Any) -> Mapping[str, Any]:
    if spec is None:
        return {}
    found: Mapping[str, Any] = spec.model_dump(by_alias=True, exclude_none=True, mode="json")
    return found
