"""What the command line says about itself."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from tunewright.cli.main import COMMANDS, cli

REPOSITORY = Path(__file__).parents[2]
HEAVY = ["pydantic", "sqlalchemy", "grpc", "rich", "yaml", "numpy", "asyncio"]


def commands():
    """Yield every command with the words that call it."""
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        yield (name,), command
        if isinstance(command, click.Group):
            for below in command.list_commands(context):
                yield (name, below), command.get_command(context, below)


@pytest.mark.parametrize(
    ("words", "command"), [pytest.param(w, c, id=" ".join(w)) for w, c in commands()]
)
def test_every_command_shows_examples_in_its_help(words, command):
    help_text = command.help or ""

    assert "Examples:" in help_text
    assert f"tunewright {words[0]}" in help_text


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_in_the_list_of_commands_is_a_sentence(name):
    line = COMMANDS[name][1]

    assert line[0].isupper()
    assert line.endswith(".")


def test_a_command_offers_no_option_that_means_nothing_to_it():
    options = {
        name: {word for each in command.params for word in each.opts}
        for (name, *_), command in commands()
    }
    assert "--fsync" in options["resume"]
    assert "--fsync" not in options["try"]  # what it stores is thrown away


def test_the_help_of_prune_speaks_of_no_cluster_for_it_clears_this_machine():
    (prune,) = (command for words, command in commands() if words == ("prune",))
    told = click.Context(prune).get_help()
    assert "--namespace" in told
    assert "cluster" not in told


def test_help_lists_every_command_and_imports_nothing_heavy(tunewright):
    code = (
        "import sys\n"
        "from tunewright.cli.main import main\n"
        "sys.argv = ['tunewright', '--help']\n"
        "try:\n    main()\n"
        "except SystemExit: pass\n"
        f"print('LOADED', [m for m in {HEAVY} if m in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        env=tunewright.environ,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "LOADED []" in done.stdout
    assert all(f"  {name} " in done.stdout for name in COMMANDS)


def test_every_command_is_on_its_page():
    page = (REPOSITORY / "docs" / "cli.md").read_text()

    missing = [
        " ".join(words) for words, _ in commands() if f"tunewright {' '.join(words)}" not in page
    ]
    assert missing == []


def test_a_command_that_is_spelled_wrong_is_answered_with_the_right_one(tunewright):
    result = tunewright("algoritms")

    assert result.code == 2
    assert "Did you mean algorithms?" in result.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(tunewright, shell):
    result = tunewright("completion", shell)

    assert result.code == 0
    assert "_TUNEWRIGHT_COMPLETE" in result.out
