"""Templates to pages, and numbers and times to what people read."""

import math
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..sdk.plain import plain
from .paths import base_of, inner_path

_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))
_TINY, _HUGE = 1e-3, 1e6


def page(request: Request, template: str, status: int = 200, **shown: Any) -> HTMLResponse:
    """Render a template; `title` heads the window."""
    place = str(request.app.state.board.source)
    where = {"base": base_of(request.scope), "path": inner_path(request.scope), "place": place}
    return HTMLResponse(rendered(template, **where, **shown), status)


def rendered(template: str, **shown: Any) -> str:
    return _ENVIRONMENT.get_template(template).render(**shown)


def number(value: object) -> str:
    """Write a number with four figures that matter: 0.1234, 1.2e-4, 1,234."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if not math.isfinite(value):
        return str(plain(value))
    if isinstance(value, int) or (value == int(value) and abs(value) < _HUGE):
        return f"{int(value):,}"
    size = abs(value)
    return f"{value:.4g}" if _TINY <= size < _HUGE else _powers(value)


def _powers(value: float) -> str:
    digits, _, power = f"{value:.3e}".partition("e")
    return f"{float(digits):g}e{int(power)}"


def duration(seconds: float | None) -> str:
    """Write a span in its two largest units: 12 s, 3 min 20 s, 2 h 5 min."""
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    for size, unit in _UNITS:
        if seconds >= size:
            whole, rest = divmod(seconds, size)
            return f"{int(whole)} {unit}{_rest(rest, size)}"
    return f"{seconds:.0f} s"


def _rest(seconds: float, size: float) -> str:
    smaller, unit = {86400.0: (3600, "h"), 3600.0: (60, "min"), 60.0: (1, "s")}[size]
    count = int(seconds // smaller)
    return f" {count} {unit}" if count else ""


def _moment(seconds: float | None) -> str:
    """Write a moment for machines; scripts show how long ago it was."""
    return "" if seconds is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "duration": duration,
        "moment": _moment,
        "segment": lambda text: quote(str(text), safe=""),
    }
    return environment


_ENVIRONMENT = _environment()
