"""Places as a drawing: a panel for each family, a row for each contender, the best at the left."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TypeAlias

Places: TypeAlias = Mapping[int, Mapping[str, float]]
"""By budget and contender; 1 is best."""

_ROW, _LABELS, _PANEL, _GAP, _TOP = 22, 150, 200, 40, 64  # of pixels
_COLUMNS = 3
_RADII = (3.0, 4.5, 6.0)
_INK, _LINE, _OURS, _THEIRS = "#222", "#ccc", "#0b6e99", "#b3541e"


def drawing(panels: Mapping[str, Places], ours: Sequence[str]) -> str:
    """Return an SVG; contenders in `ours` have a colour of their own.

    The dots of a row are one contender's places at the budgets, the largest at the greatest.
    """
    names = _ordered(panels)
    height = _TOP + _ROW * len(names) + _GAP
    rows = -(-len(panels) // _COLUMNS)
    width = _LABELS + _COLUMNS * (_PANEL + _GAP)
    size = f'viewBox="0 0 {width} {height * rows}" font-family="sans-serif" font-size="12"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} fill="{_INK}">',
        f'<rect width="{width}" height="{height * rows}" fill="white"/>',
    ]
    for place, (title, places) in enumerate(panels.items()):
        row, column = divmod(place, _COLUMNS)
        top = row * height + _TOP
        if column == 0:
            parts += _labels(names, top)
        left = _LABELS + column * (_PANEL + _GAP)
        parts += _frame(title, len(names), left, top)
        parts += _dots(places, [(name, name in ours) for name in names], left, top)
    return "\n".join([*parts, "</svg>\n"])


def _ordered(panels: Mapping[str, Places]) -> list[str]:
    """Return the contenders by their mean place over all panels."""
    ends: dict[str, list[float]] = {}
    for places in panels.values():
        for name, place in places[max(places)].items():
            ends.setdefault(name, []).append(place)
    return sorted(ends, key=lambda name: sum(ends[name]) / len(ends[name]))


def _labels(names: Sequence[str], top: float) -> Iterator[str]:
    for place, name in enumerate(names):
        y = top + _ROW * (place + 0.5)
        yield f'<text x="{_LABELS - 16}" y="{y + 4:.1f}" text-anchor="end">{escape(name)}</text>'


def _frame(title: str, rows: int, left: float, top: float) -> Iterator[str]:
    yield f'<text x="{left}" y="{top - 34}" font-weight="bold">{escape(title)}</text>'
    for tick in range(1, rows + 1):
        at = _x(tick, rows, left)
        ends = f'y1="{top}" y2="{top + _ROW * rows}"'
        yield f'<line x1="{at:.1f}" x2="{at:.1f}" {ends} stroke="{_LINE}"/>'
        yield f'<text x="{at:.1f}" y="{top - 8}" text-anchor="middle" fill="#777">{tick}</text>'


def _dots(
    places: Places, rows: Sequence[tuple[str, bool]], left: float, top: float
) -> Iterator[str]:
    for row, (name, is_ours) in enumerate(rows):
        y = top + _ROW * (row + 0.5)
        at_budgets = [places[budget][name] for budget in sorted(places) if name in places[budget]]
        for radius, place in zip(_RADII, at_budgets, strict=False):
            at = _x(place, len(rows), left)
            fill = (
                f'fill="{_OURS if is_ours else _THEIRS}" fill-opacity="{radius / _RADII[-1]:.2f}"'
            )
            yield f'<circle cx="{at:.1f}" cy="{y:.1f}" r="{radius}" {fill}/>'


def _x(place: float, worst: int, left: float) -> float:
    return left + _PANEL * (place - 1) / max(worst - 1, 1)
