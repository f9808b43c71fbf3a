"""`tunewright completion`."""

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell; names of experiments are completed too.

    \b
    Examples:
      eval "$(tunewright completion bash)"                 # in ~/.bashrc
      eval "$(tunewright completion zsh)"                  # in ~/.zshrc
      tunewright completion fish > ~/.config/fish/completions/tunewright.fish
    """
    from click.shell_completion import get_completion_class

    from .main import cli

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "tunewright", "_TUNEWRIGHT_COMPLETE").source())
