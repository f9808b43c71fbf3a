"""Results in a file of their own, for the page: those of one state of the code, or of several."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path

from search.cases import Case, Result


def keep(found: Mapping[Case, Result], file: Path) -> None:
    lines = (json.dumps({**asdict(case), **asdict(result)}) for case, result in found.items())
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def kept(file: Path) -> Mapping[Case, Result]:
    found = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        read = json.loads(line)
        case = Case(**{field.name: read[field.name] for field in fields(Case)})
        regrets = {int(budget): regret for budget, regret in read["regrets"].items()}
        found[case] = Result(regrets, read["seconds"])
    return found
