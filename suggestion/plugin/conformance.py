"""What every algorithm must keep, in process and over either protocol.

Each rule runs a small search against the algorithm and says what is wrong. A
space that the algorithm refuses at validation is left out of its rules; one
that refuses all is broken.
"""

import asyncio
import contextlib
import math
import shlex
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, TypeAlias

from ...api.errors import Fault, PluginUnavailable, TunewrightError
from ...api.history import (
    Entry,
    Finished,
    Proposal,
    Proposed,
    SearchState,
    Suggestion,
    Verdict,
)
from ...api.objective import Direction, Metric, Objective, Strategy
from ...api.problem import Problem
from ...api.space import Distribution, Parameter, ParameterKind, Point, SearchSpace, Value
from ...api.states import TrialState
from .. import registry
from ..client import RemoteSuggester
from ..inline import History, InlineSuggester
from ..suggester import AnySuggester


class Ruling(StrEnum):
    """What a plug-in is good for."""

    STATELESS = "stateless"  # may be restarted at any time
    STATEFUL = "stateful but usable"  # forgets when it is restarted
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule on one algorithm: `complaint` is None where it is kept."""

    algorithm: str
    rule: str
    complaint: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """Every finding, and what they amount to. `notes` says what was left out, and why."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    @property
    def broken(self) -> Sequence[Finding]:
        return [finding for finding in self.findings if finding.complaint is not None]

    @property
    def ruling(self) -> Ruling:
        broken = {finding.rule for finding in self.broken}
        if not broken:
            return Ruling.STATELESS
        return Ruling.STATEFUL if broken <= RESTART_RULES else Ruling.BROKEN


class Broken(Exception):  # it is what the plug-in is
    """A rule is broken; the text says how."""


class Subject(Protocol):
    """Where an algorithm is asked, and how it is made to forget."""

    async def open(self, history: History) -> AnySuggester:
        """Return a way to ask that knows nothing yet."""
        ...

    async def faults(self, problem: Problem) -> Sequence[Fault]: ...

    async def restart(self) -> bool:
        """Forget everything, where that can be done from here."""
        ...


class InProcess:
    """The registry's algorithms, in this process."""

    async def open(self, history: History) -> AnySuggester:
        return InlineSuggester(history)

    async def faults(self, problem: Problem) -> Sequence[Fault]:
        return registry.validate_problem(problem)

    async def restart(self) -> bool:
        return True


