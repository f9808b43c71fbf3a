"""The ways to start a worker, and what the system knows of its process."""

import asyncio
from pathlib import Path

import pytest
from tunewright.suggestion.interpreter import start_interpreter
from tunewright.suggestion.nursery import Nursery
from tunewright.suggestion.worker import WorkerSuggester


class Interpreters:
    program = "tunewright.suggestion.interpreter._PROGRAM"

    def __init__(self):
        self.start = start_interpreter
        self._opened = []

    def suggester(self, history=lambda _after: (), **options):
        """Return one that is closed in the end."""
        self._opened.append(WorkerSuggester(history, start=self.start, **options))
        return self._opened[-1]

    def number(self, suggester):
        return suggester._process._process.pid

    async def close(self):
        for each in self._opened:
            await each.close()


class Forks(Interpreters):
    program = "tunewright.suggestion.nursery._PROGRAM"

    def __init__(self):
        super().__init__()
        self.nursery = Nursery()
        self.start = self.nursery.start

    @property
    def nursery_number(self):
        return self.nursery._process.pid

    def number(self, _suggester):
        """Return the number of the only worker."""
        [number] = children(self.nursery_number)
        return number

    async def close(self):
        await super().close()
        await self.nursery.close()


def by_interpreters(run):
    return _run(Interpreters, run)


def by_forks(run):
    return _run(Forks, run)


def _run(kind, run):
    async def within():
        workers = kind()
        try:
            return await run(workers)
        finally:
            await workers.close()

    return asyncio.run(within())


FORMS = [by_interpreters, pytest.param(by_forks, marks=pytest.mark.needs("linux"))]
"""Each runs a coroutine function that is handed the way to start workers."""


def children(number):
    """Return the numbers of a process's children."""
    lists = Path(f"/proc/{number}/task").glob("*/children")
    return [int(each) for one in lists for each in one.read_text().split()]


def is_gone(number):
    """Say whether a process has ended, although nobody may have waited for it."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
