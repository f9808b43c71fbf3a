"""A container's log as an API server streams it, followed past whatever breaks it off."""

from collections.abc import Mapping


class PodLog:
    """Takes what comes of a log, with the moment before each line, and gives what is new of it.

    A stream that is begun again gives lines that came before; two lines seldom have the same
    moment, and of those that have, as much is left out as was given.
    """

    def __init__(self, container: str | None, tail: int | None) -> None:
        self._query = {"follow": "true", "timestamps": "true"}
        self._query |= {"container": container} if container else {}
        self._tail = {} if tail is None else {"tailLines": str(tail)}
        self._moment = b""
        self._given = 0  # bytes of the lines of that moment
        self._known = (b"", 0)  # both, when this stream began
        self._begun = b""  # a moment of which not all has come
        self._is_within = self._is_known = False

    def begin(self) -> Mapping[str, str]:
        """Return what to ask for: the log, or what follows the line that came last."""
        self._known = (self._moment, self._given)
        self._begun, self._is_within = b"", False
        return self._query | ({"sinceTime": self._moment.decode()} if self._moment else self._tail)

    def new(self, data: bytes) -> bytes:
        """Return what is new in the next bytes of the stream."""
        found = bytearray()
        data, self._begun = self._begun + data, b""
        while data:
            if not self._is_within:
                moment, blank, rest = data.partition(b" ")
                if not blank:
                    self._begun = data
                    break
                self._enter(moment)
                data = rest
            end = data.find(b"\n") + 1 or len(data)
            found += self._new_of_line(data[:end])
            self._is_within = not data[:end].endswith(b"\n")
            data = data[end:]
        return bytes(found)

    def _enter(self, moment: bytes) -> None:
        self._is_within, self._is_known = True, moment < self._known[0]
        if not self._is_known and moment != self._moment:
            self._moment, self._given = moment, 0

    def _new_of_line(self, part: bytes) -> bytes:
        if self._is_known:
            return b""
        moment, left = self._known
        if moment == self._moment and left:
            cut = min(left, len(part))
            self._known = (moment, left - cut)
            part = part[cut:]
        self._given += len(part)
        return part
