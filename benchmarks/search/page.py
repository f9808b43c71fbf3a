"""The page on how well algorithms search, of results that `search.regret --keep` wrote.

`PYTHONPATH=.types:benchmarks python -m search.page FILE... --hypervolume FILE --fidelity FILE`
renews docs/search-benchmarks.md and its drawing. A case that stands in several files counts as
it is in the last; the two options name what `search.hypervolume` and `search.fidelity` printed.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from search.cases import BUDGETS, ROOT, Case, Result
from search.chart import drawing
from search.fidelity import EPOCHS, ETA, FULL, OPTUNA_MOST
from search.hypervolume import TRIALS
from search.kept import kept
from search.problems import FAMILIES
from search.regret import FIRST, Found, first_places, mean_places, of_family, section
from search.searchers import CONTENDERS

PAGE = ROOT / "docs" / "search-benchmarks.md"
DRAWING = ROOT / "docs" / "images" / "search-places.svg"

_AFTER = f"{', '.join(map(str, BUDGETS[:-1]))} and {BUDGETS[-1]} trials"

HEAD = f"""# How well it searches

Written by `benchmarks/search`. Every contender searches the same problems with the same seeds; a
library is called directly, as its manual says. What counts is the **regret**: how much worse the
trial that looks best is than the best that there is, without the noise that the search saw. A
**place** is a contender's rank among all by its regret, 1 is best, as the mean over problems and
seeds after {_AFTER}; equals share theirs.

The tables are of problems that are **held out**: no constant of an algorithm was set, and none was
chosen, by what it does on them. Those that may be tuned on are others, named below each table.
They are functions and simulations, not your training: read the tables as who copes with what, not
as what a search will save.
"""

HYPERVOLUME = f"""## Two objectives

The share of the best front's hypervolume that {TRIALS} trials did not cover (to a reference of 1.1,
1.1): the median of the seeds and its quartiles, less is better. Held out; zdt1 may be tuned on.
"""

FIDELITY = f"""## A little training first

Simulated trainings in virtual time, in which each worker has time for {FULL:.0f} trainings of
{EPOCHS} epochs; eta is {ETA}. The regret of the trial that looks best by then, if it were trained
to the end: the median of the seeds and its quartiles. Nothing was tuned on these. A promoted trial
of ours goes on from its parent's checkpoint; hyperband and bohb begin anew with another seed where
they have come to their end, and wait for a rung to fill, so that they cannot use many workers.
optuna's pruners cost no time here, and were not measured with more than {OPTUNA_MOST} workers.
"""

NOTES = """## Reading it

- `against auto` is Wilcoxon's signed-rank test over pairs of one problem and seed, by the logarithm
  of the regret at the last budget; regrets below 1e-9 are alike. It is not corrected for the number
  of comparisons.
- `answer` is the median wait for an answer, on a machine that had other work: it says the order of
  magnitude.
- A library that cannot search a space is not in its table.
- `auto` is built on a Gaussian process, which takes more time for an answer than the others; where
  a trial takes a second or less, that is a price.
"""


def page(found: Found, further: Sequence[str] = ()) -> str:
    """Return the page; `further` are sections that stand behind those of the families."""
    families = list(dict.fromkeys(case.family for case in found))
    parts = [HEAD, _summary(found)]
    for family in families:
        tuned = ", ".join(each.name for each in FAMILIES[family].tuning)
        parts += [
            section(family, found).replace("###", "##", 1),
            f"Tuned on: {tuned}. {_not_first(of_family(family, found))}",
        ]
    return "\n\n".join(part.strip() for part in (*parts, *further, NOTES)) + "\n"


def _summary(found: Found) -> str:
    contenders = [CONTENDERS[name] for name in dict.fromkeys(case.contender for case in found)]
    versions = sorted({f"{each.package} {each.version()}" for each in contenders if each.package})
    return (
        "![The mean place of each contender in each family](images/search-places.svg)\n\n"
        f"Small, middle and large dots: places after {_AFTER}. Blue: Tunewright's, orange: "
        f"{', '.join(versions)}."
    )


def _not_first(found: Found) -> str:
    """Say where another is ahead of auto: by its place, or by the median regret on a problem."""
    places = {budget: mean_places(found, budget) for budget in BUDGETS}
    ahead = {budget: min(each, key=each.__getitem__) for budget, each in places.items()}
    firsts = first_places(found)
    lost = {problem: names for problem, names in firsts.items() if FIRST not in names}
    said = [f"`{FIRST}` has the least median regret on {len(firsts) - len(lost)} of {len(firsts)}"]
    if lost:
        each = ", ".join(f"{problem} ({' and '.join(names)})" for problem, names in lost.items())
        said.append(f"it is not first on {each}")
    said += [
        f"after {budget} trials {name} is ahead" for budget, name in ahead.items() if name != FIRST
    ]
    return "; ".join(said) + "."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--hypervolume", type=Path, metavar="FILE")
    parser.add_argument("--fidelity", type=Path, metavar="FILE")
    asked = parser.parse_args()
    found: dict[Case, Result] = {}
    for file in asked.files:
        found |= kept(file)
    panels = {
        FAMILIES[family].title: {
            budget: mean_places(of_family(family, found), budget) for budget in BUDGETS
        }
        for family in dict.fromkeys(case.family for case in found)
    }
    further = [
        f"{head}\n{file.read_text(encoding='utf-8')}"
        for head, file in ((HYPERVOLUME, asked.hypervolume), (FIDELITY, asked.fidelity))
        if file is not None
    ]
    ours = [name for name, contender in CONTENDERS.items() if not contender.package]
    DRAWING.parent.mkdir(exist_ok=True)
    DRAWING.write_text(drawing(panels, ours), encoding="utf-8")
    PAGE.write_text(page(found, further), encoding="utf-8")


if __name__ == "__main__":
    main()
