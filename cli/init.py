"""`tunewright init`: questions, and an Experiment."""

import shlex
from pathlib import Path

import click

from ..api.errors import Invalid
from . import console


@click.command()
@click.argument("file", default="experiment.yaml", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite the file.")
def init(file: Path, force: bool) -> None:
    """Ask a few questions and write an Experiment to FILE.

    \b
    Examples:
      tunewright init
      tunewright init tuning/lr.yaml
    """
    from ..api.documents import parse
    from ..api.errors import Conflict
    from ..sdk.flags import Wanted, document

    if file.exists() and not force:
        raise Conflict(f"{file} exists: --force overwrites it, or name another file")
    command = shlex.split(
        click.prompt("The command that trains, as you would type it", default="python train.py")
    )
    params: list[str] = []
    console.note("Parameters: lr=log:1e-5..1e-1, n=int:1..10, opt=adam,sgd; an empty line ends.")
    while True:
        written = click.prompt(f"Parameter {len(params) + 1}", default="", show_default=False)
        if not written and params:
            break
        problem = _problem(written)
        if problem:
            console.note(problem)
        else:
            params.append(written)
    metric = click.prompt("The metric that it prints", default="loss")
    wants = click.prompt(
        "Smaller or larger is better",
        type=click.Choice(["minimize", "maximize"]),
        default="minimize",
    )
    trials = click.prompt("How many trials", type=click.IntRange(1), default=30)
    parallel = click.prompt("How many at once", type=click.IntRange(1), default=2)
    names = [text.split("=", 1)[0] for text in params]
    told = " ".join(command)
    command += [f"--{name}={{{name}}}" for name in names if f"{{{name}}}" not in told]
    raw = document(
        Wanted(
            params=params,
            command=command,
            minimize=metric if wants == "minimize" else None,
            maximize=metric if wants == "maximize" else None,
            trials=trials,
            parallel=parallel,
            name=file.stem.replace("_", "-").lower(),
        )
    )
    parse(raw)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(console.as_yaml(raw), encoding="utf-8")
    click.echo(f"Wrote {file}: each trial runs `{shlex.join(command)}`.")
    click.echo(f"Try one:  tunewright try {file}")
    click.echo(f"Tune:     tunewright run {file}")


def _problem(written: str) -> str:
    from ..sdk.flags import parameter

    try:
        parameter(written)
    except Invalid as error:
        return str(error)
    return ""
