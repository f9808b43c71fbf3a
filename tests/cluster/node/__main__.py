"""`python -m cluster.node up|down|build`: `make cluster`, `make cluster-down`, and its programs."""

import sys

from . import build, node
from .say import ClusterError

VERBS = {"up": node.up, "down": node.down, "build": build.programs}


def main(words: list[str]) -> int:
    if len(words) != 1 or words[0] not in VERBS:
        print(f"usage: python -m cluster.node {'|'.join(VERBS)}", file=sys.stderr)
        return 2
    try:
        VERBS[words[0]]()
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
