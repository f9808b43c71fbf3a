"""`Client`: experiments from Python, on this machine or on a cluster, with the same verbs.

A verb is the command of that name (`tunewright get`, `tunewright pause`, …) with
`-o json`: what a script sees and what a person sees is one thing. An experiment
on this machine is driven by an engine of its own, which outlives the client.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..api.errors import Codes, Terminal
from .results import Experiment, Trial

_BEGUN = re.compile(
    r"^(?P<name>\S+) (runs in the background|is created|is there already)", re.MULTILINE
)
_COMMAND = (sys.executable, "-m", "tunewright")


@contextmanager
def written(document: Mapping[str, Any]) -> Iterator[Path]:
    """Have a document as a file for the time of a block."""
    with tempfile.TemporaryDirectory(prefix="tunewright-") as folder:
        path = Path(folder) / "experiment.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        yield path


class CommandFailed(Terminal):
    """A command was refused or failed; the text is what it said."""

    codes = Codes(exit=1, http=500, grpc="INTERNAL")


class Client:
    """Experiments of a store on this machine or, with `cluster`, of a cluster.

    `store` is a file or a database's URL, by default the one that the command line
    uses. `cluster` is True for the current context of the kubeconfig, or the name
    of a context; `kubeconfig` names another file.
    """

    def __init__(
        self,
        *,
        store: str | os.PathLike[str] | None = None,
        cluster: bool | str = False,
        kubeconfig: str | os.PathLike[str] | None = None,
        namespace: str | None = None,
    ) -> None:
        if store is not None and cluster:
            raise ValueError("a cluster has no store: name one of them")
        where = [] if store is None else ["--store", os.fspath(store)]
        if cluster:
            where += ["--cluster", *(["--context", cluster] if isinstance(cluster, str) else [])]
        if kubeconfig is not None:
            where += ["--kubeconfig", os.fspath(kubeconfig)]
        if namespace is not None:
            where += ["--namespace", namespace]
        self.is_cluster = bool(cluster)
        self._where = where

    # Beginning.

    def create(
        self,
        experiment: Mapping[str, Any] | str | os.PathLike[str],
        *,
        workdir: str | os.PathLike[str] | None = None,
    ) -> Experiment:
        """Begin an experiment, given as a document or a file's path, and return at once.

        `workdir` is where trials of this machine start, by default the current directory.

        Raises:
            CommandFailed: it is refused; the message names every fault.
        """
        if not isinstance(experiment, Mapping):
            return self._create(Path(experiment), workdir)
        with written(experiment) as path:
            return self._create(path, workdir)

    def _create(self, path: Path, workdir: str | os.PathLike[str] | None) -> Experiment:
        where = [] if workdir is None or self.is_cluster else ["--workdir", os.fspath(workdir)]
        said = self._ran("run", str(path), "--detach", *where).stderr
        begun = _BEGUN.search(said)
        if begun is None:
            raise CommandFailed(said.strip())
        return self.experiment(begun["name"])

    # Looking.

    def experiments(self) -> Sequence[Experiment]:
        return [Experiment.read(each) for each in self._read("get")]

    def experiment(self, name: str) -> Experiment:
        """Return an experiment as it is now.

        Raises:
            CommandFailed: there is none of that name.
        """
        return Experiment.read(self._read("describe", name))

    def trials(self, name: str) -> Sequence[Trial]:
        return [Trial.read(each) for each in self._read("trials", "list", name)]

    def trial(self, name: str, trial: int | str) -> Trial:
        """Return a trial by its index, its name, `best` or `last`."""
        return Trial.read(self._read("describe", name, str(trial)))

    def best(self, name: str) -> Trial:
        """Return the best trial.

        Raises:
            CommandFailed: nothing was observed yet.
        """
        return Trial.read(self._read("best", name))

    def logs(self, name: str, trial: int | str = "best") -> str:
        """Return what a trial printed."""
        return self._run("logs", name, str(trial))

    def explain(self, name: str) -> str:
        """Say why the experiment is where it is."""
        return self._run("explain", name).strip()

    # Changing.

    def wait(self, name: str, *, timeout: float | None = None) -> Experiment:
        """Wait until an experiment has ended, however it did.

        Raises:
            TimeoutError: it did not within so many seconds.
        """
        limit = [] if timeout is None else ["--timeout", f"{timeout:g}s"]
        try:
            self._run("wait", name, "--for", "finished", *limit)
        except CommandFailed:
            found = self.experiment(name)
            if not found.is_finished:
                raise TimeoutError(f"{name} is {found.state} after {timeout:g} s") from None
            return found
        return self.experiment(name)

    def pause(self, name: str, *, now: bool = False) -> None:
        """Start no more trials; `now` stops those that run, too."""
        self._run("pause", name, *(["--now"] if now else []))

    def resume(self, name: str) -> None:
        """Go on with what was paused or interrupted."""
        self._run("resume", name, "--detach")

    def stop(self, name: str) -> None:
        """End it, and keep what it found."""
        self._run("stop", name)

    def delete(self, name: str) -> None:
        """Remove it with all it recorded."""
        self._run("delete", name, "--yes")

    def edit(
        self,
        name: str,
        *,
        max_trials: int | None = None,
        parallel: int | None = None,
        max_failed: int | None = None,
    ) -> None:
        """Change its budget."""
        given = {"--trials": max_trials, "--parallel": parallel, "--max-failed": max_failed}
        self._run(
            "edit", name, *(str(w) for k, v in given.items() if v is not None for w in (k, v))
        )

    def run(self, path: Path, *options: str, quiet: bool = False) -> int:
        """Drive a file's experiment to its end here, shown in this terminal; return the exit code.

        Raises:
            CommandFailed: it is refused.
        """
        done = subprocess.run(
            [*_COMMAND, "run", str(path), *options, *self._where],
            stdout=subprocess.DEVNULL if quiet else None,
            stderr=subprocess.PIPE if quiet else None,
            text=True,
            check=False,
        )
        if done.returncode not in {0, 1}:
            raise CommandFailed(
                (done.stderr or "").strip().removeprefix("error: ") or "it was interrupted"
            )
        return done.returncode

    def _read(self, *words: str) -> Any:
        return json.loads(self._run(*words, "--output", "json"))

    def _run(self, *words: str) -> str:
        return self._ran(*words).stdout

    def _ran(self, *words: str) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [*_COMMAND, *words, *self._where],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = done.stderr.strip().removeprefix("error: ")
            raise CommandFailed(said or f"`tunewright {words[0]}` ended with {done.returncode}")
        return done
