"""`tunewright suggest`."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from ..api.words import counted
from ..sdk.sources.where import Where
from . import console
from .options import name_argument, output_option, where_options

if TYPE_CHECKING:
    from ..api.history import Entry, Suggestion
    from ..api.problem import Problem
    from ..controller.reading import Records

_PAGE = 5000


@dataclass(frozen=True)
class _Asked:
    """A question to an algorithm, and its answer."""

    problem: "Problem"
    entries: tuple["Entry", ...]
    first_index: int
    count: int
    suggestion: "Suggestion"
    seconds: float


@click.command()
@name_argument
@click.option(
    "--algorithm",
    metavar="NAME|[NAME=]ADDRESS",
    help="The algorithm to ask.  [default: the experiment's own]",
)
@click.option("--count", type=click.IntRange(1), default=1, show_default=True, help="Points.")
@click.option(
    "--before",
    type=click.IntRange(0),
    metavar="TRIAL",
    help="Use the history from which this trial was made.  [default: all of it]",
)
@click.option("--timeout", type=float, default=60.0, show_default=True, help="Seconds to wait.")
@output_option
@where_options
def suggest(
    name: str,
    algorithm: str | None,
    count: int,
    before: int | None,
    timeout: float,
    output: str,
    where: Where,
) -> None:
    """Ask an algorithm what it would try next in an experiment, and change nothing.

    The algorithm gets the experiment's whole history. The command shows the request and the
    answer; with -o json, as in tunewright.v1.

    \b
    Examples:
      tunewright suggest digits
      tunewright suggest digits --algorithm localhost:6789 --count 5
      tunewright suggest digits --algorithm tpe --before 12
    """
    from ..api.compile import problem
    from ..api.experiment import Experiment
    from ..sdk.names import find_experiment

    with where.opened() as source:
        record = find_experiment(source.records, name, source.namespace)
        own = problem(Experiment.read(record.document), uid=record.uid, seed=record.seed)
        entries = _entries(source.records, record.uid)
    asked = _ask(_told(own, algorithm), _until(entries, before, name), count, timeout)
    console.emit(_wire(asked), output, lambda: _show(asked))


def _entries(records: "Records", uid: str) -> tuple["Entry", ...]:
    found: list[Entry] = []
    while page := records.history(uid, len(found), _PAGE):
        found += page
    return tuple(found)


def _told(own: "Problem", algorithm: str | None) -> "Problem":
    """Return the problem for the named algorithm; the file's settings are for the file's own."""
    if algorithm is None:
        return own
    named, _, address = algorithm.rpartition("=")
    is_address = bool(named) or ":" in algorithm
    name = named or (own.algorithm if is_address else algorithm)
    settings = own.settings if name == own.algorithm else {}
    endpoint = (address or algorithm) if is_address else None
    return replace(own, algorithm=name, settings=settings, endpoint=endpoint)


def _until(entries: tuple["Entry", ...], before: int | None, name: str) -> tuple["Entry", ...]:
    """Return the log up to where a trial was made.

    Raises:
        NotFound: there is no such trial.
    """
    from ..api.errors import NotFound
    from ..api.history import Proposed

    if before is None:
        return entries
    for entry in entries:
        if isinstance(entry, Proposed) and entry.index == before:
            return entries[: entry.made_from]
    raise NotFound(f"{name} has no trial {before}")


def _ask(
    problem: "Problem", entries: tuple["Entry", ...], count: int, timeout_seconds: float
) -> _Asked:
    import asyncio
    import time

    from ..api.errors import Invalid
    from ..api.history import Proposed
    from ..suggestion import registry
    from ..suggestion.suggester import open_suggester

    faults = registry.validate_problem(problem)
    if faults:
        raise Invalid(faults)
    first = sum(isinstance(entry, Proposed) for entry in entries)

    async def ask() -> "Suggestion":
        suggester = open_suggester(
            problem, lambda after: entries[after : after + _PAGE], timeout=timeout_seconds
        )
        try:
            return await suggester.suggest(problem, first, count, position=len(entries))
        finally:
            await suggester.close()

    begun = time.monotonic()
    suggestion = asyncio.run(ask())
    return _Asked(problem, entries, first, count, suggestion, time.monotonic() - begun)


def _wire(asked: _Asked) -> dict[str, Any]:
    from google.protobuf.json_format import MessageToDict

    from ..proto import convert

    request = convert.suggest_request(
        asked.problem, 0, asked.entries, asked.first_index, asked.count
    )
    reply = convert.suggestion_to_wire(asked.suggestion, len(asked.entries))
    return {
        "request": MessageToDict(request),
        "reply": MessageToDict(reply),
        "seconds": asked.seconds,
    }


def _show(asked: _Asked) -> None:
    from ..api.history import Finished

    verdicts = [entry.verdict for entry in asked.entries if isinstance(entry, Finished)]
    told = ", ".join(f"{verdicts.count(each)} {each}" for each in dict.fromkeys(verdicts))
    console.fields(
        [
            ("experiment", asked.problem.experiment),
            ("algorithm", asked.problem.algorithm),
            ("at", asked.problem.endpoint),
            ("settings", " ".join(f"{k}={v}" for k, v in asked.problem.settings.items())),
            ("history", f"{counted(asked.first_index, 'trial')}{f': {told}' if told else ''}"),
            ("asked for", asked.count),
            ("took", console.duration(asked.seconds)),
            ("then", asked.suggestion.state),
            ("note", asked.suggestion.note),
        ]
    )
    if not asked.suggestion.proposals:
        return
    console.heading("Points")
    console.table(
        ["trial", "point", "why", "continues"],
        [
            [index, console.exact_point(each.point.items()), each.reason, each.parent]
            for index, each in enumerate(asked.suggestion.proposals, asked.first_index)
        ],
    )
