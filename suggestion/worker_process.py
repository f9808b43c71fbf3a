"""What runs in a worker: the fold of one experiment at a time, asked over a pipe.

    python -m tunewright.suggestion.worker_process

The process ends when its input closes, even in the midst of an answer.
"""

import os
import pickle
import queue
import sys
import threading
from typing import Any, BinaryIO, NoReturn

from ..api.errors import TunewrightError
from .frames import HEADER, Answer, Ask, Learn, Open, pack
from .session import Session


def _read(stream: BinaryIO, requests: "queue.SimpleQueue[Any]") -> None:
    """Hand the requests on; at the input's end nobody waits for an answer any more."""
    while True:
        header = stream.read(HEADER.size)
        if len(header) < HEADER.size:
            os._exit(0)
        body = stream.read(*HEADER.unpack(header))
        requests.put(pickle.loads(body))  # noqa: S301  # from the process that started this one


def _answer(session: Session | None, request: Any) -> tuple[Session | None, Answer]:
    match request:
        case Open(problem=problem):
            return Session(problem), Answer()
        case Learn(entries=entries) if session is not None:
            session.observe(entries)
            return session, Answer(session.position)
        case Ask(first_index=first_index, count=count) if session is not None:
            return session, Answer(session.position, session.suggest(first_index, count))
    raise AssertionError(f"{request} before Open")


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    serve(sys.stdin.buffer, answers)


def serve(stream: BinaryIO, answers: BinaryIO) -> NoReturn:
    """Answer what is asked, one after the other."""
    requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(stream, requests), daemon=True).start()
    session: Session | None = None
    while True:
        request = requests.get()
        try:
            session, answer = _answer(session, request)
        except TunewrightError as error:
            answer = Answer(error=error)
        answers.write(pack(answer))
        answers.flush()


if __name__ == "__main__":
    main()
