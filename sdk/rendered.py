"""What a trial runs, as a line to read and to paste."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from ..api.asked import is_asked
from ..api.compile import problem
from ..api.experiment import Experiment
from ..api.identity import trial_name
from ..api.placeholders import is_meta
from ..api.space import Point
from ..controller.render import Template, TrialIdentity, TrialParameter, render
from ..db.records import ExperimentRecord, TrialRecord
from .points import middle


def manifest_of(
    document: Mapping[str, Any], point: Point, name: str, namespace: str
) -> dict[str, Any]:
    """Render the manifest of a trial."""
    return render(template_of(document), point, TrialIdentity(name, namespace))


def sample_manifest(document: Mapping[str, Any]) -> dict[str, Any]:
    """Render the manifest at the middle of the space."""
    return first_manifest(document, sample_point(Experiment.read(document)))


def first_manifest(document: Mapping[str, Any], point: Point) -> dict[str, Any]:
    """Render the manifest of the first trial, were it at that point."""
    metadata = document.get("metadata") or {}
    name = metadata.get("name") or f"{metadata.get('generateName', '')}new"
    return manifest_of(
        document, point, trial_name(name, "", 0), metadata.get("namespace") or "default"
    )


def sample_point(experiment: Experiment) -> Point:
    """Return the middle of the space; what a plug-in will say of an architecture is left open."""
    space = problem(experiment, uid="", seed=0).space
    template = experiment.spec.trial_template
    names = [entry.reference for entry in (template and template.trial_parameters) or ()]
    if experiment.spec.nas_config is not None:
        return {name: f"<{name}>" for name in names if not is_meta(name)}
    return space.actual({parameter.name: middle(parameter) for parameter in space.parameters})


def template_of(document: Mapping[str, Any]) -> Template:
    """Compile the template of a validated document."""
    spec = document["spec"]
    template = spec["trialTemplate"]
    parameters = template.get("trialParameters") or ()
    return Template(
        template["trialSpec"],
        tuple(TrialParameter(str(item["name"]), str(item["reference"])) for item in parameters),
        frozenset(str(item["parameter"]) for item in spec.get("parameterConditions") or ()),
    )


def command_line(record: ExperimentRecord, trial: TrialRecord) -> str:
    """Return the command of a trial's primary container, quoted for a shell; "" without one.

    Trials that are asked for and told have none.
    """
    if is_asked(record.document):
        return ""
    manifest = manifest_of(record.document, trial.proposal.point, trial.name, record.key.namespace)
    return shlex.join(command_of(manifest, primary_name(record.document)))


def primary_name(document: Mapping[str, Any]) -> str | None:
    name = document["spec"]["trialTemplate"].get("primaryContainerName")
    return None if name is None else str(name)


def command_of(manifest: Mapping[str, Any], primary: str | None) -> list[str]:
    """Return command and arguments of the primary container; an image's own are not known here.

    `$$` is one sign, as the program will see it; what `$(NAME)` stands for is not known here.
    """
    container = container_of(manifest, primary)
    words = (*(container.get("command") or ()), *(container.get("args") or ()))
    return [str(word).replace("$$", "$") for word in words]


def container_of(manifest: Mapping[str, Any], primary: str | None) -> Mapping[str, Any]:
    """Return the primary container of whatever kind of workload, empty where it has none."""
    found = list(_containers(manifest))
    named = [container for container in found if container.get("name") == primary]
    return next(iter(named or found), {})


def _containers(node: object) -> Iterator[Mapping[str, Any]]:
    """Yield the containers of every pod template below, and a TrainJob's trainer."""
    if isinstance(node, list):
        for item in node:
            yield from _containers(item)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key == "containers" and isinstance(value, list):
            yield from (item for item in value if isinstance(item, dict))
        elif key == "trainer" and isinstance(value, dict) and "command" in value:
            yield value
        else:
            yield from _containers(value)
