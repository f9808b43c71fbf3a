"""Measure Tunewright against its rivals, each in the same run: `make bench`.

`make bench ARGS=--quick` takes minutes instead of an hour, and writes nothing.
`make bench ARGS="engine suggest"` runs some of them.
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
    "engine": "1,000 trivial trials at 2 in parallel",
    "long_run": "An experiment of 100,000 trials",
    "collect": "The collector at a million lines",
    "store": "A million observations into each database",
    "suggest": "Time to suggest",
}


def machine() -> str:
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, "
        f"Python {platform.python_version()}, {time.strftime('%Y-%m-%d', time.gmtime())}"
    )


def sections(names: list[str], *, quick: bool) -> list[str]:
    found = []
    for name in names:
        print(f"{name}: {BENCHMARKS[name]} ...", file=sys.stderr, flush=True)
        table = importlib.import_module(name).main(quick=quick)
        print(table, flush=True)
        found.append(f"## {BENCHMARKS[name]}\n\n{table.strip()}\n")
    return found


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
    written = sections(args.names or list(BENCHMARKS), quick=args.quick)
    if not args.quick and not args.names:
        head = (
            "# Benchmarks\n\n"
            "Written by `make bench`; each figure stands beside its rival of the same run.\n\n"
            f"Machine: {machine()}.\n"
        )
        PAGE.write_text("\n".join([head, *written]), encoding="utf-8")


if __name__ == "__main__":
    main()
