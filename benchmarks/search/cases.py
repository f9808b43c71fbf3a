"""One search by one contender: what it is measured by, done once and kept.

Results are lines of JSON in a file outside the checkout. A line is found again by all that
it depends on: the contender with the state of its code, the problem, its circumstances, and
the seed. So a run that was interrupted goes on, and only what has changed is measured again.
"""

import hashlib
import json
import math
import os
import random
import statistics
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from search.problems import FAMILIES
from search.searchers import CONTENDERS
from tunewright.api.space import Point
from tunewright.suggestion.plugin.problems import Challenge

BUDGETS = (25, 50, 100)
ROOT = Path(__file__).parents[2]
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Case:
    family: str
    problem: str
    contender: str
    seed: int
    trials: int

    @property
    def challenge(self) -> Challenge:
        family = FAMILIES[self.family]
        return next(c for c in (*family.tuning, *family.held_out) if c.name == self.problem)

    def key(self) -> str:
        """Return the digest of all that the result depends on."""
        family, contender = FAMILIES[self.family], CONTENDERS[self.contender]
        code = contender.version() if contender.package else _digest("suggestion", "api/space.py")
        depends = (
            asdict(self),
            (family.noise.get(self.problem, 0.0), family.failing, family.parallel),
            code,
            _digest("benchmarks/search/searchers.py", "benchmarks/search/cases.py"),
            [_digest(f"benchmarks/search/{name}.py") for name in ("functions", "mixed", "models")],
        )
        return hashlib.sha256(repr(depends).encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Result:
    """`regrets` are by the budget that was spent; `seconds` is the median wait for an answer."""

    regrets: Mapping[int, float]
    seconds: float


def searched(case: Case) -> Result:
    """Search once. The regret is that of the trial that looks best, without its noise."""
    family, challenge = FAMILIES[case.family], case.challenge
    noise = family.noise.get(case.problem, 0.0)
    searcher = CONTENDERS[case.contender].start(challenge.space, case.seed, family.parallel)
    seen: list[tuple[float, float]] = []  # as it looks, and as it is
    waits, best = [], []
    while len(seen) < case.trials:
        begun = time.perf_counter()
        points = searcher.ask(min(family.parallel, case.trials - len(seen)))
        wait = time.perf_counter() - begun
        if not points:
            break
        told = [
            _seen(challenge, point, (case.seed, len(seen) + place), noise, family.failing)
            for place, point in enumerate(points)
        ]
        begun = time.perf_counter()
        searcher.tell([None if each is None else each[0] for each in told])
        waits.append(wait + time.perf_counter() - begun)
        for each in told:
            seen.append((math.inf, math.inf) if each is None else each)
            best.append(min(seen)[1])
    regrets = {
        budget: max(best[min(budget, len(best)) - 1] - challenge.optimum, 0.0)
        for budget in BUDGETS
        if budget <= case.trials
    }
    return Result(regrets, statistics.median(waits))


def _seen(
    challenge: Challenge, point: Point, trial: tuple[int, int], noise: float, failing: float
) -> tuple[float, float] | None:
    chance = random.Random(repr(trial))
    if chance.random() < failing:
        return None
    loss = challenge.loss(point)
    return loss + noise * chance.gauss(0, 1), loss


def results(cases: Sequence[Case], *, processes: int | None = None) -> Mapping[Case, Result]:
    """Return what the searches came to; those that are not in the file are done, and written."""
    file = _file()
    known = _read(file)
    missing = [case for case in cases if case.key() not in known]
    found = {case: known[case.key()] for case in cases if case.key() in known}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))  # before the workers load numpy
    with file.open("a", encoding="utf-8") as out, ProcessPoolExecutor(processes) as pool:
        running = {pool.submit(searched, case): case for case in missing}
        for done, future in enumerate(as_completed(running), start=1):
            case, result = running[future], future.result()
            line = {"key": case.key(), **asdict(case), **asdict(result)}
            print(json.dumps(line), file=out, flush=True)
            found[case] = result
            if done % 50 == 0:
                print(f"  {done} of {len(missing)} searches", file=sys.stderr, flush=True)
    return found


def _file() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    file = home / "tunewright-bench" / "search.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return file


def _read(file: Path) -> Mapping[str, Result]:
    """A last line that was cut off is no result; what is written next begins a line."""
    found = {}
    written = file.read_text(encoding="utf-8")
    if written and not written.endswith("\n"):
        file.write_text(written + "\n", encoding="utf-8")
    for line in written.splitlines():
        try:
            read = json.loads(line)
        except json.JSONDecodeError:
            continue
        regrets = {int(budget): regret for budget, regret in read["regrets"].items()}
        found[read["key"]] = Result(regrets, read["seconds"])
    return found


@cache
def _digest(*paths: str) -> str:
    found = hashlib.sha256()
    for file in _sources(paths):
        found.update(file.read_bytes())
    return found.hexdigest()


def _sources(paths: Iterable[str]) -> Iterable[Path]:
    for path in paths:
        whole = ROOT / path
        yield from sorted(whole.rglob("*.py")) if whole.is_dir() else [whole]
