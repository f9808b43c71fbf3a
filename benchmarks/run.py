"""Measure Tunewright against its rivals, each in the same run: `make bench`.

`make bench ARGS=--quick` takes minutes instead of an hour, and writes nothing.
`make bench ARGS="engine suggest"` runs some of them, and renews their sections of the page.
"""

import argparse
import importlib
import os
import platform
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
BENCHMARKS = {
    # First: ext4 looks long for a free inode among those that others have freed by the thousand.
    "engine": "1,000 trivial trials at 2 in parallel",
    "first_contact": "First contact",
    "long_run": "An experiment of 100,000 trials",
    "collect": "The collector at a million lines",
    "report": "What a call of report() costs",
    "store": "A million observations into each database",
    "metrics_service": "The metrics service on a database server",
    "page": "The page: a large experiment, and many who watch",
    "suggest": "Time to suggest",
    "search.seconds": "Seconds to a suggestion of a model",
    "search.stopping": "Early stopping: what it saves and what it costs",
    "search.nas": "Searching architectures",
    "cluster.pods": "Trials in real pods",
    "cluster.scale": "Trials on a cluster that are done at once",
    "cluster.crowd": "Many experiments on a cluster, and a start among many trials",
}


def machine() -> str:
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, "
        f"Python {platform.python_version()}, {time.strftime('%Y-%m-%d', time.gmtime())}"
    )


def measured(names: list[str], *, quick: bool) -> dict[str, str]:
    """Run benchmarks; return their tables by name."""
    tables = {}
    for name in names:
        print(f"{name}: {BENCHMARKS[name]} ...", file=sys.stderr, flush=True)
        tables[name] = importlib.import_module(name).main(quick=quick).strip()
        print(tables[name], flush=True)
    return tables


def write(tables: dict[str, str]) -> None:
    """Put tables into the page; sections that were not run stay as they are."""
    written = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    sections = dict(section.split("\n", 1) for section in written.split("\n## ")[1:])
    for name, table in tables.items():
        sections[BENCHMARKS[name]] = f"\n{machine()}.\n\n{table}\n"
    order = [title for title in BENCHMARKS.values() if title in sections]
    head = (
        "# Benchmarks\n\n"
        "Written by `make bench`; each figure is shown beside its rival from the same run.\n"
    )
    body = [f"## {title}\n{sections[title].rstrip()}\n" for title in order]
    PAGE.write_text("\n".join([head, *body]), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="small sizes; the page stays as it is")
    args = parser.parse_args()
    unknown = set(args.names) - BENCHMARKS.keys()
    if unknown:
        parser.error(
            f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}"
        )
    sys.path.insert(0, str(HERE))
    # The rivals were compiled when they were installed; a checkout is compiled when first run.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    tables = measured(args.names or list(BENCHMARKS), quick=args.quick)
    if not args.quick:
        write(tables)


if __name__ == "__main__":
    main()
