"""What two trials on one machine would share: the network has no rooms as the file system has."""

import json
import socket
from collections import deque
from collections.abc import Mapping
from typing import Any

from ...api.errors import Unsupported
from ...metrics_collector.spec import CollectorKind, collector_spec

METRICS_PORT = "TUNEWRIGHT_METRICS_PORT"
"""The variable in which a trial that serves its metrics finds a port of its own."""


def takes_port(trial_spec: object) -> bool:
    """Say whether a template hands the port on to its program."""
    return METRICS_PORT in json.dumps(trial_spec)


def check_sharing(document: Mapping[str, Any]) -> None:
    """Refuse trials that would serve their metrics at one port at once.

    Raises:
        Unsupported: they would; the message says how each gets its own.
    """
    spec = document["spec"]
    collector = collector_spec(spec.get("metricsCollectorSpec"))
    if collector.kind is not CollectorKind.PROMETHEUS or spec.get("parallelTrialCount") == 1:
        return
    if not takes_port(spec["trialTemplate"]):
        raise Unsupported(
            f"spec.parallelTrialCount: trials on this machine cannot all serve port"
            f" {collector.port}; set it to 1, or declare the variable {METRICS_PORT} in the"
            f' template (value: "{collector.port}", for a cluster) and serve at the port it'
            " names: here each trial finds a free one in it"
        )


_given: deque[int] = deque(maxlen=1024)
"""Ports that were given away, and whose programs may not listen yet."""


def free_port() -> int:
    """Return a port of loopback that nobody listens on, or is about to."""
    while True:
        with socket.socket() as tried:
            tried.bind(("127.0.0.1", 0))
            port: int = tried.getsockname()[1]
        if port not in _given:
            _given.append(port)
            return port
