"""A worker in an interpreter of its own."""

import asyncio
import contextlib
import os
import sys
from pathlib import Path

# Without the folder that it starts in, where a file of the user's may have a library's name.
PYTHON = (sys.executable, "-P", "-m")
_PROGRAM = (*PYTHON, f"{__package__}.worker_process")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Interpreter:
    """A worker process, and the pipes to it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.requests = process.stdin
        self.answers = process.stdout
        self._process = process

    async def end(self, grace: float) -> int:
        process = self._process
        if grace > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), grace)
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        status = await process.wait()
        # The transport closes in the next turn of the loop, not in the destructor.
        process._transport.close()  # type: ignore[attr-defined]  # the pipes have no other handle
        return status


async def start_interpreter(algorithm: str) -> Interpreter:
    """Start a worker, which imports what the algorithm needs when it is asked."""
    del algorithm
    return Interpreter(
        await asyncio.create_subprocess_exec(
            *_PROGRAM,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment(),
            process_group=0,  # a Ctrl-C at the terminal is the engine's to handle
        )
    )


async def last_words() -> str:
    """Start a worker that is asked nothing, and return the last line that it says of itself."""
    tried = await asyncio.create_subprocess_exec(
        *_PROGRAM,
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=environment(),
    )
    said = (await tried.communicate())[1].decode(errors="replace").split("\n")
    return next((line for line in reversed(said) if line.strip()), "it says nothing")


def environment() -> dict[str, str]:
    """Return this process's environment, with its import path.

    The folder that it works in comes last: a plug-in may import from it.

    One thread for linear algebra: trials want the cores, and sums that are
    split differently round differently.
    """
    path = os.pathsep.join([*filter(None, sys.path), str(Path.cwd())])
    threads = {name: os.environ.get(name, "1") for name in _THREADS}
    return {**os.environ, **threads, "PYTHONPATH": path}
