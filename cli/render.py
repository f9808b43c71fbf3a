"""`tunewright render`."""

from pathlib import Path

import click

from ..sdk.plain import plain
from . import console
from .options import set_option


@click.command()
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@set_option
@click.option(
    "-o",
    "--output",
    type=click.Choice(["command", "yaml", "json"]),
    default="command",
    help="The output format.",
)
def render(files: tuple[Path, ...], assignments: tuple[str, ...], output: str) -> None:
    """Show what a trial would run: its command and environment, or its whole manifest.

    \b
    Examples:
      tunewright render experiment.yaml
      tunewright render experiment.yaml --set lr=0.1 -o yaml
    """
    import json
    import shlex

    from ..api.documents import load
    from ..sdk.rendered import command_of, container_of, manifest_of, primary_name
    from .preview import check_command, point_with

    for experiment in load(files).experiments:
        check_command(experiment)
        document = experiment.write()
        point = point_with(experiment, assignments)
        name = experiment.metadata.name or f"{experiment.metadata.generate_name}new"
        manifest = manifest_of(
            document, point, f"{name}-trial", experiment.metadata.namespace or "default"
        )
        if output == "yaml":
            click.echo(console.as_yaml(plain(manifest)), nl=False)
        elif output == "json":
            click.echo(json.dumps(plain(manifest), indent=2))
        else:
            primary = primary_name(document)
            for entry in container_of(manifest, primary).get("env") or ():
                value = entry.get("value")
                shown = shlex.quote(str(value)) if value is not None else "(from elsewhere)"
                click.echo(f"{entry.get('name')}={shown}")
            if command := command_of(manifest, primary):
                click.echo(shlex.join(command))
            else:
                console.note("the template names no command; -o yaml shows all that it says")
