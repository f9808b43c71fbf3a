"""The page over a cluster, with a kubeconfig alone."""

import asyncio

import pytest
from playwright.sync_api import expect, sync_playwright
from support.actors import Fate
from support.apiserver import NEEDED
from support.browser import launch
from support.operated import experiment
from support.watching import TOKEN, seen, watching
from tunewright.controller.kube.resources import TRIALS

pytestmark = NEEDED

WITHOUT = "the cluster does not serve single values"


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


def test_trials_that_begin_after_the_first_look_are_shown(on_cluster):
    async def scenario(play, tunewright):
        api = f"/api/v1/experiments/{play.namespace}/e"
        await play.create(experiment(maxTrialCount=1, parallelTrialCount=1))
        await play.ends()

        def states(client):
            return client.get(f"{api}/columns").json()["trials"]["state"]

        with watching(tunewright) as client:
            first = await asyncio.to_thread(states, client)
            await play.edit(maxTrialCount=3)

            async def shows_all():
                return await asyncio.to_thread(states, client) == ["Succeeded"] * 3

            await play.until(shows_all)
        return first

    assert on_cluster(scenario) == ["Succeeded"]


def test_a_trial_that_another_hand_deletes_while_it_is_looked_at_is_shown_as_killed(on_cluster):
    ends = []

    async def scenario(play, tunewright):
        path = f"/api/v1/experiments/{play.namespace}/e/columns"
        play.jobs.script = lambda point, attempt: Fate(stays=not ends)
        await play.create(experiment(maxTrialCount=3, parallelTrialCount=2))

        async def runs():
            return len(play.jobs.runs) == 2

        await play.until(runs)
        with watching(tunewright) as client:

            async def states(after=-1):
                found = await asyncio.to_thread(lambda: client.get(f"{path}?after={after}").json())
                trials = found["trials"]
                return dict(zip(trials["index"], trials["state"], strict=True)), found["position"]

            _, position = await states()
            await play.kube.delete(TRIALS, play.namespace, play.jobs.runs[0][0])

            async def shows_it():
                return "Killed" in (await states(position))[0].values()

            await play.until(shows_it)
            ends.append(True)
            await play.ends()

            async def shows_the_end():
                found, _ = await states()
                return "Running" not in found.values() and found

            shown = await play.until(shows_the_end)
            others = [path.replace("columns", each) for each in ("curves", "trials", "csv")]
            return shown, [await asyncio.to_thread(client.get, each) for each in others]

    shown, others = on_cluster(scenario)
    assert sorted(shown.values()) == ["Killed", "Succeeded", "Succeeded"]
    assert [answer.status_code for answer in others] == [200] * 3
    assert [each["state"] for each in others[1].json()["items"]] == ["Succeeded"] * 2


def test_without_single_values_it_says_why_there_are_no_curves(on_cluster):
    async def scenario(play, tunewright):
        await play.create(experiment(maxTrialCount=1, parallelTrialCount=1))
        await play.ends()
        one = f"/api/v1/experiments/{play.namespace}/e"
        paths = [("GET", f"{one}/curves"), ("GET", f"{one}/trials/0/metrics")]
        return await asyncio.to_thread(seen, tunewright, paths)

    for answer in on_cluster(scenario):
        assert answer.status_code == 200
        assert answer.json()["why"].startswith(WITHOUT)


@pytest.mark.needs("browser")
def test_a_person_reads_why_there_are_no_curves(on_cluster):
    def read(client, path):
        with sync_playwright() as playwright:
            chromium = launch(playwright)
            page = chromium.new_page()
            page.goto(f"{client.base_url}{path}?token={TOKEN}")
            expect(page.get_by_role("region", name="Curves")).to_contain_text(WITHOUT)
            page.goto(f"{client.base_url}{path}/trials/0")
            expect(page.get_by_role("region", name="Metrics")).to_contain_text(WITHOUT)
            chromium.close()

    async def scenario(play, tunewright):
        await play.create(experiment(maxTrialCount=1, parallelTrialCount=1))
        await play.ends()
        with watching(tunewright) as client:
            await asyncio.to_thread(read, client, f"/experiments/{play.namespace}/e")

    on_cluster(scenario)
