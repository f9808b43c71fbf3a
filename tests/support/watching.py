"""The page over a scene of a cluster, as its owner's programs see it."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx

TOKEN = "of-the-tests"


@contextmanager
def watching(typed: Any) -> Iterator[httpx.Client]:
    """Serve the page of the scene's namespace for the time of a block."""
    page = typed.command.start(
        *("ui", "--no-open", "--port", "0", "--token", TOKEN),
        *("--cluster", "-n", typed.play.namespace),
        env={"KUBECONFIG": str(typed.kubeconfig)},
    )
    with page:
        try:
            url = re.search(r"http://[^/]+", page.stdout.readline())[0]
            headers = {"Authorization": f"Bearer {TOKEN}"}
            with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
                yield client
        finally:
            page.terminate()


def seen(typed: Any, paths: Sequence[tuple[str, str]]) -> list[httpx.Response]:
    """Return what the page answers to each path."""
    with watching(typed) as client:
        return [client.request(method, path) for method, path in paths]
