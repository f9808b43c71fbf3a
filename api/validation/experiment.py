"""An Experiment as a whole."""

import re
from collections.abc import Sequence

from .. import defaults
from ..errors import Fault
from ..experiment import API_VERSION, KIND, Experiment
from .ask_tell import check_ask_tell
from .collector import check_collector
from .fields import unknown_fields
from .objective import check_algorithms, check_objective
from .policy import check_policy
from .report import REQUIRED, Report
from .space import check_space
from .template import check_template

_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_PREFIX = re.compile(r"[a-z][-a-z0-9]*")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
MAX_NAME = 40


def check_experiment(experiment: Experiment, broken: Sequence[str] = ()) -> tuple[Fault, ...]:
    """Return all that is wrong; nothing at or below a `broken` path is reported again."""
    report = Report(tuple(broken))
    _check_head(experiment, report)
    spec = defaults.complete(experiment).spec
    check_policy(spec, report)
    check_objective(spec, report)
    check_algorithms(spec, report)
    check_space(spec, report)
    template = experiment.spec.trial_template
    implied = template is not None and template.trial_parameters is None
    check_template(spec, report, implied=implied)
    check_collector(spec.metrics_collector_spec, report)
    check_ask_tell(experiment.spec, report)
    return (*report.faults, *unknown_fields(experiment))


def _check_head(experiment: Experiment, report: Report) -> None:
    if experiment.api_version != API_VERSION:
        report.add("apiVersion", f"{experiment.api_version!r} is not known", API_VERSION)
    if experiment.kind != KIND:
        report.add("kind", f"{experiment.kind!r} is not known", KIND)
    metadata = experiment.metadata
    if metadata.name is None and not metadata.generate_name:
        report.add("metadata.name", "must be specified", "or generateName", kind=REQUIRED)
    if metadata.name is not None:
        fits = _NAME.fullmatch(metadata.name) and len(metadata.name) <= MAX_NAME
        if not fits:
            report.add(
                "metadata.name",
                "name must consist of lower case alphanumeric characters or '-', start with an"
                " alphabetic character, and end with an alphanumeric character, and may not be"
                f" longer than {MAX_NAME} characters",
                "such as my-name, or abc-123",
            )
    elif metadata.generate_name:
        room = MAX_NAME - 5
        if not _PREFIX.fullmatch(metadata.generate_name) or len(metadata.generate_name) > room:
            report.add(
                "metadata.generateName",
                f"must start a name, in at most {room} characters",
                "my-name-",
            )
    if metadata.namespace is not None and not _NAMESPACE.fullmatch(metadata.namespace):
        report.add("metadata.namespace", f"{metadata.namespace!r} is not the name of a namespace")