@dataclass(slots=True)
class AtAddress:
    """A service; with a command it is ours to restart."""

    address: str
    command: Sequence[str] = ()
    speaks_v1: bool | None = None
    timeout: float = 60.0
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    async def open(self, history: History) -> AnySuggester:
        return RemoteSuggester(
            self.address, history, timeout=self.timeout, speaks_v1=self.speaks_v1
        )

    async def faults(self, problem: Problem) -> Sequence[Fault]:
        client = RemoteSuggester(
            self.address, lambda _after: (), timeout=self.timeout, speaks_v1=self.speaks_v1
        )
        try:
            return await client.validate(problem)
        finally:
            await client.close()

    async def restart(self) -> bool:
        if not self.command:
            return False
        self.stop()
        self._process = subprocess.Popen(self.command)  # noqa: ASYNC220  # it returns at once
        for _ in range(int(self.timeout * 10)):
            if await asyncio.to_thread(self._answers):
                return True
            await asyncio.sleep(0.1)
        raise PluginUnavailable(f"{shlex.join(self.command)} does not listen on {self.address}")

    def stop(self) -> None:
        """End the command's process."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        host, _, port = self.address.rpartition(":")
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
            return True
        return False


# What is searched.

_RICH = SearchSpace(
    (
        Parameter("x", ParameterKind.DOUBLE, Decimal(-1), Decimal(2)),
        Parameter(
            "rate",
            ParameterKind.DOUBLE,
            Decimal("0.00001"),
            Decimal("0.1"),
            distribution=Distribution.LOG_UNIFORM,
        ),
        Parameter("layers", ParameterKind.INT, Decimal(1), Decimal(9), Decimal(2)),
        Parameter("drop", ParameterKind.DOUBLE, Decimal("0.1"), Decimal("0.9"), Decimal("0.1")),
        Parameter("batch", ParameterKind.DISCRETE, choices=("16", "32", "64.0")),
        Parameter("optimizer", ParameterKind.CATEGORICAL, choices=("sgd", "adam", "lion")),
    )
)
_GRIDS = (
    (ParameterKind.DOUBLE, None),
    (ParameterKind.DOUBLE, Decimal("0.5")),
    (ParameterKind.INT, Decimal(1)),
    (ParameterKind.INT, Decimal(4)),
)
_DISTRIBUTED = SearchSpace(
    tuple(
        Parameter(f"{distribution}-{place}", kind, Decimal(1), Decimal(65), step, (), distribution)
        for distribution in Distribution
        for place, (kind, step) in enumerate(_GRIDS)
    )
)
_SMALL = SearchSpace(
    (
        Parameter("a", ParameterKind.INT, Decimal(1), Decimal(3), Decimal(1)),
        Parameter("b", ParameterKind.DOUBLE, Decimal(0), Decimal(1), Decimal("0.5")),
        Parameter("c", ParameterKind.CATEGORICAL, choices=("x", "y")),
    )
)
_SINGLE = SearchSpace(
    (
        Parameter("a", ParameterKind.INT, Decimal(4), Decimal(4), Decimal(1)),
        Parameter("b", ParameterKind.DOUBLE, Decimal("0.5"), Decimal("0.5")),
        Parameter("c", ParameterKind.CATEGORICAL, choices=("x",)),
    )
)
SPACES: Mapping[str, SearchSpace] = {
    "every kind": _RICH,
    "every distribution": _DISTRIBUTED,
    "a few points": _SMALL,
    "one point": _SINGLE,
}


def problem_of(space: SearchSpace, algorithm: str, *, seed: int = 1, uid: str = "") -> Problem:
    return Problem(
        experiment="conformance",
        uid=uid or f"conformance-{algorithm}-{len(space.parameters)}-{seed}",
        space=space,
        objective=Objective(Metric("loss", Strategy.MIN), Direction.MINIMIZE),
        algorithm=algorithm,
        settings={},
        seed=seed,
    )


def loss_of(point: Point) -> float:
    """Return a smooth objective of any space: the lower each number, the better, down to 1."""
    return sum((_number(value) - 1) ** 2 for value in point.values())


def _number(value: Value) -> float:
    try:
        return float(value)
    except ValueError:
        return float(len(str(value)))


class Trials:
    """The log of a search under examination."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.points: list[Point] = []

    def after(self, position: int) -> Sequence[Entry]:
        return self.entries[position:]

    def propose(self, proposals: Sequence[Proposal]) -> None:
        made_from = len(self.entries)
        for proposal in proposals:
            index = len(self.points)
            self.entries.append(Proposed(len(self.entries) + 1, index, proposal, made_from))
            self.points.append(proposal.point)

    def finish(self, index: int, value: float | None, verdict: Verdict = Verdict.OBSERVED) -> None:
        state = {
            Verdict.OBSERVED: TrialState.SUCCEEDED,
            Verdict.BAD: TrialState.FAILED,
            Verdict.NOTHING: TrialState.KILLED,
        }[verdict]
        position = len(self.entries) + 1
        self.entries.append(Finished(position, index, state, verdict, value))

    def finish_mixed(self, index: int) -> None:
        """End a trial as its index says: most succeed, some fail, are killed, or go on."""
        match index % 7:
            case 3:
                self.finish(index, math.nan, Verdict.BAD)
            case 4:
                self.finish(index, None, Verdict.BAD)
            case 5:
                self.finish(index, None, Verdict.NOTHING)
            case 6:
                pass  # pending for ever
            case _:
                self.finish(index, loss_of(self.points[index]))


@contextlib.asynccontextmanager
async def _asking(subject: Subject, trials: Trials) -> AsyncIterator[AnySuggester]:
    suggester = await subject.open(trials.after)
    try:
        yield suggester
    finally:
        await suggester.close()


async def _ask(suggester: AnySuggester, problem: Problem, trials: Trials, count: int) -> Suggestion:
    return await suggester.suggest(problem, len(trials.points), count, position=len(trials.entries))


async def _search(
    subject: Subject, problem: Problem, rounds: int, *, forgetful: bool = False
) -> list[Point]:
    """Search by twos; a forgetful search begins anew before every call."""
    trials = Trials()
    suggester = await subject.open(trials.after)
    try:
        for _ in range(rounds):
            if forgetful:
                await suggester.close()
                await subject.restart()
                suggester = await subject.open(trials.after)
            suggestion = await _ask(suggester, problem, trials, 2)
            first = len(trials.points)
            trials.propose(suggestion.proposals)
            for index in range(first, len(trials.points)):
                trials.finish_mixed(index)
    finally:
        await suggester.close()
    return trials.points


# The rules. Each takes a subject, an algorithm's name and a space that it accepts.

Rule: TypeAlias = Callable[[Subject, str, SearchSpace], Awaitable[None]]


async def points_lie_in_the_space(subject: Subject, name: str, space: SearchSpace) -> None:
    """Ranges, steps and lists; trials that failed, were killed, or are pending are borne."""
    for point in await _search(subject, problem_of(space, name), 12):
        if not space.contains(point):
            raise Broken(f"{dict(point)} is outside the search space")


