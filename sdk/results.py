"""What a client returns of whole experiments, read from what `shapes` writes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, SupportsFloat

from ..api.errors import MissingExtra
from .values import Point, Sample, Trial

if TYPE_CHECKING:
    from .client import Client
    from .plots import Plots


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment at a moment. `data` is everything that `-o json` shows."""

    name: str
    namespace: str
    state: str
    reason: str
    message: str
    best: Trial | None
    data: Mapping[str, Any] = field(repr=False, compare=False, default_factory=dict)
    client: "Client | None" = field(repr=False, compare=False, default=None)

    @classmethod
    def read(cls, data: Mapping[str, Any], client: "Client | None" = None) -> "Experiment":
        return cls(
            name=data["name"],
            namespace=data["namespace"],
            state=data["state"],
            reason=data["reason"],
            message=data["message"],
            best=Trial.read(data["best"]) if data.get("best") else None,
            data=data,
            client=client,
        )

    def ask(self, *, timeout: float | None = None) -> Point | None:
        """Return a point to try, or None when the experiment is over: `Client.ask`."""
        return self._client.ask(self._name, timeout=timeout)

    def tell(
        self,
        point: Point,
        metrics: Mapping[str, SupportsFloat] | None = None,
        /,
        *,
        failed: str | None = None,
        **more: SupportsFloat,
    ) -> bool:
        """Tell what came of a point: `Client.tell`."""
        return self._client.tell(self._name, point, metrics, failed=failed, **more)

    def samples(self, trial: int, metric: str) -> Sequence[Sample]:
        """Return every value of a metric that a trial reported: `Client.metrics`."""
        return self._client.metrics(self._name, trial, metric=metric)

    @property
    def _name(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def _client(self) -> "Client":
        if self.client is None:
            raise ValueError(f"{self.name} came from no client")
        return self.client

    @property
    def is_finished(self) -> bool:
        return self.state in {"Succeeded", "Failed"}


@dataclass(frozen=True, slots=True)
class Result:
    """What `tune` found."""

    experiment: Experiment
    trials: Sequence[Trial] = field(repr=False)

    @property
    def best(self) -> Trial:
        """The best trial.

        Raises:
            LookupError: no trial reported the objective.
        """
        if self.experiment.best is None:
            told = [_why_not_the_best(each) for each in self.trials[:1]]
            why = "; ".join([self.experiment.message, *told])
            raise LookupError(f"{self.experiment.name} has no best trial: {why}")
        return self.experiment.best

    @property
    def plot(self) -> "Plots":
        """Plots of the trials by matplotlib: `history`, `parallel`, `importance`, `slice`, ….

        >>> from tunewright import search, tune
        >>> def loss(x: float) -> float:
        ...     return x**2
        >>> result = tune(loss, {"x": search.double(-5, 5)}, trials=3, quiet=True)
        >>> result.plot.history().savefig("history.png")

        Raises:
            MissingExtra: matplotlib is not installed: `pip install 'tunewright[plots]'`.
        """
        from .findings import Findings
        from .plots import Plots

        experiment = self.experiment
        return Plots(Findings(experiment.data["document"], self.trials), experiment.samples)

    def importance(self, metric: str | None = None) -> Mapping[str, float]:
        """Return how much each parameter matters, the greatest first.

        It is the share of the variance of the value's rank that the parameter explains by
        itself, as the page shows it; with few trials it is mostly chance. `metric` names one
        of several objectives.

        Raises:
            ValueError: it is no objective.
        """
        from .findings import Findings

        found = Findings(self.experiment.data["document"], self.trials)
        return found.importance(found.named(metric))

    def to_frame(self) -> Any:
        """Return a pandas data frame, a row a trial: state, value, parameters and metrics.

        A parameter that is itself called state or value stands as `param.state`, `param.value`.

        Raises:
            MissingExtra: pandas is not installed: `pip install 'tunewright[frame]'`.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingExtra("to_frame()", "frame") from error
        rows = (
            {
                "state": trial.state,
                "value": trial.value,
                **{_column(name): value for name, value in trial.parameters.items()},
                **{f"metric.{name}": value for name, value in trial.metrics.items()},
            }
            for trial in self.trials
        )
        return pd.DataFrame(rows, index=[trial.index for trial in self.trials])


def _why_not_the_best(trial: Trial) -> str:
    """Say why a trial is not the best although no other is."""
    if trial.value is not None and math.isnan(trial.value):
        return f"the value of trial {trial.index} is {trial.value!s}, which is never the best"
    return str(trial.data["message"])


def _column(parameter: str) -> str:
    return f"param.{parameter}" if parameter in {"state", "value"} else parameter
