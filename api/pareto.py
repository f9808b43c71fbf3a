"""Several objectives at once: which trials nothing betters, and how much they cover.

Losses are tuples, one number an objective, smaller is better; they may be infinite,
never NaN.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from .history import Dropped, Entry, Finished, Verdict
from .objective import Objective

Losses: TypeAlias = tuple[float, ...]


def dominates(one: Losses, other: Losses) -> bool:
    """Say whether `one` is nowhere worse than `other`, and somewhere better."""
    return one != other and all(mine <= its for mine, its in zip(one, other, strict=True))


def front(losses: Sequence[Losses]) -> list[int]:
    """Return the places of what nothing dominates, by the first objective; equals stay together.

    What dominates comes earlier in the order of the tuples, and is itself in the front
    or dominated by what is.
    """
    found: list[int] = []
    for place in sorted(range(len(losses)), key=losses.__getitem__):
        if not any(dominates(losses[member], losses[place]) for member in found):
            found.append(place)
    return found


def ranks(losses: Sequence[Losses]) -> list[int]:
    """Return the front that each belongs to: 0, and what is left of 0 when that is taken away."""
    rank = [0] * len(losses)
    left = list(range(len(losses)))
    level = 0
    while left:
        members = {left[place] for place in front([losses[place] for place in left])}
        for member in members:
            rank[member] = level
        left = [place for place in left if place not in members]
        level += 1
    return rank


def hypervolume(losses: Iterable[Losses], reference: Losses) -> float:
    """Return the volume between the losses and a reference that is worse than they are.

    What is not better than the reference everywhere, or is not finite, covers nothing.
    """
    inside = [
        point
        for point in losses
        if all(map(math.isfinite, point))
        and all(mine < its for mine, its in zip(point, reference, strict=True))
    ]
    return _volume([inside[place] for place in front(inside)], reference)


def _volume(points: Sequence[Losses], reference: Losses) -> float:
    """Add up slices of the last objective; in each, what has begun by then covers the rest."""
    if not points:
        return 0.0
    if len(reference) == 1:
        return reference[0] - min(point[0] for point in points)
    by_last = sorted(points, key=lambda point: point[-1])
    ends = [*(point[-1] for point in by_last[1:]), reference[-1]]
    volume = 0.0
    for count, (point, end) in enumerate(zip(by_last, ends, strict=True), start=1):
        if end > point[-1]:
            begun = [other[:-1] for other in by_last[:count]]
            slab = [begun[place] for place in front(begun)]
            volume += (end - point[-1]) * _volume(slab, reference[:-1])
    return volume


def worst(losses: Iterable[Losses]) -> Losses:
    """Return the worst finite number of each objective; 0 where there is none."""
    columns = zip(*losses, strict=True)
    return tuple(max(filter(math.isfinite, column), default=0.0) for column in columns)


def observed(log: Iterable[Entry], objective: Objective) -> Mapping[int, Losses]:
    """Return the losses of each trial of a log that has a value of every objective."""
    found: dict[int, Losses] = {}
    for entry in log:
        if isinstance(entry, Dropped):
            found.pop(entry.index, None)
        elif isinstance(entry, Finished) and entry.verdict is Verdict.OBSERVED:
            losses = objective.losses(entry.value, dict(entry.values))
            if losses is not None:
                found[entry.index] = losses
    return found
