"""What `run`, `resume` and `try` are told about this machine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import click

from ..api.errors import Fault, Invalid

_Command = TypeVar("_Command", bound=Callable[..., Any])


def machine_options(command: _Command) -> _Command:
    """Add the options of one machine; `Machine(**kwargs)` takes them."""
    for option in reversed(
        [
            click.option(
                "--workdir",
                type=click.Path(),
                help="Directory in which trials start.  [default: where `run` was typed]",
            ),
            click.option(
                "--runtime",
                type=click.Choice(["process", "docker", "podman"]),
                default="process",
                help="What runs containers.",
            ),
            click.option(
                "--env-file",
                multiple=True,
                type=click.Path(),
                help="File of variables, one NAME=VALUE per line.",
            ),
            click.option(
                "--mount",
                "mounts",
                multiple=True,
                metavar="NAME=DIR",
                help="Directory for a claim or host path.",
            ),
            click.option(
                "--trials-per-gpu",
                type=click.IntRange(1),
                default=1,
                help="Number of trials that share a GPU.",
            ),
        ]
    ):
        command = option(command)
    return command


fsync_option = click.option("--fsync", is_flag=True, help="Also survive a power cut.")


@dataclass(frozen=True, slots=True)
class Machine:
    """The options of one machine, as they were typed."""

    workdir: str | None = None
    runtime: str = "process"
    env_file: Sequence[str] = ()
    mounts: Sequence[str] = ()
    trials_per_gpu: int = 1
    fsync: bool = False

    @property
    def directory(self) -> str:
        """Where trials start.

        Raises:
            Invalid: there is no such directory.
        """
        from ..sdk.machine import directory_of

        return directory_of(self.workdir, "--workdir")

    def refuse_elsewhere(self) -> None:
        """Refuse these options where trials run on a cluster.

        Raises:
            Invalid: with every option that is not at its default.
        """
        plain = Machine()
        stray = [
            each.name
            for each in fields(self)
            if getattr(self, each.name) != getattr(plain, each.name)
        ]
        if stray:
            message, remedy = "it concerns only this machine", "put it into the trial template"
            raise Invalid(
                Fault(f"--{name.removesuffix('s').replace('_', '-')}", message, remedy)
                for name in stray
            )

    def arguments(self) -> list[str]:
        """Return the options that tell another process the same."""
        words = ["--runtime", self.runtime, "--trials-per-gpu", str(self.trials_per_gpu)]
        for option, values in (
            ("--env-file", [str(Path(file).expanduser().absolute()) for file in self.env_file]),
            ("--mount", [f"{name}={folder}" for name, folder in self.directories().items()]),
        ):
            for value in values:
                words += [option, value]
        return words + (["--fsync"] if self.fsync else [])

    def variables(self) -> dict[str, str]:
        """Read the files of `--env-file`.

        Raises:
            Invalid: with every line that is no variable.
        """
        found: dict[str, str] = {}
        faults: list[Fault] = []
        for file in self.env_file:
            try:
                text = Path(file).expanduser().read_text(encoding="utf-8")
            except OSError as error:
                faults.append(Fault("--env-file", f"{file} cannot be read: {error.strerror}"))
                continue
            except UnicodeDecodeError:
                faults.append(Fault("--env-file", f"{file} is not UTF-8", "save it as UTF-8"))
                continue
            for line, written in enumerate(text.splitlines(), start=1):
                entry = written.strip().removeprefix("export ")
                name, equals, value = entry.partition("=")
                if not entry or entry.startswith("#"):
                    continue
                if not equals or not name.strip():
                    faults.append(
                        Fault("--env-file", "no variable", "write NAME=VALUE", line=line, file=file)
                    )
                    continue
                found[name.strip()] = _unquote(value.strip())
        if faults:
            raise Invalid(faults)
        return found

    def directories(self) -> dict[str, Path]:
        """Read `--mount`.

        Raises:
            Invalid: with every directory that is not there.
        """
        found = {
            name: Path(folder).expanduser().absolute()
            for name, folder in pairs(self.mounts, "--mount", "data=/srv/data").items()
        }
        wrong = [folder for folder in found.values() if not folder.is_dir()]
        if wrong:
            raise Invalid([Fault("--mount", f"{each} is not a directory") for each in wrong])
        return found


def with_files(files: Sequence[Path]) -> list[str]:
    """Return the options that tell another process where Secrets and ConfigMaps are.

    Raises:
        Invalid: they were piped in, which nobody can read again.
    """
    if Path("-") in files:
        raise Invalid([Fault("-", "Secrets that are piped in cannot be kept", "name a file")])
    return [word for file in files for word in ("--with", str(file.expanduser().absolute()))]


def _unquote(text: str) -> str:
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


def pairs(written: Sequence[str], option: str, example: str) -> dict[str, str]:
    wrong = [text for text in written if not all(text.partition("="))]
    if wrong:
        raise Invalid(
            [Fault(option, f"{text} is not NAME=VALUE", f"e.g. {example}") for text in wrong]
        )
    return dict(text.split("=", 1) for text in written)
