"""Pipes of a process, on a loop whose clock stands still unless told."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tunewright.controller.local.streams import HASTY, REST, Streams


class Told:
    """Streams with a writer, and what they told; time passes when asked to."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._now = 0.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self._now)
        self.pieces: list[bytes] = []
        self.streams = Streams({"stdout": folder / "log"}, lambda _, data: self.pieces.append(data))

    def write(self, data: bytes) -> None:
        os.write(self.streams.writers[0], data)

    async def settle(self, seconds: float = 0.0) -> None:
        """Let time pass, and all happen that is due by then."""
        self._now += seconds
        for _ in range(5):
            await asyncio.sleep(0)

    async def end(self) -> None:
        os.close(self.streams.writers[0])
        await self.streams.drained(0.0)


@pytest.fixture
def tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run a story about streams; return the pieces that were told."""

    def run(story: Callable[[Told], Awaitable[None]]) -> list[bytes]:
        async def begin() -> list[bytes]:
            told = Told(tmp_path, monkeypatch)
            await story(told)
            return told.pieces

        return asyncio.run(begin())

    return run


def test_a_line_that_is_written_in_pieces_is_told_as_one(tell):
    async def story(told: Told) -> None:
        told.write(b"loss=")
        await told.settle()
        told.write(b"1\n")
        await told.settle(REST)
        assert told.pieces == [b"loss=1\n"]
        await told.end()

    assert tell(story) == [b"loss=1\n"]


def test_what_comes_after_a_rest_is_told_at_once(tell):
    async def story(told: Told) -> None:
        await told.settle(REST)
        told.write(b"one")
        await told.settle()
        assert told.pieces == [b"one"]
        await told.end()

    tell(story)


def test_a_program_that_writes_much_waits_for_no_rest(tell):
    async def story(told: Told) -> None:
        await told.settle(REST)
        for count in range(1, 4):
            told.write(b"x" * HASTY)
            await told.settle()
            assert len(told.pieces) == count
        await told.end()

    tell(story)


def test_the_end_tells_what_was_not_looked_at(tell):
    async def story(told: Told) -> None:
        told.write(b"last")
        await told.end()

    assert tell(story) == [b"last"]


def test_a_pipe_that_somebody_holds_open_is_left(tell):
    async def story(told: Told) -> None:
        told.write(b"said")
        await told.streams.drained(0.0)
        os.close(told.streams.writers[0])

    assert tell(story) == [b"said"]
