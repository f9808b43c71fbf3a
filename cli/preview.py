"""What trials would run, without running any."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import click

from ..api.compile import problem, search_space
from ..api.errors import Fault, Invalid
from ..api.experiment import Experiment
from ..api.history import Proposal
from ..api.space import Point
from ..sdk.points import parse_point
from ..sdk.rendered import command_of, first_manifest, primary_name, sample_point
from ..suggestion.session import Session

_SHOWN = 3


def check_command(experiment: Experiment) -> None:
    """Refuse an experiment whose trials people run: there is nothing to be shown or tried.

    Raises:
        Invalid: it is one.
    """
    if experiment.spec.ask_tell is not None:
        message, remedy = (
            "people run its trials: there is no command",
            "Client().ask(…) gives points",
        )
        raise Invalid([Fault("spec.askTell", message, remedy)])


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


def show_commands(document: Mapping[str, Any]) -> None:
    """Print the commands of the first trials that the algorithm would propose."""
    for proposal in first_points(document):
        manifest = first_manifest(document, proposal.point)
        click.echo(shlex.join(command_of(manifest, primary_name(document))))


def first_points(document: Mapping[str, Any]) -> tuple[Proposal, ...]:
    experiment = Experiment.read(document)
    compiled = problem(experiment, uid="dry-run", seed=experiment.spec.seed or 0)
    if compiled.endpoint is not None:
        return (Proposal(sample_point(experiment)),)
    limit = min(experiment.spec.max_trial_count or _SHOWN, _SHOWN)
    return Session(compiled).suggest(0, limit).proposals
