"""`report()` and `should_stop()`: what a training program says, and is told.

The standard library only: a training image needs nothing else, and the import
costs nothing. Inside a trial the values travel over the Unix socket of the
engine; run by hand, the program prints `loss=0.3 step=4` instead.

The conversation is JSON lines. A process introduces itself (`{"token", "source"}`)
and is told the last sequence kept of it; then each message (`{"first", "samples"}`)
is answered the same way: `{"last": 41, "stop": false}`.
"""

import atexit
import contextlib
import json
import os
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, SupportsFloat

ADDRESS = "TUNEWRIGHT_REPORT"
TOKEN = "TUNEWRIGHT_TOKEN"  # noqa: S105 -- the name of a variable
_LONGEST_NAME = 255
_MOST_HELD = 10_000
_MOST_AT_ONCE = 500
_REPLY_SECONDS = 5.0
_STOP_WAIT_SECONDS = 0.25
_EXIT_SECONDS = 5.0
_RETRY_SECONDS = (0.05, 0.2, 1.0, 5.0)


def report(
    metrics: Mapping[str, SupportsFloat] | None = None,
    /,
    *,
    step: int | None = None,
    **more: SupportsFloat,
) -> None:
    """Report values of metrics, now.

    Names that are no Python identifiers go in a mapping:
    `report({"val/loss": 0.3}, step=4)`. It never waits for the engine, and never
    fails because of it. Where there is none, it prints.

    >>> report(loss=0.3, step=4)
    loss=0.3 step=4

    Raises:
        ValueError: a value is no number (NaN and infinity are), a name is empty or longer than
            255 characters, a step does not fit into 64 bits.
    """
    values = values_of(metrics, more)
    if not values:
        return
    count = None if step is None else _step(step)
    reporter = _reporter()
    if reporter is None:
        words = [f"{name}={value!r}" for name, value in values.items()]
        print(*words, *([] if count is None else [f"step={count}"]), flush=True)  # noqa: T201 -- its purpose
        return
    now = time.time()
    reporter.add([(name, value, now, count) for name, value in values.items()])


def should_stop() -> bool:
    """Say whether this trial is to end now: save what is worth saving, and return.

    Waits a moment for the answer to what was just reported.

    >>> should_stop()
    False
    """
    reporter = _reporter()
    return reporter is not None and reporter.should_stop()


def values_of(
    metrics: Mapping[str, SupportsFloat] | None, more: Mapping[str, SupportsFloat]
) -> dict[str, float]:
    """Return values by name, of a mapping and of keywords.

    Raises:
        ValueError: as `report` does.
    """
    return {
        _name(name): _number(name, value) for name, value in {**(metrics or {}), **more}.items()
    }


def _number(name: object, value: object) -> float:
    if isinstance(value, str | bytes | bool):
        with contextlib.suppress(ValueError):
            return float(value)
        raise ValueError(f"{name}: {value!r} is not a number")
    try:
        return float(value)  # type: ignore[arg-type]  # whatever cannot be a number raises
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise ValueError(f"{name}: {value!r} is not a number") from None


def _name(name: object) -> str:
    text = str(name)
    if not 0 < len(text) <= _LONGEST_NAME or "\0" in text or text.endswith(" "):
        shown = f"{text[:40]!r}: a name has 1 to {_LONGEST_NAME} characters"
        raise ValueError(f"{shown}, no NUL, and no blank at the end")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{text[:40]!a}: a name is Unicode") from None
    return text


def _step(step: object) -> int:
    number = _number("step", step)
    if not abs(number) < 2**63:
        raise ValueError(f"step: {step!r} is not a whole number of 64 bits")
    return int(number)


class _Reporter:
    """Sends from a thread of its own what is added to it, and remembers the answer."""

    def __init__(self, path: str, token: str) -> None:
        self.pid = os.getpid()
        self._path = path
        self._hello = {"token": token, "source": f"push-{self.pid}-{os.urandom(4).hex()}"}
        self._held: deque[tuple[str, float, float, int | None]] = deque()
        self._first = 0  # the sequence of what is held first
        self._changed = threading.Condition()
        self._stop = False
        self._connected = True
        self._closing = False
        self._thread: threading.Thread | None = None

    def add(self, samples: list[tuple[str, float, float, int | None]]) -> None:
        with self._changed:
            self._held.extend(samples)
            while len(self._held) > _MOST_HELD:
                self._held.popleft()
                self._first += 1
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="tunewright-report", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()

    def should_stop(self) -> bool:
        with self._changed:
            self._changed.wait_for(
                lambda: self._stop or not self._held or not self._connected, _STOP_WAIT_SECONDS
            )
            return self._stop

    def close(self) -> None:
        """Give what is held a last chance."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._held or not self._connected, _EXIT_SECONDS)

    def _run(self) -> None:
        failures = 0
        while not self._closing or self._held:
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                    connection.settimeout(_REPLY_SECONDS)
                    connection.connect(self._path)
                    with connection.makefile("rwb") as stream:
                        self._talk(stream)
            except (OSError, ValueError, KeyError, TypeError):
                with self._changed:
                    self._connected = False
                    self._changed.notify_all()
                    if self._closing:
                        return
                    wait = _RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)]
                    self._changed.wait_for(lambda: self._closing, wait)
                failures += 1
            else:
                return

    def _talk(self, stream: Any) -> None:
        self._take(_ask(stream, self._hello))
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._held or self._closing)
                if not self._held:
                    return
                first = self._first
                samples = [self._held[i] for i in range(min(len(self._held), _MOST_AT_ONCE))]
            self._take(_ask(stream, {"first": first, "samples": samples}))

    def _take(self, reply: dict[str, Any]) -> None:
        last, stop = int(reply["last"]), bool(reply["stop"])
        with self._changed:
            while self._held and self._first <= last:
                self._held.popleft()
                self._first += 1
            self._stop = self._stop or stop
            self._connected = True
            self._changed.notify_all()


def _ask(stream: Any, message: dict[str, Any]) -> dict[str, Any]:
    stream.write(json.dumps(message, ensure_ascii=False).encode() + b"\n")
    stream.flush()
    line = stream.readline()
    if not line:
        raise OSError("the engine has gone")
    reply: dict[str, Any] = json.loads(line)
    return reply


_current: _Reporter | None = None
_lock = threading.Lock()


def _reporter() -> _Reporter | None:
    """Return this process's own; a forked child is another source."""
    global _current  # noqa: PLW0603 -- one conversation a process
    address, token = os.environ.get(ADDRESS, ""), os.environ.get(TOKEN, "")
    if not address.startswith("unix:") or not token:
        return None
    with _lock:
        if _current is None or _current.pid != os.getpid():
            _current = _Reporter(address.removeprefix("unix:"), token)
            _at_exit(_current.close)
        return _current


def _at_exit(close: Callable[[], None]) -> None:
    """Have it called when the process ends, a worker of multiprocessing too (it skips atexit)."""
    atexit.register(close)
    workers = sys.modules.get("multiprocessing.util")
    if workers is not None:
        workers.Finalize(None, close, exitpriority=0)


def _forget_after_fork() -> None:
    """Leave the parent's lock and thread behind."""
    global _current, _lock  # noqa: PLW0603 -- one conversation a process
    _lock = threading.Lock()
    if _current is not None:
        atexit.unregister(_current.close)
        _current = None


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget_after_fork)
