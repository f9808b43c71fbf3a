"""`tunewright plugin test`."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from . import console
from .options import early_stopping_option
from .plugin import is_address

if TYPE_CHECKING:
    from ..suggestion.plugin.conformance import Finding, Report
    from ..suggestion.plugin.question import Question


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="NAME | ADDRESS | -- COMMAND...")
@click.option("--algorithm", help="The name of the algorithm or rule, if a service has several.")
@early_stopping_option("Test an early-stopping rule.")
@click.option(
    "--setting", "settings", multiple=True, metavar="NAME=VALUE", help="A setting of the rule."
)
def plugin_test(
    words: tuple[str, ...],
    algorithm: str | None,
    *,
    early_stopping: bool,
    settings: tuple[str, ...],
) -> int:
    """Run the conformance suite against an installed algorithm, or against a service.

    With a COMMAND, in which `{port}` is replaced by the port, restarts are tested too. A violated
    rule is shown with the smallest history that violates it. An early-stopping rule gets losses
    between 0 and 1, of which those above a half are bad; its --setting must suit them.

    \b
    Examples:
      tunewright plugin test my-algorithm
      tunewright plugin test localhost:6789 --algorithm mine
      tunewright plugin test -- python my_service.py --port {port}
      tunewright plugin test my-rule --early-stopping --setting start_step=2
      tunewright plugin test localhost:6789 --early-stopping --algorithm my-rule
    """
    from ..suggestion.plugin.conformance import Ruling

    if early_stopping:
        name, report = _rule_examined(words, algorithm, settings)
    else:
        name, report = _examined(words, algorithm)
    console.table(
        ["rule", "verdict", "took"],
        [[f.rule, f.verdict, console.duration(f.seconds)] for f in report.findings],
    )
    _explain(report.broken)
    if report.left_out:
        rules = ", ".join(report.left_out)
        console.note(f"not run: {rules}; `plugin test -- COMMAND` restarts it and runs them")
    click.echo(f"{name} is {report.ruling}.")
    return 1 if report.ruling is Ruling.BROKEN else 0


def _examined(words: Sequence[str], algorithm: str | None) -> tuple[str, "Report"]:
    from ..api.errors import Fault, Invalid
    from ..suggestion import registry
    from ..suggestion.plugin.conformance import run, run_here

    word, name = words[0], algorithm or "random"
    if len(words) > 1:
        return name, run(None, words, algorithm=name)
    if is_address(word):
        return name, run(word, algorithm=name)
    if word in registry.names():
        return word, run_here(word)
    remedy = "an address is HOST:PORT; a command comes after --; `tunewright algorithms` lists"
    raise Invalid(
        [Fault("NAME", f"{word} is neither an address nor an algorithm", f"{remedy} the names")]
    )


def _rule_examined(
    words: Sequence[str], rule: str | None, settings: Sequence[str]
) -> tuple[str, "Report"]:
    from ..api.errors import Fault, Invalid
    from ..suggestion.plugin.stopping_contract import at, examine_rule, here

    if len(words) > 1:
        raise Invalid(
            [
                Fault(
                    "NAME",
                    "a rule cannot be tested by a command",
                    "name it, or its service's address",
                )
            ]
        )
    given = {name: value for name, _, value in (text.partition("=") for text in settings)}
    if ":" not in words[0]:
        return words[0], examine_rule(here(words[0], given or None))
    name = rule or "medianstop"
    return name, examine_rule(at(words[0], name, given or None))


def _explain(broken: Sequence["Finding"]) -> None:
    """Say how each rule is broken, and by what; a history is written once."""
    written: set[tuple[str, ...]] = set()
    for finding in broken:
        click.echo(f"{finding.rule}: {finding.complaint}")
        question = finding.complaint.question if finding.complaint else None
        lines = () if question is None else tuple(_shown(question))
        for line in ("  shown as above",) if lines and lines in written else lines:
            click.echo(line)
        written.add(lines)


def _shown(question: "Question") -> Iterator[str]:
    """Write a question's history, a trial a line."""
    from ..api.history import Finished

    points = f"{question.count} point{'' if question.count == 1 else 's'}"
    if not question.points:
        yield f"  shown by asking for {points} before any trial"
        return
    ends = {entry.index: entry for entry in question.entries if isinstance(entry, Finished)}
    yield f"  shown by asking for {points} after this history, the smallest that shows it:"
    for index, point in enumerate(question.points):
        end = ends.get(index)
        value = "" if end is None or end.value is None else f" {console.number(end.value)}"
        state = "pending" if end is None else f"{end.verdict}{value}"
        yield f"  {index}: {console.exact_point(point.items())}  {state}"
