"""One tree of errors, and what each becomes at the edges.

    TunewrightError
    ├── Retryable            the same call may succeed later, after `after` seconds
    │   ├── StoreUnavailable     the database is away, or another process holds it too long
    │   ├── PluginUnavailable    a suggestion or early-stopping service does not answer
    │   └── ServerUnavailable    the cluster's API server does not answer, or is too busy
    └── Terminal             the same call will never succeed
        ├── Invalid              input that is wrong: each `Fault` has a path and a remedy
        ├── NotFound             nothing has that name
        ├── Conflict             it exists already, differs, or is being driven by another engine
        ├── Forbidden            whoever asks may not
        ├── Expired              the API server has forgotten a version: read again
        ├── Unsupported          it cannot run here; the message says where or how it can
        ├── MissingExtra         an optional dependency is not installed
        ├── StoreUnwritable      the disk is full or the store is read-only
        └── PluginBroken         a plug-in breaks its contract

Whatever else is raised is a bug, and is logged with its traceback. A message
names the field and says what would be right.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

TELL = "TUNEWRIGHT_ERRORS"
"""The variable that, set to `json`, makes a command tell its error as one line of JSON."""


class Codes(NamedTuple):
    """What an error becomes: exit code of a command, HTTP status, gRPC status name."""

    exit: int
    http: int
    grpc: str


class TunewrightError(Exception):
    """Whatever this program raises on purpose."""

    codes = Codes(exit=1, http=500, grpc="INTERNAL")


class Retryable(TunewrightError):
    """The same call may succeed in `after` seconds."""

    codes = Codes(exit=1, http=503, grpc="UNAVAILABLE")

    def __init__(self, message: str, *, after: float = 1.0) -> None:
        super().__init__(message)
        self.after = after


class StoreUnavailable(Retryable):
    """The database does not answer, or another process holds it too long."""


class PluginUnavailable(Retryable):
    """A suggestion or early-stopping service does not answer in time."""


class ServerUnavailable(Retryable):
    """The cluster's API server does not answer, or is too busy."""


class Terminal(TunewrightError):
    """The same call will never succeed."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with an input.

    `path` is dotted with indexes (`spec.parameters[0].feasibleSpace.max`);
    `line` counts from 1, and is None where the input had no lines. `kind` is
    Kubernetes' name of the error: Required, Invalid, Forbidden, Duplicate,
    NotSupported, NotFound, Unknown.
    """

    path: str
    message: str
    remedy: str = ""
    kind: str = "Invalid"
    line: int | None = None
    file: str | None = None

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        remedy = f" ({self.remedy})" if self.remedy else ""
        start = "".join(f"{part}: " for part in (where, self.path) if part)
        return f"{start}{self.message}{remedy}"


class Invalid(Terminal):
    """The input is wrong; `faults` lists everything that is, not only the first."""

    codes = Codes(exit=2, http=422, grpc="INVALID_ARGUMENT")

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    def __reduce__(self) -> tuple[type["Invalid"], tuple[tuple[Fault, ...]]]:
        """Let it pass between processes with its faults."""
        return type(self), (self.faults,)


class NotFound(Terminal):
    """Nothing has that name."""

    codes = Codes(exit=2, http=404, grpc="NOT_FOUND")


class Conflict(Terminal):
    """It exists already, differs from what is there, or another engine drives it."""

    codes = Codes(exit=2, http=409, grpc="ALREADY_EXISTS")


class Forbidden(Terminal):
    """Whoever asks may not; the message says what would have been needed."""

    codes = Codes(exit=1, http=403, grpc="PERMISSION_DENIED")


class Expired(Terminal):
    """The API server has forgotten a version: read everything again."""

    codes = Codes(exit=1, http=410, grpc="OUT_OF_RANGE")


class Unsupported(Terminal):
    """It cannot be done here; the message says where or how it can."""

    codes = Codes(exit=2, http=422, grpc="FAILED_PRECONDITION")


class MissingExtra(Terminal):
    """An optional dependency is not installed; the message names the extra."""

    codes = Codes(exit=2, http=501, grpc="UNIMPLEMENTED")

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs more packages: pip install 'tunewright[{extra}]'")
        self._given = (what, extra)

    def __reduce__(self) -> tuple[type["MissingExtra"], tuple[str, str]]:
        """Let it pass between processes."""
        return type(self), self._given


class StoreUnwritable(Terminal):
    """The disk is full or the store is read-only."""

    codes = Codes(exit=1, http=507, grpc="RESOURCE_EXHAUSTED")


class PluginBroken(Terminal):
    """A plug-in answered something that its contract does not allow."""

    codes = Codes(exit=1, http=502, grpc="FAILED_PRECONDITION")
