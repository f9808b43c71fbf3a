"""Where experiments are: a store on this machine, or a cluster.

Commands find, show and change them through this port, and do not ask which it is.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ...api.errors import Conflict
from ...controller.reading import Records
from ...db.records import ExperimentRecord, TrialRecord
from .place import Place


def _unheard(_said: str) -> None:
    """Let a remark go."""


def _nobody(_place: Place, record: ExperimentRecord) -> None:
    name = record.key.name
    raise Conflict(f"no engine is running {name}: `tunewright resume {name}` carries it out")


@dataclass(frozen=True, slots=True)
class Hands:
    """What a source calls back in the program around it.

    `note` is told what a person should hear beside the answer. `carry_out` runs an engine once
    for an experiment that none drives, so that it does what was asked for.
    """

    note: Callable[[str], None] = _unheard
    carry_out: Callable[[Place, ExperimentRecord], object] = _nobody


ALONE = Hands()
"""Nobody listens, and there is no engine to call."""


class Source(Protocol):
    """`namespace` is where a bare name is looked for, None everywhere."""

    namespace: str | None

    @property
    def records(self) -> Records: ...

    def __str__(self) -> str: ...

    def whereabouts(self, record: ExperimentRecord) -> Mapping[str, object]:
        """Return what an experiment's place is called, and what it takes there."""
        ...

    def is_driven(self, record: ExperimentRecord) -> bool:
        """Say whether something carries the experiment out now."""
        ...

    def explain(self, record: ExperimentRecord) -> Sequence[str]:
        """Say in lines why the experiment is where it is."""
        ...

    def command_line(self, record: ExperimentRecord, trial: TrialRecord) -> str:
        """Return what a trial's primary container runs, quoted for a shell; "" without one."""
        ...

    def keep_up(self) -> None:
        """Let what changes be known without resting, and answer several threads."""
        ...

    def rest(self, seconds: float) -> None:
        """Let time pass; what happens meanwhile is known afterwards."""
        ...

    def log(
        self,
        record: ExperimentRecord,
        trial: TrialRecord,
        *,
        stream: str,
        tail: int | None,
        follow: bool,
        after: int = 0,
    ) -> Iterator[bytes]:
        """Yield what the trial's last attempt wrote, `follow` until it has ended.

        Its last `tail` lines, or without these all that is behind the first `after` bytes.

        Raises:
            NotFound: it wrote nothing, or nothing is left of it.
        """
        ...

    # What people ask for. Conflict: it is refused, and the message says why.

    def ask(self, record: ExperimentRecord, verb: str, arguments: Mapping[str, Any]) -> str:
        """Leave a wish for whoever drives the experiment; return when it will be carried out.

        "" says that it was, or is now.
        """
        ...

    def suspend(self, record: ExperimentRecord, *, suspended: bool, now: bool) -> None:
        """Pause or resume; `now` stops what runs, too.

        Raises:
            Conflict: it has ended and stays so; the message says why.
        """
        ...

    def edit(self, record: ExperimentRecord, changes: Mapping[str, Any], *, now: bool) -> None:
        """Change budgets, labels and note, as `controller.edits` writes changes.

        `now` stops what runs beyond a budget.
        """
        ...

    def stop(self, record: ExperimentRecord) -> str:
        """End the experiment; return what is to be said of it."""
        ...

    def check_deletable(self, record: ExperimentRecord) -> None:
        """Refuse what must not be deleted as it is."""
        ...

    def delete(self, record: ExperimentRecord) -> None:
        """Remove it with all that it recorded."""
        ...
