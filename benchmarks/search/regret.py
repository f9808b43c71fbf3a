"""How well algorithms search: simple regret on families of problems, beside the libraries.

With `PYTHONPATH=.types:benchmarks`, `python -m search.regret --families low --contenders
auto,tpe --seeds 3 --tuning` prints what a part of it comes to, on the problems that may be
tuned on. `--keep FILE` writes the results down; `search.page` makes the page of such files.
"""

import argparse
import statistics
from collections.abc import Mapping, Sequence
from math import log10
from pathlib import Path

from search.cases import BUDGETS, Case, Result, results
from search.kept import keep
from search.problems import FAMILIES
from search.searchers import CONTENDERS
from search.spread import spread

FIRST = "auto"
_LEAST = 1e-9  # regrets below are alike
_SIGNIFICANT = 0.05

Found = Mapping[Case, Result]


def measured(
    families: Sequence[str],
    contenders: Sequence[str],
    *,
    seeds: int,
    trials: int,
    tuning: bool = False,
) -> Found:
    """Let everyone search who can."""
    return results(
        [
            Case(family, challenge.name, contender, seed, trials)
            for family in families
            for challenge in (FAMILIES[family].tuning if tuning else FAMILIES[family].held_out)
            for contender in contenders
            if CONTENDERS[contender].can(challenge.space)
            for seed in range(1, seeds + 1)
        ]
    )


def report(found: Found) -> str:
    """Return a section a family."""
    families = list(dict.fromkeys(case.family for case in found))
    return "\n\n".join(section(family, found) for family in families)


def of_family(family: str, found: Found) -> Found:
    return {case: result for case, result in found.items() if case.family == family}


def section(family: str, found: Found) -> str:
    """Return a family's table: places by budget, the regrets of each problem, and a test."""
    mine = of_family(family, found)
    budgets = list(next(iter(mine.values())).regrets)
    places = {budget: mean_places(mine, budget) for budget in budgets}
    problems = list(dict.fromkeys(case.problem for case in mine))
    columns = [*(f"place at {each}" for each in budgets), *problems, f"against {FIRST}", "answer"]
    lines = [
        f"### {FAMILIES[family].title}",
        "",
        f"{len({case.seed for case in mine})} seeds; the median regret and its quartiles.",
        "",
        f"| | {' | '.join(columns)} |",
        "|---|" + "---|" * len(columns),
    ]
    last = places[budgets[-1]]
    for name in sorted(last, key=last.__getitem__):
        waits = [result.seconds for case, result in mine.items() if case.contender == name]
        cells = [
            *(f"{places[budget][name]:.1f}" for budget in budgets),
            *(_spread(name, problem, budgets[-1], mine) for problem in problems),
            against(name, mine),
            f"{1000 * statistics.median(waits):.0f} ms",
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def mean_places(found: Found, budget: int) -> Mapping[str, float]:
    """Return each contender's place among all, 1 is best, as the mean over problems and seeds."""
    races: dict[tuple[str, int], dict[str, float]] = {}
    for case, result in found.items():
        race = races.setdefault((case.problem, case.seed), {})
        race[case.contender] = _floored(result.regrets[budget])
    places: dict[str, list[float]] = {}
    for race in races.values():
        for name, regret in race.items():
            better = sum(rival < regret for rival in race.values())
            alike = sum(rival == regret for rival in race.values())
            places.setdefault(name, []).append(better + (alike + 1) / 2)
    return {name: statistics.fmean(each) for name, each in places.items()}


def first_places(found: Found) -> Mapping[str, Sequence[str]]:
    """Return for each problem whose median regret is the least at the end; equals share it."""
    regrets: dict[str, dict[str, list[float]]] = {}
    for case, result in found.items():
        theirs = regrets.setdefault(case.problem, {}).setdefault(case.contender, [])
        theirs.append(_floored(result.regrets[max(result.regrets)]))
    firsts = {}
    for problem, by_name in regrets.items():
        medians = {name: statistics.median(each) for name, each in by_name.items()}
        least = min(medians.values())
        firsts[problem] = [name for name, median in medians.items() if median == least]
    return firsts


def against(contender: str, found: Found) -> str:
    """Say whether it is significantly better or worse than `auto`: Wilcoxon, paired by seed.

    The pairs are of one problem and seed; regrets are compared by their logarithms, so that
    no problem outweighs the others.
    """
    pairs = _pairs(contender, found)
    if contender == FIRST or not pairs:
        return ""
    differences = [theirs - first for theirs, first in pairs]
    if not any(differences):
        return "alike"
    from scipy.stats import wilcoxon

    p = float(wilcoxon(differences).pvalue)
    if p >= _SIGNIFICANT:
        return f"alike (p = {p:.2f})"
    return f"{'worse' if _signed_ranks(differences) > 0 else 'better'} (p = {p:.2g})"


def _signed_ranks(differences: Sequence[float]) -> float:
    """Return the sum of the signed ranks: its sign says which side is ahead."""
    ordered = sorted(differences, key=abs)
    signs = ((each > 0) - (each < 0) for each in ordered)
    return sum(rank * sign for rank, sign in enumerate(signs, start=1))


def _pairs(contender: str, found: Found) -> list[tuple[float, float]]:
    firsts = {(c.problem, c.seed): result for c, result in found.items() if c.contender == FIRST}
    pairs = []
    for case, result in found.items():
        first = firsts.get((case.problem, case.seed))
        if case.contender == contender and first is not None:
            at = max(result.regrets)
            pairs.append((log10(_floored(result.regrets[at])), log10(_floored(first.regrets[at]))))
    return pairs


def _floored(regret: float) -> float:
    return max(regret, _LEAST)


def _spread(contender: str, problem: str, budget: int, found: Found) -> str:
    regrets = [
        result.regrets[budget]
        for case, result in found.items()
        if (case.contender, case.problem) == (contender, problem)
    ]
    return spread(regrets) if regrets else "–"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--contenders", default="auto,random")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=BUDGETS[-1], choices=BUDGETS)
    parser.add_argument("--tuning", action="store_true", help="problems that may be tuned on")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="write the results down")
    return parser.parse_args()


def main() -> None:
    asked = _arguments()
    found = measured(
        asked.families.split(","),
        asked.contenders.split(","),
        seeds=asked.seeds,
        trials=asked.trials,
        tuning=asked.tuning,
    )
    if asked.keep is not None:
        keep(found, asked.keep)
    print(report(found))


if __name__ == "__main__":
    main()
