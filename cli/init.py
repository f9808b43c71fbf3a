"""`tunewright init`: questions, and an Experiment."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import click

from ..api.errors import Conflict, Invalid
from ..sdk.flags import Wanted, document, fields, slug
from . import console

_Answer = TypeVar("_Answer")


@click.command()
@click.argument("file", default="experiment.yaml", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite the file.")
def init(file: Path, force: bool) -> None:
    """Ask a few questions, then write an Experiment to FILE.

    \b
    Examples:
      tunewright init
      tunewright init tuning/lr.yaml
    """
    from ..api.documents import parse

    if file.exists() and not force:
        raise Conflict(f"{file} exists: --force overwrites it, or name another file")
    remedy = "answer in a terminal, or give options to `tunewright run --print`"
    with console.asking("init", remedy):
        wanted = _ask(slug(file.stem))
    raw = document(wanted)
    parse(raw)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(console.as_yaml(raw), encoding="utf-8")
    click.echo(f"Wrote {file}: each trial runs `{shlex.join(wanted.command)}`.")
    click.echo(f"Try one:  tunewright try {file}")
    click.echo(f"Tune:     tunewright run {file}")


def _ask(name: str) -> Wanted:
    """Ask each question until its answer is valid."""
    command = _answer("The command that trains, as you would type it", _command, "python train.py")
    params = _params([name for word in command for name in fields(word)])
    metric = _answer("The metric that it prints", _metric, "loss")
    wants = click.prompt(
        "Smaller or larger is better",
        type=click.Choice(["minimize", "maximize"]),
        default="minimize",
    )
    trials = click.prompt("How many trials", type=click.IntRange(1), default=30)
    parallel = click.prompt(
        "How many at once", type=click.IntRange(1, trials), default=min(2, trials)
    )
    told = {name for word in command for name in fields(word)}
    more = [f"--{name}={{{name}}}" for name in map(_name, params) if name not in told]
    return Wanted(
        params=params,
        command=[*command, *more],
        minimize=metric if wants == "minimize" else None,
        maximize=metric if wants == "maximize" else None,
        trials=trials,
        parallel=parallel,
        name=name,
    )


def _params(told: Sequence[str]) -> list[str]:
    """Ask for parameters, at least for those that the command names in braces (`told`)."""
    params: list[str] = []
    console.note("Parameters: lr=log:1e-5..1e-1, n=int:1..10, opt=adam,sgd; an empty line ends.")
    while True:
        number = f"Parameter {len(params) + 1}"
        missing = next((name for name in told if name not in map(_name, params)), None)

        def checked(written: str, missing: str | None = missing) -> str:
            if written:
                _check([*params, written])
            elif missing is not None:
                raise ValueError(f"the command has {{{missing}}}: write {missing}=SPACE")
            elif not params:
                raise ValueError("at least one parameter is needed")
            return written

        written = _answer(number, checked, "")
        if not written:
            return params
        params.append(written)


def _answer(question: str, read: Callable[[str], _Answer], default: str) -> _Answer:
    while True:
        written = click.prompt(question, default=default, show_default=bool(default))
        try:
            return read(written.strip())
        except ValueError as error:
            console.note(str(error))


def _command(written: str) -> list[str]:
    try:
        return shlex.split(written)
    except ValueError as error:
        raise ValueError(f"{error}: close every quote") from None


def _metric(written: str) -> str:
    _check(["x=0.0..1.0"], written)
    return written


def _check(params: Sequence[str], metric: str = "loss") -> None:
    """Validate parameters and the metric as they will stand in the file.

    Raises:
        ValueError: something is; the message says all of it.
    """
    from ..api.documents import parse

    command = ["run", *(f"{{{_name(each)}}}" for each in params)]
    try:
        parse(document(Wanted(params=params, command=command, minimize=metric, name="it")))
    except Invalid as error:
        raise ValueError(str(error)) from None


def _name(param: str) -> str:
    return param.partition("=")[0]
