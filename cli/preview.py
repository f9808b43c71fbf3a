"""What trials would run, without running any."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import click

from ..api.compile import problem, search_space
from ..api.experiment import Experiment
from ..api.history import Proposal
from ..api.identity import trial_name
from ..api.placeholders import is_meta
from ..api.space import Point
from ..sdk.points import middle, parse_point
from ..sdk.rendered import command_of, manifest_of, primary_name
from ..suggestion.session import Session

_SHOWN = 3


def sample_manifest(document: Mapping[str, Any]) -> dict[str, Any]:
    """Render the manifest at the middle of the space."""
    return _manifest(document, _sample_point(Experiment.read(document)))


def point_with(experiment: Experiment, assignments: Sequence[str]) -> Point:
    """Return the point that has these values, and the middle of the space for the rest.

    Of an architecture search it is the first that the algorithm proposes.

    Raises:
        Invalid: with everything that is wrong with the values.
    """
    space = search_space(experiment.spec)
    point = parse_point(space, assignments, path="--set", complete=False)
    if experiment.spec.nas_config is None:
        return point
    return first_points(experiment.write())[0].point


def _sample_point(experiment: Experiment) -> Point:
    """Return the middle of the space; what a plug-in will say of an architecture is left open."""
    space = problem(experiment, uid="", seed=0).space
    template = experiment.spec.trial_template
    names = [entry.reference for entry in (template and template.trial_parameters) or ()]
    if experiment.spec.nas_config is not None:
        return {name: f"<{name}>" for name in names if not is_meta(name)}
    return space.actual({parameter.name: middle(parameter) for parameter in space.parameters})


def _manifest(document: Mapping[str, Any], point: Point) -> dict[str, Any]:
    metadata = document.get("metadata") or {}
    name = metadata.get("name") or f"{metadata.get('generateName', '')}new"
    return manifest_of(
        document, point, trial_name(name, "", 0), metadata.get("namespace") or "default"
    )


def show_commands(document: Mapping[str, Any]) -> None:
    """Print the commands of the first trials that the algorithm would propose."""
    for proposal in first_points(document):
        manifest = _manifest(document, proposal.point)
        click.echo(shlex.join(command_of(manifest, primary_name(document))))


def first_points(document: Mapping[str, Any]) -> tuple[Proposal, ...]:
    experiment = Experiment.read(document)
    compiled = problem(experiment, uid="dry-run", seed=experiment.spec.seed or 0)
    if compiled.endpoint is not None:
        return (Proposal(_sample_point(experiment)),)
    limit = min(experiment.spec.max_trial_count or _SHOWN, _SHOWN)
    return Session(compiled).suggest(0, limit).proposals
