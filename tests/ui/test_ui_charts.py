"""Plots in a real browser: what they compute, and that they draw whatever there is."""

import json
import random

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.xdist_group("page"), pytest.mark.needs("browser")]


def columns(
    values,
    *,
    points=None,
    states=None,
    direction="minimize",
    parameters=None,
    objectives=(),
    **more,
):
    """Return trials in columns, as the server sends them."""
    count = len(values)
    points = points or {"lr": [(index + 1) / (count + 1) for index in range(count)]}
    states = states or ["Succeeded"] * count
    ended = [state not in {"Running", "Pending"} for state in states]
    trials = {
        "index": list(range(count)),
        "name": [f"t-{index}" for index in range(count)],
        "state": states,
        "reason": [""] * count,
        "value": values,
        "good": [
            end and isinstance(value, int | float) for end, value in zip(ended, values, strict=True)
        ],
        "created": [float(index) for index in range(count)],
        "started": [float(index) for index in range(count)],
        "finished": [index + 2.0 if end else None for index, end in enumerate(ended)],
        "parent": [None] * count,
        "generation": [None] * count,
        "device_seconds": [None] * count,
        "point": points,
        "metric": {"loss": values},
    }
    first = {"metric": "loss", "direction": direction, "goal": None}
    return {
        "position": 2 * count,
        "now": 100.0,
        "objectives": [first, *objectives],
        "parameters": parameters
        or [
            {"name": name, "kind": "double", "log": False, "low": 0.0, "high": 1.0, "choices": []}
            for name in points
        ],
        "metrics": ["loss"],
        "trials": {**trials, **more},
        "curves": [],
    }


@pytest.fixture
def computed(opened):
    """Evaluate an expression over `data` and the module of what plots compute."""
    page = opened("/algorithms")

    def evaluate(expression, data):
        script = (
            f"async () => {{ const m = await import('/static/chart_data.js'); "
            f"const data = {json.dumps(data)}; return {expression}; }}"
        )
        return page.evaluate(script)

    return evaluate


@pytest.mark.parametrize(
    ("direction", "values", "steps"),
    [
        ("minimize", [3, 1, 2, 0.5], [[0, 3], [1, 1], [3, 0.5]]),
        ("maximize", [1, 3, 2], [[0, 1], [1, 3], [2, 3]]),
        ("minimize", [None, "NaN", 2], [[2, 2]]),
        ("minimize", [None, "NaN"], []),
    ],
)
def test_the_best_so_far_only_improves(computed, direction, values, steps):
    assert computed("m.bestSoFar(data)", columns(values, direction=direction)) == steps


def test_importance_finds_the_parameter_that_decides(computed):
    rng = random.Random(1)
    points = {name: [rng.random() for _ in range(200)] for name in ("decides", "idle")}
    found = computed("m.importance(data)", columns(points["decides"], points=points))
    assert [each["name"] for each in found] == ["decides", "idle"]
    assert found[0]["share"] > 0.9
    assert found[1]["share"] < 0.1


def test_importance_knows_choices_and_what_is_inactive(computed):
    choices = ["a", "b"] * 50
    depends = [0.5 if choice == "a" else None for choice in choices]
    values = [1.0 if choice == "a" else 2.0 for choice in choices]
    parameters = [
        {
            "name": "opt",
            "kind": "categorical",
            "log": False,
            "low": None,
            "high": None,
            "choices": ["a", "b"],
        },
        {
            "name": "depends",
            "kind": "double",
            "log": False,
            "low": 0.0,
            "high": 1.0,
            "choices": [],
        },
    ]
    data = columns(values, points={"opt": choices, "depends": depends}, parameters=parameters)
    assert [each["share"] for each in computed("m.importance(data)", data)] == [1, 1]


