"""What every algorithm must keep, in process and over either protocol.

A space that the algorithm refuses at validation is left out of its rules; one
that refuses all is broken.
"""

import asyncio
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ...api.errors import TunewrightError
from .probe import SPACES, problem_of
from .question import Broken, Question, smallest
from .rules import ONE_SPACE_RULES, RESTART_RULES, RULES, STATELESS_RULES
from .subject import AtAddress, InProcess, Subject


class Ruling(StrEnum):
    """What a plug-in is good for."""

    STATELESS = "stateless"  # may be restarted at any time
    STATEFUL = "stateful but usable"  # forgets when it is restarted
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Complaint:
    """What breaks a rule, and the smallest question that shows it, where one alone does."""

    text: str
    question: Question | None = None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule on one algorithm: `complaint` is None where it is kept."""

    algorithm: str
    rule: str
    complaint: Complaint | None
    seconds: float

    @property
    def verdict(self) -> str:
        if self.complaint is None:
            return "kept"
        return "stateful" if self.rule in STATELESS_RULES else "BROKEN"


@dataclass(frozen=True, slots=True)
class Report:
    """Every finding, and what they amount to. `left_out` are the rules that were not run."""

    findings: tuple[Finding, ...]
    left_out: tuple[str, ...] = ()

    @property
    def broken(self) -> Sequence[Finding]:
        return [finding for finding in self.findings if finding.complaint is not None]

    @property
    def ruling(self) -> Ruling:
        unsure = {finding.rule for finding in self.broken} | set(self.left_out)
        if not unsure:
            return Ruling.STATELESS
        return Ruling.STATEFUL if unsure <= STATELESS_RULES else Ruling.BROKEN


async def check_rule(subject: Subject, name: str, rule: str) -> Complaint | None:
    """Run a rule on the spaces that the algorithm accepts; return the first complaint."""
    accepted, most = 0, _most_spaces(subject, rule)
    for label, space in SPACES.items():
        if await subject.faults(problem_of(space, name)):
            continue
        accepted += 1
        try:
            await subject.begin()
            await RULES[rule](subject, name, space)
        except Broken as broken:
            return Complaint(f"{label}: {broken}", await _smallest(subject, broken))
        except TunewrightError as error:
            return Complaint(f"{label}: {error}")
        if accepted == most:
            break
    return None if accepted else Complaint("every search space was refused at validation")


def _most_spaces(subject: Subject, rule: str) -> int:
    """Return on how many spaces a rule is tried; each restart of a process takes half a second."""
    if rule in ONE_SPACE_RULES:
        return 1
    return 3 if rule in RESTART_RULES and subject.calls_a_restart > 1 else len(SPACES)


async def _smallest(subject: Subject, broken: Broken) -> Question | None:
    if broken.question is None or broken.check is None:
        return None
    try:
        return await smallest(subject, broken.question, broken.check)
    except TunewrightError:  # it is away by now
        return None


async def examine(subject: Subject, names: Sequence[str], *, restarts: bool = True) -> Report:
    """Run every rule on every algorithm."""
    findings = []
    for name in names:
        for rule in RULES:
            if rule in RESTART_RULES and not restarts:
                continue
            begun = time.monotonic()
            complaint = await check_rule(subject, name, rule)
            findings.append(Finding(name, rule, complaint, time.monotonic() - begun))
    return Report(tuple(findings), () if restarts else tuple(sorted(RESTART_RULES)))


def run_here(algorithm: str) -> Report:
    """Examine an algorithm of this process."""
    return asyncio.run(examine(InProcess(), [algorithm]))


def run(
    address: str | None = None, command: Sequence[str] = (), *, algorithm: str = "random"
) -> Report:
    """Examine the service at an address, or the one that a command starts.

    In the command `{port}` stands for the port to listen on; a command without
    it is taken to listen on Katib's 6789.

    Raises:
        PluginUnavailable: nothing listens there.
    """
    if not command:
        assert address is not None
        subject = AtAddress(address)
        return asyncio.run(examine(subject, [algorithm], restarts=False))
    chosen = _free_port() if any("{port}" in word for word in command) else 6789
    words = [word.replace("{port}", str(chosen)) for word in command]
    subject = AtAddress(f"127.0.0.1:{chosen}", words)

    async def examined() -> Report:
        await subject.restart()
        return await examine(subject, [algorithm])

    try:
        return asyncio.run(examined())
    finally:
        subject.stop()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
