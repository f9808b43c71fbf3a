"""What an algorithm is told of its experiment, once."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .objective import Objective
from .space import SearchSpace

ALGORITHM = "auto"
"""Who searches where nobody is named."""

PARALLEL_TRIALS = 3
"""How many run at once where nobody says."""

ANSWER_SECONDS = 60.0
"""How long one answer of an algorithm may take where `timeoutSeconds` says nothing else."""


@dataclass(frozen=True)
class Operation:
    """One kind of operation of an architecture search, with its own space."""

    kind: str
    space: SearchSpace


@dataclass(frozen=True)
class Architecture:
    """Katib's `nasConfig`: the graph that `operations` fill."""

    layers: int | None
    input_sizes: tuple[int, ...]
    output_sizes: tuple[int, ...]
    operations: tuple[Operation, ...]


@dataclass(frozen=True)
class Problem:
    """What to search, and how.

    `settings` are the algorithm's own, as text (Katib's habit): an algorithm
    parses them once. `seed` is the experiment's; an algorithm's own
    `random_state` wins over it. `max_trials` is None without a budget.
    `all_or_none`: whoever asks takes as many points as it asked for, or none
    (Katib's protocol), so that a short answer would hold the search up for ever.
    """

    experiment: str
    uid: str
    space: SearchSpace
    objective: Objective
    algorithm: str = ALGORITHM
    settings: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    max_trials: int | None = None
    parallel_trials: int = PARALLEL_TRIALS
    architecture: Architecture | None = None
    endpoint: str | None = None
    all_or_none: bool = False