@pytest.mark.parametrize(
    ("points", "lower", "front"),
    [
        ([[1, 3], [2, 2], [3, 1], [3, 3]], [True, True], [0, 1, 2]),
        ([[1, 3], [2, 2], [3, 1], [3, 3]], [False, False], [3]),
        ([[1, 1], [1, 1], [2, 0]], [True, True], [0, 1, 2]),
        ([], [True, True], []),
    ],
)
def test_nothing_betters_what_is_on_the_front(computed, points, lower, front):
    found = computed(f"m.front({json.dumps(points)}, {json.dumps(lower)})", None)
    assert sorted(found) == front


def test_trials_that_overlap_stand_in_rows_of_their_own(computed):
    rows = computed("m.slots(data).map(({row}) => row)", columns([1.0] * 4))
    assert rows == [0, 1, 0, 1]


LARGE = random.Random(3)
WORLDS = {
    "nothing at all": columns([], points={"lr": []}),
    "only running": columns([None, None], states=["Running", "Running"]),
    "one trial": columns([0.5]),
    "no finite value": columns(["NaN", "Infinity", None]),
    "failures among them": columns(
        [0.5, None, 0.4] * 5, states=["Succeeded", "Failed", "EarlyStopped"] * 5
    ),
    "thirty parameters": columns(
        [float(index) for index in range(20)],
        points={f"p{k}": [LARGE.random() for _ in range(20)] for k in range(30)},
    ),
    "two objectives": columns(
        [float(index) for index in range(12)],
        objectives=[{"metric": "size", "direction": "maximize", "goal": None}],
        metric={"loss": list(range(12)), "size": [index % 5 for index in range(12)]},
    ),
    "generations": columns([1.0, 2.0, 0.5], parent=[None, "t-0", "t-1"], generation=[0, 1, 2]),
}


def draw(page, data):
    page.evaluate(
        """async (data) => {
        const { mount } = await import('/static/charts.js');
        document.querySelector('link[href="/static/app.css"]').insertAdjacentHTML(
            'afterend', '<link rel="stylesheet" href="/static/charts.css">');
        const root = document.getElementById('main');
        root.replaceChildren();
        window.chosen = 'nobody asked';
        const onSelect = (found) => { window.chosen = found; };
        mount(root, data, {onSelect, href: (index) => `#${index}`});
        }""",
        data,
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("data", WORLDS.values(), ids=WORLDS)
def test_whatever_there_is_is_drawn(opened, data, theme):
    page = opened("/algorithms", theme=theme)
    draw(page, data)
    cards = page.locator(".chart")
    for at in range(cards.count()):
        cards.nth(at).scroll_into_view_if_needed()
        expect(cards.nth(at).locator("canvas").first).to_be_visible()
        cards.nth(at).get_by_role("button", name="As a table").click()
        expect(cards.nth(at).locator("table")).to_be_visible()
    if not cards.count():
        expect(page.get_by_text("There is nothing to draw yet")).to_be_visible()


def test_a_brushed_axis_chooses_trials_and_a_click_beside_it_all(opened):
    page = opened("/algorithms")
    draw(page, columns([float(index) for index in range(20)]))
    canvas = page.locator('[data-chart="parallel"] canvas')
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    left = box["x"] + 56
    middle = box["y"] + box["height"] / 2
    page.mouse.move(left, middle)
    page.mouse.down()
    page.mouse.move(left, middle + box["height"], steps=8)
    page.mouse.up()
    page.wait_for_function("Array.isArray(window.chosen)")
    chosen = page.evaluate("window.chosen")
    assert chosen == [index for index in range(20) if index in chosen][: len(chosen)]
    assert 0 < len(chosen) < 20
    assert chosen[0] == 0
    page.mouse.click(left, box["y"] + 50)
    page.wait_for_function("window.chosen === null")


def test_ten_thousand_trials_are_drawn_while_one_waits(opened):
    page = opened("/algorithms")
    points = {name: [LARGE.random() for _ in range(10_000)] for name in ("a", "b", "c")}
    draw(page, columns(points["a"], points=points))
    expect(page.locator('[data-chart="history"] canvas').first).to_be_visible()
    expect(page.locator('[data-chart="parallel"] canvas').first).to_be_visible()
