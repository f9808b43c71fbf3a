"""`Client`: experiments from Python, wherever they are, with the same verbs."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, SupportsFloat

from ..api.asked import Answer
from ..api.space import Value
from ..api.states import TrialState
from .document_file import written
from .plain import native
from .report import values_of
from .results import Experiment, Result
from .values import Point, Sample, Trial
from .verbs import Pauses, Shape, Verbs


class Client:
    """Experiments of a store on this machine, of a cluster or of a server.

    `store` is a file or a database's URL, by default the one that the command line
    uses. `cluster` is True for the current context of the kubeconfig, or the name
    of a context; `kubeconfig` names another file. `server` is the address of another
    machine's `tunewright ui`, `token` the one that it prints.

    >>> from tunewright import search
    >>> experiment = Client().create({
    ...     "apiVersion": "kubeflow.org/v1beta1",
    ...     "kind": "Experiment",
    ...     "metadata": {"name": "kettle"},
    ...     "spec": {
    ...         "objective": {"type": "minimize", "objectiveMetricName": "seconds"},
    ...         "maxTrialCount": 3,
    ...         "askTell": {},
    ...         **search.parameters({"power": search.double(1000, 3000)}),
    ...     },
    ... })
    >>> while (point := experiment.ask()) is not None:
    ...     experiment.tell(point, seconds=400_000 / point.parameters["power"])
    True
    True
    True
    >>> Client().experiment("kettle").state
    'Succeeded'

    What is refused raises the error that says why, wherever they are: `NotFound`,
    `Conflict`, `Invalid` with its `faults`, and the others of `tunewright.api.errors`.
    """

    def __init__(
        self,
        *,
        store: str | os.PathLike[str] | None = None,
        cluster: bool | str = False,
        kubeconfig: str | os.PathLike[str] | None = None,
        server: str | None = None,
        token: str | None = None,
        namespace: str | None = None,
    ) -> None:
        self.is_cluster = bool(cluster) or kubeconfig is not None
        self.is_remote = server is not None
        self.namespace = namespace
        self.store = None if store is None else os.fspath(store)
        if (store is not None) + self.is_cluster + self.is_remote > 1:
            raise ValueError("experiments are in a store, on a cluster or on a server: name one")
        if self.is_remote != (token is not None):
            raise ValueError("server and token belong together: `tunewright ui` prints both")
        self._verbs: Verbs
        if server is not None:
            from .remote import Remote

            self._verbs = Remote(server, str(token), namespace)
        else:
            from .direct import Direct

            self._verbs = Direct(
                store=self.store,
                is_cluster=self.is_cluster,
                context=cluster if isinstance(cluster, str) else None,
                kubeconfig=None if kubeconfig is None else os.fspath(kubeconfig),
                namespace=namespace,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End what asking for points keeps open; a later call opens it again."""
        self._verbs.close()

    # Beginning.

    def create(
        self,
        experiment: Mapping[str, Any] | str | os.PathLike[str],
        *,
        workdir: str | os.PathLike[str] | None = None,
    ) -> Experiment:
        """Begin an experiment, given as a document or a file's path, and return at once.

        `workdir` is where trials of this machine, or of the server, start: by default the
        current directory. One with `spec.askTell` waits for `ask`; another is run by an engine
        of its own, where the store is, or by the cluster's operator.

        Raises:
            Invalid: the document is wrong; `faults` lists everything that is.
            Conflict: another spec has the name; the message shows the difference.
            Unsupported: it cannot run here; the message says where it can.
        """
        place = None if workdir is None else os.fspath(workdir)
        if not isinstance(experiment, Mapping):
            return self.experiment(self._verbs.create(Path(experiment), place))
        with written(experiment) as path:
            return self.experiment(self._verbs.create(path, place))

    def run(self, path: Path, *, look: Callable[[], None] | None = None) -> int:
        """Drive a file's experiment to its end, shown in this terminal or to `look`.

        Returns 0, or 1 when it failed. It raises what `create` raises.
        """
        return self._verbs.run(path, look)

    # Looking.

    def experiments(self) -> Sequence[Experiment]:
        """Return all, of the client's namespace if it has one, newest first."""
        return [self._read(each) for each in self._verbs.experiments()]

    def experiment(self, name: str) -> Experiment:
        """Return an experiment as it is now.

        Raises:
            NotFound: there is none of that name.
        """
        return self._read(self._verbs.experiment(name))

    def trials(self, name: str, *, state: str | None = None) -> Sequence[Trial]:
        """Return its trials by index, those in one `state` alone if it is named.

        Raises:
            ValueError: there is no such state.
        """
        if state is not None and state not in [*TrialState]:
            raise ValueError(f"state {state!r} is none: name one of {', '.join(TrialState)}")
        return [Trial.read(each) for each in self._verbs.trials(name, state)]

    def trial(self, name: str, trial: int | str) -> Trial:
        """Return a trial by its index, its name, `best` or `last`.

        Raises:
            NotFound: there is no such trial.
        """
        return Trial.read(self._verbs.trial(name, str(trial)))

    def best(self, name: str) -> Trial:
        """Return the best trial.

        Raises:
            NotFound: nothing was observed yet.
        """
        return self.trial(name, "best")

    def result(self, name: str) -> Result:
        """Return an experiment with its trials, for plots and tables, as `tune` does.

        Raises:
            NotFound: there is none of that name.
        """
        return Result(self.experiment(name), self.trials(name))

    def metrics(
        self, name: str, trial: int | str = "best", *, metric: str | None = None
    ) -> Sequence[Sample]:
        """Return every value that a trial's last attempt reported, in order.

        Raises:
            NotFound: there is no such trial, or it has reported other metrics only.
            Unsupported: a cluster keeps them in its metrics service, which is not reached.
        """
        return self._verbs.samples(name, str(trial), metric)

    def logs(self, name: str, trial: int | str = "best") -> str:
        """Return what a trial has printed.

        Raises:
            NotFound: it printed nothing, or nothing is left of it.
        """
        return "".join(self._verbs.log(name, str(trial), follow=False))

    def follow_logs(self, name: str, trial: int | str = "last") -> Iterator[str]:
        """Yield what a trial prints until it has ended."""
        return self._verbs.log(name, str(trial), follow=True)

    def events(self, name: str) -> Sequence[Mapping[str, Any]]:
        """Return what happened, oldest first: `at`, `kind`, `reason`, `message`, `trial`."""
        return self._verbs.events(name)

    def explain(self, name: str) -> str:
        """Say why the experiment is where it is."""
        return "\n".join(self._verbs.explain(name))

    def wait(self, name: str, *, timeout: float | None = None) -> Experiment:
        """Wait until an experiment has ended, however it did.

        Raises:
            TimeoutError: it did not within so many seconds.
        """
        return self._read(self._verbs.wait(name, timeout))

    def _read(self, shape: Shape) -> Experiment:
        return Experiment.read(shape, self)

    # Changing.

    def pause(self, name: str, *, now: bool = False) -> None:
        """Start no more trials; `now` stops those that run, too."""
        self._verbs.pause(name, now=now)

    def resume(self, name: str) -> None:
        """Go on with what was paused, interrupted or stopped, or whose budget was raised.

        Raises:
            Conflict: it stays ended; the message says why.
        """
        self._verbs.resume(name)

    def stop(self, name: str) -> None:
        """End it, and keep what it found."""
        self._verbs.stop(name)

    def delete(self, name: str) -> None:
        """Remove it with all that it recorded.

        Raises:
            Conflict: it is running.
        """
        self._verbs.delete(name)

    def edit(
        self,
        name: str,
        *,
        max_trials: int | None = None,
        parallel: int | None = None,
        max_failed: int | None = None,
        max_duration: str | None = None,
        retries: int | None = None,
        no_improvement: int | None = None,
        goal: float | Literal["none"] | None = None,
        labels: Mapping[str, str | None] | None = None,
        note: str | None = None,
    ) -> None:
        """Change its budget, its labels (None takes one away) and its note.

        A larger budget of one that has ended is used once `resume` has it go on; a cluster's
        operator needs no such word.

        `max_duration` is as `spec.maxDuration` ("90s", "1h30m"); `no_improvement` ends it after
        so many trials without a better one; the `goal` "none" takes it away.

        Raises:
            Invalid: it cannot be so.
            ValueError: there is nothing to change.
        """
        from ..controller.edits import GOAL, LABELS, NOTE, asked
        from .flags import counts

        given = {
            **counts(max_trials, parallel, max_failed),
            "maxDuration": max_duration,
            "trialPolicy.retries": retries,
            "stopWhen.noImprovement.trials": no_improvement,
            GOAL: goal,
            LABELS: labels or None,
            NOTE: note,
        }
        changes = {path: native(value) for path, value in asked(given).items()}
        if not changes:
            raise ValueError("there is nothing to change: name max_trials, parallel, …")
        self._verbs.edit(name, changes)

    def stop_trial(self, name: str, trial: int | str) -> None:
        """End a trial that runs; it ends as Killed, and counts.

        Raises:
            Conflict: it has ended already.
        """
        self._verbs.change_trial(name, str(trial), "stop")

    def retry_trial(self, name: str, trial: int | str) -> None:
        """Run a trial again: one that runs as its next attempt, another as a new trial.

        Raises:
            Conflict: the experiment has ended: its budget is to be raised first.
        """
        self._verbs.change_trial(name, str(trial), "retry")

    def drop_trial(self, name: str, trial: int | str) -> None:
        """Take a trial out of the best, the search and the plots; its record stays."""
        self._verbs.change_trial(name, str(trial), "drop")

    def add_trial(self, name: str, parameters: Mapping[str, Value]) -> None:
        """Add a trial with a point of your own: a value of every parameter.

        Raises:
            Invalid: it is no point of the search space.
            Conflict: the experiment has ended: its budget is to be raised first.
        """
        self._verbs.add_trial(name, parameters)

    # Trials that people run themselves.

    def ask(self, name: str, *, timeout: float | None = None) -> Point | None:
        """Return a point to try, or None when the experiment is over.

        It waits while there is none: while the experiment is paused, or until others have
        told what the algorithm has to know. Whoever does not tell within `spec.askTell`'s
        lease loses the point to another.

        Raises:
            TimeoutError: there was none within so many seconds; the message says why.
            Unsupported: the experiment runs its trials itself.
        """
        pauses = Pauses(name, timeout)
        while True:
            answer = self.answer(name)
            if answer.point is not None or answer.over:
                return answer.point
            time.sleep(pauses.after(answer))

    def answer(self, name: str) -> Answer:
        """Ask once, without waiting: a point, or why there is none now."""
        return self._verbs.answer(name)

    def tell(
        self,
        name: str,
        point: Point,
        metrics: Mapping[str, SupportsFloat] | None = None,
        /,
        *,
        failed: str | None = None,
        **more: SupportsFloat,
    ) -> bool:
        """Tell what came of a point: its metrics, or why it `failed`.

        Returns whether it counts: it does not when the lease was over and another was given
        the point, or when the experiment has ended meanwhile.

        Raises:
            Invalid: the objective is not among the metrics.
            TypeError: that is no point: `ask` gave None, for the experiment is over.
            ValueError: a value is no number.
        """
        if not isinstance(point, Point):
            raise TypeError(f"{point!r} is no point: ask() returns None once all is over")
        return self.told(name, point.index, point.token, values_of(metrics, more), failed)

    def told(
        self,
        name: str,
        index: int,
        token: str,
        values: Mapping[str, float],
        failed: str | None = None,
    ) -> bool:
        """Take what came of a point that is known by its trial's index and its token."""
        return self._verbs.told(name, index, token, values, failed)
