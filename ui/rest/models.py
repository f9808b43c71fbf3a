"""The shapes of what is asked and answered, for the OpenAPI description.

Answers are written as they are read; a test holds every one of them against these models.
"""

from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Number: TypeAlias = float | Literal["NaN", "Infinity", "-Infinity"]
"""JSON knows no other way to write what is not a finite number."""

Measured: TypeAlias = float | str
"""What stands for a metric: such a number, or a text."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Fault(_Model):
    path: str
    message: str
    remedy: str
    line: int | None


class Problem(_Model):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    faults: list[Fault] = []


class MetricValue(_Model):
    value: Measured
    strategy: Literal["min", "max", "latest"]
    step: float | None
    min: Number
    max: Number
    latest: Measured
    count: int | None


class Trial(_Model):
    index: int
    name: str
    state: str
    reason: str
    message: str
    parameters: dict[str, float | int | str]
    value: Measured | None
    deviation: Number | None
    metrics: dict[str, MetricValue]
    dropped: bool
    parent: str | None
    generation: int | None
    why: str
    attempt: int
    retries: int
    exit_code: int | None
    created_at: float
    started_at: float | None
    finished_at: float | None
    wall_seconds: float | None
    cpu_seconds: float | None
    peak_memory_bytes: int | None
    device_seconds: float | None


class Objective(_Model):
    metric: str
    type: Literal["minimize", "maximize"]
    strategy: Literal["min", "max", "latest"]
    goal: float | None


class Experiment(_Model):
    name: str
    namespace: str
    uid: str
    state: str
    reason: str
    message: str
    suspended: bool
    objective: Objective
    algorithm: str
    seed: int
    max_trials: int | None
    parallel_trials: int
    trials: dict[str, int]
    best: Trial | None
    created_at: float
    started_at: float | None
    finished_at: float | None
    active_seconds: float
    workdir: str
    labels: dict[str, str]
    note: str


class Experiments(_Model):
    """A page of experiments; `total` counts all that match."""

    items: list[Experiment]
    total: int
    offset: int


class Trials(_Model):
    """A page of trials; `total` counts all that match."""

    items: list[Trial]
    total: int
    offset: int


class ObjectiveColumn(_Model):
    metric: str
    direction: Literal["minimize", "maximize"]
    goal: float | None


class ParameterColumn(_Model):
    name: str
    kind: Literal["double", "int", "discrete", "categorical"]
    log: bool
    low: float | None
    high: float | None
    choices: list[str]


class TrialColumns(_Model):
    """A list a column, an entry a trial, in the order of the index."""

    index: list[int]
    name: list[str]
    state: list[str]
    reason: list[str]
    value: list[Measured | None]
    good: list[bool]
    created: list[float]
    started: list[float | None]
    finished: list[float | None]
    parent: list[str | None]
    generation: list[int | None]
    device_seconds: list[float | None]
    point: dict[str, list[float | int | str | None]]
    metric: dict[str, list[Measured | None]]


class Columns(_Model):
    """All trials, or those that changed after a position of the log, and the unfinished ones."""

    position: int
    now: float
    objectives: list[ObjectiveColumn]
    parameters: list[ParameterColumn]
    metrics: list[str]
    trials: TrialColumns


class Curve(_Model):
    index: int
    steps: list[float | None]
    values: list[Number]


class Curves(_Model):
    """`why` says why there can be none, where they are not served."""

    metric: str
    why: str
    curves: list[Curve]


class Event(_Model):
    at: float
    trial: int | None
    kind: Literal["Normal", "Warning"]
    reason: str
    message: str


class Attempt(_Model):
    attempt: int
    state: str
    started_at: float | None
    ended_at: float | None
    exit_code: int | None
    reason: str
    message: str


class Samples(_Model):
    """A part of a trial's log of metrics, in the order of time.

    `why` says why there can be none, `more` whether there is more behind it.
    """

    why: str
    more: bool
    metric: list[str]
    at: list[float]
    step: list[float | None]
    value: list[Measured]


class Setting(_Model):
    name: str
    type: str
    default: Any
    rule: str
    description: str


class Algorithm(_Model):
    name: str
    description: str
    settings: list[Setting]


class Said(_Model):
    """What was done, in words."""

    message: str


class Begun(_Model):
    namespace: str
    name: str


class Verdict(_Model):
    """What `tunewright validate` says of a file."""

    valid: bool
    experiments: list[str]
    faults: list[Fault]


class NewExperiment(_Model):
    """A file with one Experiment, YAML or JSON, and where its trials start."""

    text: str
    workdir: str | None = None


class Text(_Model):
    text: str


class Draft(_Model):
    """An Experiment in short; parameters are spelt as `tunewright run --param` has them."""

    name: str
    command: str
    parameters: list[str]
    metric: str
    type: Literal["minimize", "maximize"] = "minimize"
    trials: int | None = Field(default=None, ge=1)
    parallel: int | None = Field(default=None, ge=1)


class Changes(_Model):
    """New budgets, by their path below `spec`: `{"maxTrialCount": 100}`; labels; a note.

    What is null is taken away, and so is a note that is empty.
    """

    changes: dict[str, float | int | str | None] = {}
    labels: dict[str, str | None] = {}
    note: str | None = None


class NewTrial(_Model):
    """A point of your own: a value of every parameter."""

    parameters: dict[str, float | int | str]


class Point(_Model):
    """A point that was given out. Whoever has the token tells what came of it, until `until`."""

    index: int
    trial: str
    attempt: int
    token: str
    parameters: dict[str, float | int | str]
    until: float


class Answer(_Model):
    """A point, or none now and why; `over` says that there will be none."""

    point: Point | None
    over: bool
    why: list[str]


class Telling(_Model):
    index: int = Field(ge=0, lt=2**31)
    token: str
    metrics: dict[str, Number] = {}
    failed: str | None = None


class Told(_Model):
    """Whether it counts: not when the lease was over and another has the point."""

    counts: bool
