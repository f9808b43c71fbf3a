"""Pages of the reference that are made of the code, at every build."""

import inspect
from collections.abc import Iterator

import click
from tunewright.api import errors
from tunewright.cli.main import cli
from tunewright.controller.plan.reasons import BY_NAME

_REASONS = (
    "Why an experiment or a trial is in its state: the `reason` of its conditions and events, the"
    " message (`{}` stands for details that are known only at run time), and what you can do."
)
_ERRORS = (
    "The errors of the commands, the REST API and the services. *Retryable* means that the same"
    " call may succeed later. Each message names the field and says what would be right;"
    " [Troubleshooting](../troubleshooting.md) lists common ones."
)


def pages() -> dict[str, str]:
    """Return the generated pages by their path below docs/."""
    return {
        "reference/commands.md": _commands(),
        "reference/reasons.md": _reasons(),
        "reference/errors.md": _errors(),
    }


def _commands() -> str:
    head = "# Commands\n\nEvery command with its options, as `--help` shows them.\n"
    return "\n".join([head, *_sections(cli, "tunewright", None)])


def _sections(command: click.Command, name: str, above: click.Context | None) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=above, terminal_width=100)
    depth = len(context.command_path.split())
    yield f"{'#' * min(depth + 1, 4)} {context.command_path}\n"
    yield f"```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None
            yield from _sections(found, child, context)


def _reasons() -> str:
    lines = [
        "# Reasons and conditions",
        "",
        _REASONS,
        "",
        "| reason | message | what to do |",
        "|---|---|---|",
    ]
    lines += [
        f"| `{each.name}` | {_cell(each.message)} | {_cell(each.remedy)} |"
        for each in sorted(BY_NAME.values(), key=lambda each: each.name)
    ]
    return "\n".join(lines) + "\n"


def _errors() -> str:
    lines = [
        "# Errors",
        "",
        _ERRORS,
        "",
        "| error | it means | retryable | exit code | HTTP | gRPC |",
        "|---|---|---|---|---|---|",
    ]
    for name, kind in vars(errors).items():
        if not (inspect.isclass(kind) and issubclass(kind, errors.TunewrightError)):
            continue
        if kind.__subclasses__():
            continue
        meaning = (inspect.getdoc(kind) or "").splitlines()[0]
        again = "yes" if issubclass(kind, errors.Retryable) else "no"
        codes = kind.codes
        row = (f"`{name}`", _cell(meaning), again, codes.exit, codes.http, f"`{codes.grpc}`")
        lines.append(f"| {' | '.join(map(str, row))} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
