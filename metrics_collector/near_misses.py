"""Which numbers a log holds under names that nobody asked for."""

import re

from .parsers.numbers import VALUE

_KEPT = 16 * 1024
MOST_NAMES = 20
"""Names that are shown of what a trial wrote under other names than those asked for."""
_NAMED = re.compile(rb"""(?<![\w./@-])["']?([A-Za-z_][\w./@-]{0,63})["']?\s*[=:]\s*["']?""" + VALUE)
_ESCAPES = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")


class NearMisses:
    """Keeps the first and the last bytes of a log, and looks for names only when asked."""

    def __init__(self) -> None:
        self._first = bytearray()
        self._last = b""

    def feed(self, data: bytes) -> None:
        free = _KEPT - len(self._first)
        if free > 0:
            self._first += data[:free]
            data = data[free:]
        if data:
            self._last = data[-_KEPT:] if len(data) >= _KEPT else (self._last + data)[-_KEPT:]

    @property
    def names(self) -> tuple[str, ...]:
        """Names that stand before a number, the most frequent first."""
        counts: dict[str, int] = {}
        for part in (bytes(self._first), self._last):
            for name in _NAMED.findall(_ESCAPES.sub(b"", part)):
                text = name.decode("ascii")
                counts[text] = counts.get(text, 0) + 1
        return tuple(sorted(counts, key=lambda name: (-counts[name], name))[:MOST_NAMES])
