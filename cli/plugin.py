"""`tunewright plugin`: for who writes an algorithm."""

import click


@click.group()
def plugin() -> None:
    """Test an algorithm of your own.

    \b
    Examples:
      tunewright plugin test localhost:6789
      tunewright plugin test -- python my_service.py --port {port}
    """


@plugin.command("test")
@click.argument("words", nargs=-1, required=True, metavar="ADDRESS | -- COMMAND...")
@click.option("--algorithm", help="The name to ask for, where a service has several.")
def plugin_test(words: tuple[str, ...], algorithm: str | None) -> int:
    """Run the conformance suite against a service, or against a command that starts one.

    With a COMMAND, where `{port}` stands for the port, restarts are tested too.

    \b
    Examples:
      tunewright plugin test localhost:6789 --algorithm mine
      tunewright plugin test -- python my_service.py --port {port}
    """
    from ..api.errors import Fault, Invalid
    from ..suggestion.plugin.conformance import Ruling, run
    from . import console

    name = algorithm or "random"
    is_address = len(words) == 1 and ":" in words[0] and "/" not in words[0]
    if len(words) == 1 and not is_address:
        remedy = "an address is HOST:PORT; a command stands behind --"
        raise Invalid([Fault("ADDRESS", f"{words[0]} is no address", remedy)])
    report = run(words[0], algorithm=name) if is_address else run(None, words, algorithm=name)
    console.table(
        ["rule", "verdict", "took"],
        [[f.rule, f.verdict, console.duration(f.seconds)] for f in report.findings],
    )
    for finding in report.broken:
        click.echo(f"{finding.rule}: {finding.complaint}")
    if report.left_out:
        rules = ", ".join(report.left_out)
        console.note(f"not run: {rules}; `plugin test -- COMMAND` restarts it and runs them")
    click.echo(f"{name} is {report.ruling}.")
    return 1 if report.ruling is Ruling.BROKEN else 0
