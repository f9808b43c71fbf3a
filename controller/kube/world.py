"""What an operator is made of, and what the drivers of all its experiments share."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from ...api.history import Entry
from ...api.problem import Problem
from ..plan.limits import NO_LIMITS, Limits
from ..ports import Clock, Suggester
from .archive import Archive
from .cache import Key
from .figures import Figures
from .informers import Informers
from .notices import Notices
from .pod_webhook import PodWebhook
from .port import Kube
from .workloads.collector import Settings

LimitsOf: TypeAlias = Callable[[str], Limits]
"""Says what a namespace is granted."""


class OpenSuggester(Protocol):
    """Makes what asks an experiment's algorithm; it is given how to read the log.

    `timeout` is seconds for one answer.
    """

    def __call__(
        self, problem: Problem, history: Callable[[int], Sequence[Entry]], /, *, timeout: float
    ) -> Suggester: ...


def unlimited(namespace: str) -> Limits:
    del namespace
    return NO_LIMITS


@dataclass(frozen=True, slots=True)
class Parts:
    """What an operator is made of: the cluster, the metrics service, the algorithms, and time.

    `clock` gives the times that are written, `steady` measures durations: nobody sets it.
    `settings` say what is put beside trials. `namespaces` holds None alone for all;
    `katib_configs` are those in which Katib's configuration may be, `template_namespaces`
    those whose trial templates all may use. `pod_webhook` is None where the API server is
    not to ask about pods. `impersonates`: trials' workloads are created as accounts of
    their namespaces.
    """

    kube: Kube
    archive: Archive
    open_suggester: OpenSuggester
    settings: Settings
    clock: Clock
    chance: Callable[[], float]
    steady: Callable[[], float] = time.monotonic
    namespaces: Sequence[str | None] = (None,)
    katib_configs: Sequence[str] = ()
    template_namespaces: Sequence[str] = ()
    pod_webhook: PodWebhook | None = None
    impersonates: bool = False
    limits: LimitsOf = unlimited


@dataclass(frozen=True, slots=True, kw_only=True)
class World(Parts):
    """The parts, and what is seen and told of the cluster.

    `touch` has an experiment looked at soon.
    """

    informers: Informers
    notices: Notices
    figures: Figures
    touch: Callable[[Key], None]
