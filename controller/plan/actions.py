"""What `plan` decides, as data. Every action may be carried out twice with one result."""

from dataclasses import dataclass
from typing import TypeAlias

from ...api.states import ExperimentState, TrialState


@dataclass(frozen=True, slots=True)
class Start:
    """Record attempt `attempt` of a trial, then start its workload."""

    index: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Ask the workload to end within its own grace, and within `grace` seconds at most."""

    index: int
    attempt: int
    grace: float


@dataclass(frozen=True, slots=True)
class Repeat:
    """Send the trial back to wait for another attempt, not before `at`.

    `counted` ones use up the retries that the file allows.
    """

    index: int
    counted: bool
    at: float
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Finish:
    """End the trial. `own_failure` tells the algorithm that its point is bad."""

    index: int
    state: TrialState
    reason: str
    message: str
    own_failure: bool = False


@dataclass(frozen=True, slots=True)
class Adopt:
    """Write down the result that the trial came with, and end it as Succeeded."""

    index: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ProposeInitial:
    """Record the points `first`, …, `first + count - 1` of the file's own."""

    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the algorithm for up to `count` points, to be trials from `first_index` on."""

    first_index: int
    count: int


@dataclass(frozen=True, slots=True)
class Suspend:
    """Write into the document whether anything new may start."""

    suspended: bool


@dataclass(frozen=True, slots=True)
class ApplyEdit:
    """Write into the document what the wish asks for."""

    wish: int


@dataclass(frozen=True, slots=True)
class AddTrial:
    """Record the point that the wish brings, or that of the trial it names, as trial `index`."""

    wish: int
    index: int


@dataclass(frozen=True, slots=True)
class RaiseBudget:
    """Make maxTrialCount so large that the points that people added run too."""

    max_trials: int


@dataclass(frozen=True, slots=True)
class Drop:
    """Take a finished trial out of best, model and plots."""

    index: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The wish is fulfilled, or refused with a reason and a remedy."""

    wish: int
    refused: str = ""


@dataclass(frozen=True, slots=True)
class AnswerStop:
    """The early stop of an attempt is carried out."""

    index: int
    attempt: int


Action: TypeAlias = (
    Start
    | Stop
    | Repeat
    | Finish
    | Adopt
    | ProposeInitial
    | Ask
    | Suspend
    | ApplyEdit
    | AddTrial
    | RaiseBudget
    | Drop
    | Answer
    | AnswerStop
)


@dataclass(frozen=True, slots=True)
class Status:
    """Where the experiment is, once the actions are carried out."""

    state: ExperimentState
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, in this order; where that leads; and when to look again at the latest.

    `done` says that the engine has nothing left to do: the experiment is over,
    or it was told to leave and nothing runs.
    """

    actions: tuple[Action, ...]
    status: Status
    wake_at: float | None
    done: bool = False
