"""What runs in the nursery: it loads what workers need, and forks them.

    python -m tunewright.suggestion.nursery_process DESCRIPTOR

Over the socket of that descriptor come the names of algorithms, each with a socket for the worker
and one for its caller, who is told the worker's pid, and in the end its status. When a caller
hangs up, its worker is killed; when the first socket is closed, all are.

Nothing is computed here and no thread runs: a fork would copy locks that nobody opens. Plug-ins
are not imported here, as they may do both; their workers do that themselves.
"""

import contextlib
import gc
import importlib
import os
import selectors
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from functools import partial

from .registry import BUILT_IN
from .worker_process import serve

_CHANCE = "numpy.random"
_GP = (".algorithms.gp.fold", _CHANCE)
_TPE = (".algorithms.tpe_fold", _CHANCE)

FIRST: Mapping[str, Sequence[str]] = {
    "auto": (".algorithms.auto_fold", *_GP),
    "sobol": (".sobol_sequence", _CHANCE),
    "tpe": _TPE,
    "multivariate-tpe": _TPE,
    "cmaes": (".algorithms.cmaes_fold",),
    "bayesianoptimization": (".algorithms.bayesian_fold",),
    "gp": _GP,
    "bohb": (".algorithms.bohb_fold", _CHANCE),
    "enas": (".algorithms.nas.enas_fold", _CHANCE),
}
"""What the first points of an algorithm need, beside its own module."""

LATER: Mapping[str, Sequence[str]] = {
    "auto": (".algorithms.gp.views", ".algorithms.cmaes_fold", *_TPE),
    "gp": (".algorithms.gp.views",),
}
"""What later points need: the first worker does not wait for it, those behind it share it."""


def main() -> None:
    os.dup2(2, 1)  # what libraries print is no answer
    gc.disable()  # it would write into what is shared
    stream = Workers(socket.socket(fileno=int(sys.argv[1]))).run()
    if stream is not None:  # this is a worker
        gc.enable()
        serve(stream.makefile("rb"), stream.makefile("wb"))


class Workers:
    """The workers by pid, each with its pidfd (readable once it has ended) and its caller."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._workers: dict[int, tuple[int, socket.socket]] = {}
        self._selector = selectors.PollSelector()  # unlike epoll it has no descriptor to inherit
        self._selector.register(control, selectors.EVENT_READ)

    def run(self) -> socket.socket | None:
        """Go on until the control is closed; in a worker, return the socket to its caller."""
        while (asked := self._next()) is not None:
            algorithm, worker, call = asked
            _load([*_own(algorithm), *FIRST.get(algorithm, ())])
            if self._fork(call):
                return worker
            worker.close()
            _load(LATER.get(algorithm, ()))
        for pid in [*self._workers]:
            self._kill(pid)
        return None

    def _next(self) -> tuple[str, socket.socket, socket.socket] | None:
        """Attend to the workers until another is wanted; None when no more will be."""
        while True:
            for key, _ in self._selector.select()[:1]:  # it may settle what the others tell
                if key.fileobj is self._control:
                    return self._received()
                key.data()

    def _received(self) -> tuple[str, socket.socket, socket.socket] | None:
        name, ends, _, _ = socket.recv_fds(self._control, 1024, 2, socket.MSG_CMSG_CLOEXEC)
        if not ends:
            return None
        worker, call = (socket.socket(fileno=end) for end in ends)
        return name.decode(), worker, call

    def _fork(self, call: socket.socket) -> bool:
        """Fork; return True in the worker."""
        gc.freeze()
        pid = os.fork()
        if pid == 0:
            self._leave(call)
            return True
        pidfd = os.pidfd_open(pid)
        self._workers[pid] = pidfd, call
        self._selector.register(pidfd, selectors.EVENT_READ, partial(self._reap, pid))
        self._selector.register(call, selectors.EVENT_READ, partial(self._kill, pid))
        _tell(call, pid)
        return False

    def _leave(self, call: socket.socket) -> None:
        """Become a worker, which holds nothing of the nursery's or of other workers."""
        os.setpgid(0, 0)
        self._control.close()
        call.close()
        for pidfd, other in self._workers.values():
            os.close(pidfd)
            other.close()
        if _CHANCE in sys.modules:
            sys.modules[_CHANCE].seed()  # as of a new process: a plug-in may draw from it

    def _kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)  # not yet waited for, the pid is still its own
        self._reap(pid)

    def _reap(self, pid: int) -> None:
        pidfd, call = self._workers.pop(pid)
        _, status = os.waitpid(pid, 0)
        self._selector.unregister(pidfd)
        self._selector.unregister(call)
        os.close(pidfd)
        _tell(call, os.waitstatus_to_exitcode(status))
        call.close()


def _tell(call: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # who has hung up wants to know no more
        call.sendall(b"%d\n" % number)


def _own(algorithm: str) -> Sequence[str]:
    """Return the module that a built-in algorithm is in."""
    place = BUILT_IN.get(algorithm)
    return () if place is None else (f".algorithms.{place.partition(':')[0]}",)


def _load(names: Sequence[str]) -> None:
    for name in names:
        with contextlib.suppress(Exception):  # a worker meets it again, and can answer with it
            importlib.import_module(name, __package__)


if __name__ == "__main__":
    main()
