"""The engine's end of `report()`, for programs that are run by a test."""

import asyncio
import os
import sys
from collections.abc import Sequence

from tunewright.metrics_collector.push import PushServer


class PushEngine:
    """Keeps what is pushed, as a store would: each sequence once."""

    def __init__(self, stop_at: int | None = None, tokens: Sequence[str] = ("t1", "t2")) -> None:
        """Say that a source's trial is to stop once so many samples of it are kept."""
        self.kept: dict[tuple[str, str], dict[int, tuple]] = {}
        self.stop_at = stop_at
        self.tokens = tokens

    async def __call__(self, token, source, first, samples):
        if token not in self.tokens:
            raise KeyError(token)
        kept = self.kept.setdefault((token, source), {})
        for number, sample in enumerate(samples, first):
            kept.setdefault(number, (sample.metric, sample.value, sample.step))
        stop = self.stop_at is not None and len(kept) >= self.stop_at
        return max(kept, default=-1), stop

    def values(self, token: str) -> list[float]:
        return [v for (t, _), kept in self.kept.items() if t == token for _, v, _ in kept.values()]

    def steps(self, metric: str) -> list[int]:
        """Return the steps at which a metric was reported."""
        return [s for kept in self.kept.values() for m, _, s in kept.values() if m == metric]


async def run(program: str, address: str, token: str = "t1") -> str:
    """Run a Python program as a trial of the engine there, and return what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import tunewright\n" + program,
        env={**os.environ, "TUNEWRIGHT_REPORT": address, "TUNEWRIGHT_TOKEN": token},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


def with_engine(engine: PushEngine, *programs: tuple[str, str]) -> list[str]:
    """Run programs, each with its token, as trials of an engine; return what they printed."""

    async def main() -> list[str]:
        server = PushServer(engine)
        await server.start()
        try:
            return await asyncio.gather(*(run(p, server.address, t) for p, t in programs))
        finally:
            await server.close()

    return asyncio.run(main())
