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
    from importlib import import_module

    conformance = import_module("..suggestion.plugin.conformance", __package__)

    return int(conformance.main(words, algorithm=algorithm, write=click.echo))
