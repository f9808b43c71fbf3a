"""What trials would run, without running any."""

import shlex
from collections.abc import Mapping
from typing import Any

import click

from ..api.compile import problem
from ..api.experiment import Experiment
from ..api.history import Proposal
from ..api.identity import trial_name
from ..api.space import Point
from ..suggestion.session import Session
from .points import middle
from .rendered import command_of, manifest_of, primary_name

_SHOWN = 3


def sample_manifest(document: Mapping[str, Any]) -> dict[str, Any]:
    """Render the manifest at the middle of the space."""
    space = problem(Experiment.read(document), uid="", seed=0).space
    return _manifest(document, {p.name: middle(p) for p in space.parameters})


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
        return (Proposal({p.name: middle(p) for p in compiled.space.parameters}),)
    limit = min(experiment.spec.max_trial_count or _SHOWN, _SHOWN)
    return Session(compiled).suggest(0, limit).proposals
