"""How deeply values may be nested: whoever walks one takes a frame or two for each level."""

from typing import Any

MOST_LEVELS = 100
"""How deep a trial's template may be. Those that people write have some twenty levels."""


def is_deeper(value: Any, levels: int) -> bool:
    """Whether objects and lists stand in one another more deeply than that."""
    level = [value]
    for _ in range(levels + 1):
        level = [
            each
            for one in level
            for each in (one.values() if isinstance(one, dict) else one)
            if isinstance(each, dict | list)
        ]
        if not level:
            return False
    return True
