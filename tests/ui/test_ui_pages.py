"""Pages in a real browser: what they show, what they do, and whom they keep out."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from support.asked import asked
from support.waiting import until
from tunewright.api.documents import parse
from tunewright.cli.console import as_yaml

pytestmark = [pytest.mark.xdist_group("page"), pytest.mark.needs("browser")]

EXPERIMENT = "/experiments/default/done"
PAGES = {
    "experiments": "/",
    "plots": EXPERIMENT,
    "trials": f"{EXPERIMENT}#trials",
    "events": f"{EXPERIMENT}#events",
    "yaml": f"{EXPERIMENT}#yaml",
    "trial": f"{EXPERIMENT}/trials/0",
    "compare": "/compare?e=default/done",
    "new": "/new",
    "algorithms": "/algorithms",
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_an_accessibility_checker_finds_nothing_serious(opened, path, theme):
    page = opened(path, theme=theme)
    page.wait_for_selector("main h1")
    found = Axe().run(page).response["violations"]
    serious = [
        (each["id"], [node["html"] for node in each["nodes"]][:3])
        for each in found
        if each["impact"] in {"serious", "critical"}
    ]
    assert serious == []


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_on_a_phone_nothing_is_wider_than_the_screen(opened, path):
    page = opened(path, width=390)
    page.wait_for_selector("main h1")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_list_is_searched_and_leads_to_an_experiment(opened):
    page = opened("/")
    page.get_by_label("Search").fill("nothing like it")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("No experiment matches.")).to_be_visible()
    page.get_by_role("link", name="Show all").click()
    page.get_by_role("link", name="done", exact=True).click()
    expect(page.get_by_role("heading", name="done", exact=True)).to_be_visible()
    expect(page.locator("#counts")).to_contain_text("8 of 8 trials have ended")


def test_the_list_follows_what_begins_goes_on_and_is_deleted(opened, server):
    page = opened("/?order=oldest&label=team%3Dlist")
    page.evaluate("window.same = true")
    server.tune("listed", trials=2)
    server.tunewright("edit", "listed", "--label", "team=list", "--note", "as a first try")
    row = page.locator("tr", has=page.get_by_role("link", name="listed", exact=True))
    expect(row.locator(".counts")).to_have_text("2 / 2")
    expect(row.locator(".note")).to_have_text("as a first try")
    expect(row.locator(".chip")).to_have_text(["team=list"])
    row.get_by_role("checkbox").check()
    server.tunewright("edit", "listed", "--trials", "3")
    expect(row.locator(".counts")).to_have_text("2 / 3")
    expect(row.get_by_role("checkbox")).to_be_checked()
    server.tunewright("delete", "listed", "--yes")
    expect(page.get_by_text("No experiment matches.")).to_be_visible()
    assert page.evaluate("window.same")


def test_a_label_leads_to_all_that_have_it(opened, server):
    server.tune("labelled", trials=2)
    server.tunewright("edit", "labelled", "--label", "team=chips")
    page = opened("/experiments/default/labelled")
    page.get_by_role("link", name="team=chips").click()
    expect(page.locator("#found")).to_have_text("1 found")
    expect(page.get_by_role("link", name="labelled", exact=True)).to_be_visible()


def test_note_and_labels_are_written_on_the_page(opened, server):
    server.tune("noted", trials=2)
    server.tunewright("edit", "noted", "--label", "old=1", "--label", "kept=2")
    page = opened("/experiments/default/noted")
    expect(page.locator("#live")).to_have_text("live")
    page.get_by_role("button", name="Note and labels").click()
    page.get_by_role("textbox", name="Note").fill("two lines\n<b>as typed</b>")
    labels = page.get_by_label("Labels, one per line")
    expect(labels).to_have_value("old=1\nkept=2")
    labels.fill("kept=2\nteam=vision")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#note")).to_have_text("two lines\n<b>as typed</b>")
    expect(page.locator("#labels .chip")).to_have_text(["kept=2", "team=vision"])


def test_a_label_that_cannot_be_is_told(opened, server):
    server.tune("unlabelled", trials=2)
    page = opened("/experiments/default/unlabelled", refused=True)
    expect(page.locator("#live")).to_have_text("live")
    page.get_by_role("button", name="Note and labels").click()
    page.get_by_label("Labels, one per line").fill("a b=c")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".toast.bad")).to_contain_text("cannot name a label")


def test_conditions_and_events_come_as_they_happen(opened, server):
    server.tune("happens", trials=3, pause=0.3, detach=True)
    page = opened("/experiments/default/happens#events")
    page.evaluate("window.same = true")
    expect(page.locator("#conditions tbody")).to_contain_text("ExperimentMaxTrialsReached")
    expect(page.locator("#happened tbody tr").first).to_contain_text("ExperimentMaxTrialsReached")
    reasons = page.locator("#happened tbody td:nth-child(3)").all_inner_texts()
    assert reasons.count("ExperimentMaxTrialsReached") == 1
    assert reasons[-1] == "ExperimentCreated" or "Running" in reasons[-1]
    assert page.evaluate("window.same")


def test_a_running_experiment_is_followed_without_a_reload(opened, server):
    server.tune("followed", trials=6, pause=0.15, detach=True)
    page = opened("/experiments/default/followed")
    page.evaluate("window.sameDocument = true")
    expect(page.locator("#live")).to_have_text("live")
    expect(page.locator("#counts")).to_contain_text("6 of 6 trials have ended", timeout=60000)
    expect(page.locator("#state")).to_have_text("Succeeded")
    expect(page.locator("#best .big")).not_to_be_empty()
    expect(page.get_by_role("button", name="Copy parameters")).to_be_visible()
    page.get_by_role("tab", name="Trials").click()
    expect(page.locator("#trial-table tbody tr")).to_have_count(6)
    assert page.evaluate("window.sameDocument")


def test_a_page_that_was_refused_once_follows_again(opened, server):
    server.tune("refused", trials=2)
    page = opened("/algorithms", refused=True)
    page.route("**/refused/live", lambda route: route.fulfill(status=429), times=1)
    page.goto("/experiments/default/refused")
    expect(page.locator("#live")).to_contain_text("the server refuses to answer; trying again")
    expect(page.locator("#live")).to_have_text("live", timeout=30_000)


def test_a_list_that_was_refused_once_follows_again(opened, server):
    page = opened("/algorithms", refused=True)
    page.route("**/experiments/live", lambda route: route.fulfill(status=429), times=1)
    with page.expect_response(lambda answer: answer.url.endswith("/live") and answer.ok):
        page.goto("/")


def test_trials_are_sorted_and_searched(opened):
    page = opened(f"{EXPERIMENT}#trials")
    rows = page.locator("#trial-table tbody tr")
    expect(rows).to_have_count(8)
    page.get_by_role("button", name="loss").click()
    values = [
        float(text) for text in page.locator("#trial-table tbody td:nth-child(3)").all_inner_texts()
    ]
    assert values == sorted(values, key=float)
    page.get_by_label("Search").fill("sgd")
    expect(page.locator("#trial-count")).to_contain_text("of 8 trials")
    assert all("sgd" in text for text in rows.all_inner_texts())


@pytest.mark.parametrize(
    ("values", "down", "order"),
    [
        pytest.param(["16", "128", "0.5"], False, [2, 0, 1], id="a list of numbers"),
        pytest.param([1, "-Infinity", -2, "Infinity"], False, [1, 2, 0, 3], id="infinite ones"),
        pytest.param([1, "NaN", None, 3], False, [0, 3, 2, 1], id="none, at the end"),
        pytest.param([1, "NaN", None, 3], True, [3, 0, 2, 1], id="none, at the end both ways"),
    ],
)
def test_a_column_of_numbers_is_sorted_by_their_size(opened, values, down, order):
    page = opened("/algorithms")
    found = page.evaluate(
        """async ([values, down]) => {
        const { ordered } = await import('/static/trials.js');
        return ordered([...values.keys()], { values, isNumber: true }, down);
        }""",
        [values, down],
    )
    assert found == order


def test_an_experiment_is_paused_resumed_edited_stopped_and_deleted(opened, server):
    server.tune("busy", trials=40, pause=0.2, detach=True)
    page = opened("/experiments/default/busy")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#state")).to_have_text("Paused", timeout=20000)
    page.get_by_role("button", name="Edit budget").click()
    page.get_by_label("Trials in total").fill("30")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#counts")).to_contain_text("of 30 trials", timeout=20000)
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#state")).to_have_text("Running", timeout=20000)
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#state")).to_have_text("Running")
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Yes").click()
    delete = page.get_by_role("button", name="Delete")
    expect(delete).to_be_visible(timeout=30000)
    delete.click()
    page.get_by_role("button", name="Yes").click()
    page.wait_for_url(f"{server.url}/")
    expect(page.get_by_role("link", name="busy", exact=True)).to_have_count(0)


def test_a_page_whose_deletion_was_refused_goes_on(opened, server):
    server.tune("kept", trials=2)
    page = opened("/experiments/default/kept", refused=True)
    expect(page.locator("#live")).to_have_text("live")
    problem = {"detail": "an engine drives it"}
    page.route(
        "**/experiments/default/kept",
        lambda route: (
            route.fulfill(status=409, json=problem)
            if route.request.method == "DELETE"
            else route.continue_()
        ),
    )
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Yes").click()
    expect(page.locator(".toast.bad")).to_have_text("an engine drives it")
    server.tunewright("edit", "kept", "--trials", "9")
    expect(page.locator("#counts")).to_contain_text("of 9 trials")


def test_a_budget_is_edited_as_it_is_now_and_a_goal_is_taken_away(opened, server):
    server.tune("grown", trials=2)
    page = opened("/experiments/default/grown")
    expect(page.locator("#live")).to_have_text("live")
    server.tunewright("edit", "grown", "--trials", "9", "--goal", "0.5")
    expect(page.locator("#counts")).to_contain_text("of 9 trials")
    page.get_by_role("button", name="Edit budget").click()
    expect(page.get_by_label("Trials in total")).to_have_value("9")
    expect(page.get_by_label("Goal")).to_have_value("0.5")
    page.get_by_label("Goal").fill("")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".toast")).to_have_text("objective.goal is removed")


def test_a_refusal_is_told(opened, server):
    server.tune("twice", trials=2)
    page = opened("/new?like=default/twice", refused=True)
    text = page.get_by_role("textbox", name="File")
    changed = text.input_value().replace("maxTrialCount: 2", "maxTrialCount: 3")
    text.fill(changed.replace("name: twice-2", "name: twice"))
    page.get_by_role("button", name="Begin").click()
    expect(page.locator(".toast.bad")).to_contain_text("exists with another spec")


def test_the_editor_says_what_is_wrong_as_one_types(opened):
    page = opened("/new")
    expect(page.locator("#verdict")).to_contain_text("my-experiment is fine")
    text = page.get_by_role("textbox", name="File")
    text.fill(text.input_value().replace("maxTrialCount", "maxTrialCout"))
    expect(page.locator("#verdict")).to_contain_text("line 9, spec.maxTrialCout")


def test_the_short_form_writes_a_file_and_begins_it(opened, server):
    page = opened("/new")
    page.get_by_label("Name").fill("from-the-form")
    page.get_by_label("Command").fill("python3 train.py {lr} adam 0")
    page.get_by_label("Parameters, one per line").fill("lr=0.0..1.0")
    page.get_by_label("Trials", exact=True).fill("3")
    page.get_by_role("button", name="Write the file").click()
    expect(page.locator("#verdict")).to_contain_text("from-the-form is fine")
    page.get_by_role("button", name="Begin").click()
    page.wait_for_url("**/experiments/default/from-the-form", timeout=20000)
    expect(page.locator("#counts")).to_contain_text("3 of 3 trials have ended", timeout=60000)


def test_a_trial_shows_its_curve_and_its_log(opened):
    page = opened(f"{EXPERIMENT}/trials/2")
    expect(page.locator("#log")).to_contain_text("epoch=5 loss=")
    expect(page.locator("#curve canvas")).to_be_visible()
    page.locator("#metric").select_option("accuracy")
    page.get_by_label("Stream").select_option("stderr")
    expect(page.locator("#log")).to_have_text("It wrote nothing.")


def test_a_trial_that_reports_on_and_on_is_asked_for_what_is_new_alone(opened, server):
    server.tune("on", trials=2, pause=2, detach=True)
    with server.client() as client:
        until(lambda: client.get(server.api("/experiments/default/on/trials/0")).is_success)
    page = opened("/experiments/default/on/trials/0")
    expect(page.locator("#curve canvas")).to_be_visible()
    with page.expect_request("**/metrics?since=*&skip=*", timeout=10_000):
        pass


def test_experiments_are_compared(opened, server):
    server.tune("other", trials=3)
    page = opened("/")
    page.get_by_label("Compare done").check()
    page.get_by_label("Compare other").check()
    page.get_by_role("button", name="Compare selected").click()
    expect(page.locator("#compare canvas")).to_be_visible()
    expect(page.locator("#beside thead th")).to_have_text(["", "other", "done"])


def test_tabs_are_walked_with_the_arrow_keys(opened):
    page = opened(EXPERIMENT)
    page.get_by_role("tab", name="Plots").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Trials")).to_be_focused()
    expect(page.locator("#trials")).to_be_visible()
    page.keyboard.press("End")
    expect(page.locator("#yaml")).to_be_visible()


def test_the_theme_is_switched_and_remembered(opened):
    page = opened("/")
    page.get_by_role("button", name="Switch between light and dark").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_without_the_token_a_person_is_asked_for_it(browser, server):
    context = browser.new_context(base_url=server.url)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Token").fill("of-the-tests")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("heading", name="Experiments")).to_be_visible()
    context.close()


def test_what_is_not_there_has_a_page_that_says_so(browser, server):
    context = browser.new_context(base_url=server.url)
    page = context.new_page()
    page.goto("/experiments/default/none?token=of-the-tests")
    expect(page.get_by_text("no experiment is called none in namespace default")).to_be_visible()
    context.close()


def test_an_experiment_without_a_trial_has_nothing_to_draw_and_says_so(opened, server):
    with server.client() as client:
        text = as_yaml(parse(asked("empty")).write())
        client.post(server.api("/experiments"), json={"text": text})
    page = opened("/experiments/default/empty#plots")
    expect(page.get_by_text("There is nothing to draw yet")).to_be_visible()
    expect(page.get_by_text("No trial has ended yet with a number that counts")).to_be_visible()
    expect(page.get_by_role("button", name="Copy parameters")).to_be_hidden()
    expect(page.locator(".toast")).to_have_count(0)


def test_an_experiment_whose_trials_people_run_has_its_pages_too(opened, server):
    with server.client() as client:
        text = as_yaml(parse(asked("by-hand")).write())
        client.post(server.api("/experiments"), json={"text": text})
        point = client.post(server.api("/experiments/default/by-hand/ask")).json()["point"]
        told = {"index": point["index"], "token": point["token"], "metrics": {"loss": 0.5}}
        client.post(server.api("/experiments/default/by-hand/tell"), json=told)
    page = opened("/experiments/default/by-hand")
    expect(page.locator("#best .big")).to_have_text("0.5")
    page.get_by_role("link", name="trial 0").click()
    expect(page.get_by_role("heading", name="Trial 0")).to_be_visible()
