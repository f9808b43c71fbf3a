"""The page on how well algorithms search, of results that `search.regret --keep` wrote.

`PYTHONPATH=.types:benchmarks python -m search.page FILE... --hypervolume FILE --fidelity FILE`
renews the sections of docs/search-benchmarks.md of which it is given results, and the drawing; the
others stay. A case that stands in several files counts as it is in the last; the two options name
what `search.hypervolume` and `search.fidelity` printed.
"""

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from search.cases import BUDGETS, ROOT, Case, Result
from search.chart import Places, drawing
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

Written by `benchmarks/search`. Every contender searches the same problems with the same seeds.
Libraries are called directly, as their manuals say. What counts is the **regret**: how much worse
the trial that looks best is than the true optimum, without the noise that the search saw. A
**place** is a contender's rank by regret, where 1 is best, averaged over problems and seeds after
{_AFTER}; ties share a place.

The problems in the tables are **held out**: no constant of an algorithm was set or chosen by
results on them. The problems that may be used for tuning are named below each table. All are
functions, simulations and small models, not your training. They show which algorithm copes with
what, not how much a search will save.

![The mean place of each contender in each family](images/search-places.svg)

Small, middle and large dots: places after {_AFTER}. Blue: Tunewright's, orange: the libraries'.
"""

HYPERVOLUME = f"""The share of the best front's hypervolume that {TRIALS} trials did not
cover (to a reference of 1.1, 1.1): median and quartiles over the seeds, lower is better. Held out;
zdt1 may be used for tuning.
"""

FIDELITY = f"""Simulated trainings in virtual time, in which each worker has time for
{FULL:.0f} trainings of {EPOCHS} epochs; eta is {ETA}. The table shows the regret of the trial that
looks best at the end, if it were trained to the end: median and quartiles over the seeds. Nothing
was tuned on these. Our promoted trials continue from their parent's checkpoint. hyperband and bohb
start over with another seed when they have ended, and wait for a rung to fill, so that they cannot
use many workers. optuna's pruners cost no time here, and were not measured with more than
{OPTUNA_MOST} workers.
"""

NOTES = """
- `against auto` is Wilcoxon's signed-rank test over pairs of one problem and seed, by the logarithm
  of the regret at the last budget; regrets below 1e-9 count as equal. It is not corrected for the
  number of comparisons.
- `answer` is the median time to an answer, on a machine with other load; it shows the order of
  magnitude.
- A library that cannot search a space is not in its table. Two are measured only if installed:
  `pip install hyperopt`, and `pip install "google-vizier[algorithms,jax]" "jax<0.5" "flax<0.11"`,
  each best with `--target` into a folder on `PYTHONPATH`. Vizier's Gaussian process takes five
  seconds or more for an answer; no table here has it.
- `auto` is built on a Gaussian process, which takes longer to answer than the others. If a trial
  takes a second or less, this matters.
"""


_TWO, _LITTLE, _READING = "Two objectives", "A little training first", "Reading it"
_TITLES = (*(family.title for family in FAMILIES.values()), _TWO, _LITTLE, _READING)

Sections: TypeAlias = Mapping[str, str]
"""What stands below a title of the second level, by that title."""


def sections_of(page: str) -> Sections:
    parts = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    divided = (part.split("\n", 1) for part in parts)
    return {title: text.strip() for title, text in divided}


def sections(found: Found) -> Sections:
    """Return a section for each family of which there are results."""
    return {
        FAMILIES[family].title: _section(family, of_family(family, found))
        for family in dict.fromkeys(case.family for case in found)
    }


def page(written: Sections) -> str:
    """Return the page, its sections in the order of the families."""
    known = {**written, _READING: NOTES}
    parts = [f"## {title}\n\n{known[title].strip()}" for title in _TITLES if title in known]
    return "\n\n".join([HEAD.strip(), *parts]) + "\n"


def places_of(section: str) -> Places:
    """Read the places from a section's table; none where it has no such table."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line.startswith("| ")
    ]
    if not rows:
        return {}
    columns = {budget: f"place at {budget}" for budget in BUDGETS}
    return {
        budget: {row[0]: float(row[rows[0].index(title)]) for row in rows[1:]}
        for budget, title in columns.items()
        if title in rows[0]
    }


def _section(family: str, found: Found) -> str:
    _, table = section(family, found).split("\n", 1)
    tuned = ", ".join(each.name for each in FAMILIES[family].tuning)
    said = f"Tuned on: {tuned}. {_not_first(found)}"
    libraries = _libraries(found)
    beside = f" Beside {', '.join(libraries)}." if libraries else ""
    return f"{table.strip()}\n\n{said}{beside}"


def _libraries(found: Found) -> list[str]:
    contenders = [CONTENDERS[name] for name in dict.fromkeys(case.contender for case in found)]
    return sorted({f"{each.package} {each.version()}" for each in contenders if each.package})


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
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--hypervolume", type=Path, metavar="FILE")
    parser.add_argument("--fidelity", type=Path, metavar="FILE")
    asked = parser.parse_args()
    found: dict[Case, Result] = {}
    for file in asked.files:
        found |= kept(file)
    printed = {_TWO: (HYPERVOLUME, asked.hypervolume), _LITTLE: (FIDELITY, asked.fidelity)}
    written = {
        **sections_of(PAGE.read_text(encoding="utf-8")),
        **sections(found),
        **{
            title: f"{head}\n{file.read_text(encoding='utf-8')}"
            for title, (head, file) in printed.items()
            if file is not None
        },
    }
    panels = {title: places_of(written[title]) for title in _TITLES if title in written}
    ours = [name for name, contender in CONTENDERS.items() if not contender.package]
    DRAWING.parent.mkdir(exist_ok=True)
    drawn = {title: places for title, places in panels.items() if places}
    DRAWING.write_text(drawing(drawn, ours), encoding="utf-8")
    PAGE.write_text(page(written), encoding="utf-8")


if __name__ == "__main__":
    main()