async def counts_are_kept(subject: Subject, name: str, space: SearchSpace) -> None:
    """No points for 0, one for 1, and no more than were asked for."""
    trials = Trials()
    async with _asking(subject, trials) as suggester:
        for count in (0, 1, 5):
            found = len((await _ask(suggester, problem_of(space, name), trials, count)).proposals)
            if found > count:
                raise Broken(f"{found} points for {count}")


async def no_point_comes_twice(subject: Subject, name: str, space: SearchSpace) -> None:
    """A finite space is walked to its end without a repetition, and then said to be done."""
    size = space.cardinality
    if size is None or size > 100:
        return
    problem, trials = problem_of(space, name), Trials()
    async with _asking(subject, trials) as suggester:
        for _ in range(size):
            suggestion = await _ask(suggester, problem, trials, 1)
            if not suggestion.proposals:
                raise Broken(f"no point after {len(trials.points)} of {size}")
            trials.propose(suggestion.proposals)
            trials.finish(len(trials.points) - 1, loss_of(trials.points[-1]))
        if len({tuple(point.items()) for point in trials.points}) < size:
            raise Broken("a point came twice while others were unseen")
        last = await _ask(suggester, problem, trials, 1)
        if last.proposals or last.state is not SearchState.EXHAUSTED:
            raise Broken("a space whose points were all seen is not said to be exhausted")


async def a_batch_is_diverse(subject: Subject, name: str, space: SearchSpace) -> None:
    """Points of one answer differ while the space has enough of them."""
    size = space.cardinality or 8
    problem, trials = problem_of(space, name), Trials()
    async with _asking(subject, trials) as suggester:
        for _ in range(2):
            count = min(8, size - len(trials.points))
            suggestion = await _ask(suggester, problem, trials, count)
            points = {tuple(proposal.point.items()) for proposal in suggestion.proposals}
            if len(points) < len(suggestion.proposals):
                raise Broken("points of one batch are alike")
            trials.propose(suggestion.proposals)
            for index, point in enumerate(trials.points):
                trials.finish(index, loss_of(point))


async def the_same_history_gives_the_same_points(
    subject: Subject, name: str, space: SearchSpace
) -> None:
    """Two searches of one seed go one way."""
    problem = problem_of(space, name)
    first = await _search(subject, problem, 9)
    await subject.restart()
    if first != await _search(subject, problem, 9):
        raise Broken("two searches with one seed and one order of events went different ways")


async def a_restart_changes_nothing(subject: Subject, name: str, space: SearchSpace) -> None:
    """A search that is begun anew before every call goes the way of one that never was."""
    problem = problem_of(space, name)
    whole = await _search(subject, problem, 9)
    await subject.restart()
    if whole != await _search(subject, problem, 9, forgetful=True):
        raise Broken("restarted before every call, the search went another way")


async def a_long_history_is_borne(subject: Subject, name: str, space: SearchSpace) -> None:
    """10,000 trials of random points (100 where the space has few) and one question."""
    size = space.cardinality
    trials = Trials()
    points = registry.start(problem_of(space, "random", seed=5))
    count = 10_000 if size is None or size > 20_000 else size // 2
    trials.propose(points.suggest(0, count).proposals)
    for index in range(count):
        trials.finish(index, loss_of(trials.points[index]))
    async with _asking(subject, trials) as suggester:
        suggestion = await _ask(suggester, problem_of(space, name, uid="long"), trials, 1)
        if not suggestion.proposals and suggestion.state is SearchState.MORE:
            raise Broken("no point and no reason")


RULES: Mapping[str, Rule] = {
    "points lie in the space": points_lie_in_the_space,
    "counts are kept": counts_are_kept,
    "no point comes twice": no_point_comes_twice,
    "a batch is diverse": a_batch_is_diverse,
    "the same history gives the same points": the_same_history_gives_the_same_points,
    "a restart changes nothing": a_restart_changes_nothing,
    "a long history is borne": a_long_history_is_borne,
}
RESTART_RULES = frozenset({"the same history gives the same points", "a restart changes nothing"})


async def check_rule(subject: Subject, name: str, rule: str) -> str | None:
    """Run a rule on every space that the algorithm accepts; return the first complaint."""
    accepted = 0
    for label, space in SPACES.items():
        if await subject.faults(problem_of(space, name)):
            continue
        accepted += 1
        try:
            await RULES[rule](subject, name, space)
        except (Broken, TunewrightError) as error:
            return f"{label}: {error}"
    return None if accepted else "every search space was refused at validation"


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
    left_out = f"not run: {', '.join(sorted(RESTART_RULES))} (give the command to run them)"
    return Report(tuple(findings), () if restarts else (left_out,))


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
