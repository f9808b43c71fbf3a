"""`python -m cluster.node up|down|build|install|operators`: what the verbs `make cluster…` do."""

import subprocess
import sys
from collections.abc import Callable, Mapping

from . import build, install, node, operators
from .say import ClusterError

VERBS: Mapping[str, Callable[[], object]] = {
    "up": node.up,
    "down": node.down,
    "build": build.programs,
    "install": install.install,
    "operators": operators.install_named,
}


def main(words: list[str]) -> int:
    if len(words) != 1 or words[0] not in VERBS:
        print(f"usage: python -m cluster.node {'|'.join(VERBS)}", file=sys.stderr)
        return 2
    try:
        VERBS[words[0]]()
    except (ClusterError, OSError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
