"""The page over a cluster, with a kubeconfig alone."""

import asyncio
import re

import httpx
from support.apiserver import NEEDED
from support.operated import experiment

pytestmark = NEEDED

TOKEN = "of-the-tests"


def seen(typed, paths):
    """Serve the page of the scene's namespace; return what it answers to each path."""
    page = typed.command.start(
        *("ui", "--no-open", "--port", "0", "--token", TOKEN),
        *("--cluster", "-n", typed.play.namespace),
        env={"KUBECONFIG": str(typed.kubeconfig)},
    )
    with page:
        try:
            url = re.search(r"http://[^/]+", page.stdout.readline())[0]
            with httpx.Client(
                base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60
            ) as client:
                return [client.request(method, path) for method, path in paths]
        finally:
            page.terminate()


def test_experiments_of_a_cluster_are_shown_and_deleted(on_cluster):
    async def scenario(play, tunewright):
        await play.create(experiment())
        await play.ends()
        one = f"/experiments/{play.namespace}/e"
        api = f"/api/v1{one}"
        paths = [
            ("GET", "/api/v1/experiments"),
            ("GET", f"{api}/columns"),
            ("GET", f"{api}/trials/best"),
            ("GET", one),
            ("GET", f"{one}/trials/0"),
            ("POST", f"{api}/pause"),
            ("DELETE", api),
            ("GET", api),
        ]
        return await asyncio.to_thread(seen, tunewright, paths)

    listed, columns, best, page, trial, pause, deleted, gone = on_cluster(scenario)
    assert [each["name"] for each in listed.json()["items"]] == ["e"]
    assert columns.json()["trials"]["state"] == ["Succeeded"] * 4
    assert best.json()["value"] == min(columns.json()["trials"]["value"])
    assert (page.status_code, trial.status_code) == (200, 200)
    assert pause.status_code == 409
    assert (deleted.status_code, gone.status_code) == (200, 404)
