"""Plots in a real browser: what they compute, and that they draw whatever there is."""

import json
import random

import pytest
from playwright.sync_api import expect
from support.waiting import until
from tunewright import Client
from tunewright.sdk.findings import Findings, ranks

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


MODULES = ["data", "importance", "field", "runs"]


@pytest.fixture
def computed(opened):
    """Evaluate an expression over `data` and the module of what plots compute."""
    page = opened("/algorithms")

    def evaluate(expression, data):
        script = (
            f"async () => {{ const m = Object.assign({{}}, ...await Promise.all({MODULES}"
            f".map((name) => import(`/static/chart_${{name}}.js`)))); "
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
    shares = [each["share"] for each in computed("m.importance(data)", data)]
    assert shares == pytest.approx([1, 1])


def test_the_sdk_s_figures_are_the_page_s(computed, server):
    result = Client(store=server.folder / "home" / "store.db").result("done")
    findings = Findings(result.experiment.data["document"], result.trials)
    with server.client() as client:
        data = client.get(server.api("/experiments/default/done/columns")).json()
    assert {
        each["name"]: each["share"] for each in computed("m.importance(data)", data)
    } == pytest.approx(result.importance())
    best = [[index, value] for index, value in findings.best_so_far("loss")]
    assert computed("m.bestSoFar(data)", data) == best
    values = [0.5, 0.1, 0.5, 0.3, 0.1]
    assert computed(f"m.ranks({values})", None) == ranks(values)


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


def test_bars_too_thin_to_tell_apart_are_joined_where_they_are_of_one_kind(computed):
    bars = [
        {"place": place, "row": 0, "start": start, "end": start + 1}
        for place, start in enumerate([0, 1, 2, 50])
    ]
    kinds = "(place) => place === 2 ? 'failed' : 'ended'"
    joined = computed(f"m.joined({json.dumps(bars)}, 2, {kinds})", None)
    assert [(bar["start"], bar["end"], bar["count"]) for bar in joined] == [
        (0, 2, 2),
        (2, 3, 1),
        (50, 51, 1),
    ]


CATEGORY = {
    "name": "opt",
    "kind": "categorical",
    "log": False,
    "low": None,
    "high": None,
    "choices": ["adam", "sgd"],
}
NUMBER = {"name": "lr", "kind": "double", "log": True, "low": 1e-3, "high": 1.0, "choices": []}


@pytest.mark.parametrize(
    ("intervals", "chosen"),
    [
        ({}, [0, 1, 2, 3]),
        ({"lr": [[0.01, 0.1]]}, [1, 2]),
        ({"lr": [[0.001, 0.01], [1, 1]]}, [0, 1, 3]),
        ({"opt": [[1, 1]]}, [1]),
        ({"": [[0, 2.5]], "opt": [[0, 0]]}, [0]),
        ({"lr": []}, [0, 1, 2, 3]),
    ],
)
def test_a_band_chooses_what_lies_within_and_nothing_inactive(computed, intervals, chosen):
    points = {"lr": [0.001, 0.01, 0.1, 1.0, 0.05], "opt": ["adam", "sgd", None, "adam", "sgd"]}
    data = columns([1.0, 2.0, 3.0, 4.0, "NaN"], points=points, parameters=[NUMBER, CATEGORY])
    assert computed(f"m.within(data, {json.dumps(intervals)})", data) == chosen


def test_a_field_is_the_average_nearby_and_empty_far_from_everything(computed):
    cells = computed("m.field([[0.25, 0.25, 3], [0.25, 0.25, 5]], 20)", None)
    assert cells[5][5] == pytest.approx(4)
    assert cells[19][19] is None


def test_a_field_is_drawn_as_runs_of_equal_bands(computed):
    cells = json.dumps([[0, 0.1, 1], [None, 0.9, None], [None, None, None]])
    third = 1 / 3
    assert computed(f"m.runs({cells}, [0, 1], 2)", None) == [
        pytest.approx(rectangle)
        for rectangle in (
            [0, 0, 2 * third, third, 0.25],
            [2 * third, 0, 1, third, 0.75],
            [third, third, 2 * third, 2 * third, 0.75],
        )
    ]


def test_another_objective_stands_for_the_value_where_it_is_chosen(computed):
    data = columns(
        [1.0, 2.0, 3.0],
        objectives=[{"metric": "size", "direction": "maximize", "goal": None}],
        metric={"loss": [1.0, 2.0, 3.0], "size": [5, 9, 7]},
    )
    assert computed("m.bestSoFar(m.seenBy(data, 'size'))", data) == [[0, 5], [1, 9], [2, 9]]


@pytest.mark.parametrize(
    ("parents", "generations", "depths"),
    [
        ([None, "t-0", "t-1", "t-0"], [None] * 4, [0, 1, 2, 1]),
        (["t-1", "t-2", None], [None] * 3, [2, 1, 0]),
        ([None, "t-0", "t-1"], [4, 5, None], [4, 5, 6]),
        (["gone"], [None], [0]),
        (["t-1", "t-0"], [None, None], None),
    ],
)
def test_a_trial_is_one_generation_below_its_parent(computed, parents, generations, depths):
    data = columns([1.0] * len(parents), parent=parents, generation=generations)
    found = computed(
        "[...m.depths(data)].sort((a, b) => a[0] - b[0]).map(([, deep]) => deep)", data
    )
    assert depths is None or found == depths
    assert len(found) == len(parents)


LARGE = random.Random(3)
WORLDS = {
    "nothing at all": columns([], points={"lr": []}),
    "only running": columns([None, None], states=["Running", "Running"]),
    "one trial": columns([0.5]),
    "no finite value": columns(["NaN", "Infinity", None]),
    "failures among them": columns(
        [0.5, None, 0.4] * 5, states=["Succeeded", "Failed", "EarlyStopped"] * 5
    ),
    "stopped with a value and without": columns(
        [0.5, 0.3, None], states=["Succeeded", "Killed", "Killed"]
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
    "to be maximised, with infinities": columns(
        [1.0, "Infinity", 3.0, "-Infinity", "NaN", 2.0] * 4, direction="maximize"
    ),
    "choices, some inactive": columns(
        [float(index % 7) for index in range(24)],
        points={
            "lr": [0.001 * (index + 1) if index % 3 else None for index in range(24)],
            "opt": ["adam", "sgd", None] * 8,
        },
        parameters=[NUMBER, CATEGORY],
    ),
    "one value of all": columns([2.0] * 12, points={"lr": [0.5] * 12}),
    "names as from an attacker": columns(
        [float(index) for index in range(12)],
        points={
            "<img src=x onerror=alert(1)>": [index / 12 for index in range(12)],
            "b": [0.5] * 12,
        },
    ),
    "curves": columns([1.0, 2.0, None], states=["Succeeded", "EarlyStopped", "Running"])
    | {
        "curves": [
            {"index": 0, "steps": [1, 2, 3], "values": [3, "NaN", 1]},
            {"index": 1, "steps": [1, None], "values": [4, 2]},
            {"index": 2, "steps": [1], "values": [5]},
        ]
    },
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
        const curves = async (metric) => [{index: 0, steps: [1, 2], values: [metric.length, 1]}];
        window.data = data;
        window.plots = mount(root, data, {onSelect, curves, href: (index) => `#${index}`});
        }""",
        data,
    )


@pytest.mark.parametrize(
    ("world", "theme"), [*((world, "light") for world in WORLDS), ("failures among them", "dark")]
)
def test_every_plot_is_drawn_and_shown_as_a_table(opened, world, theme):
    page = opened("/algorithms", theme=theme)
    draw(page, WORLDS[world])
    cards = page.locator(".chart")
    for at in range(cards.count()):
        card = cards.nth(at)
        card.scroll_into_view_if_needed()
        expect(card.locator("canvas").first).to_be_visible()
        for select in card.locator("select").all():
            options = select.locator("option").all_inner_texts()
            for option in dict.fromkeys((*options[:3], *options[-1:])):
                select.select_option(option)
        card.get_by_role("button", name="As a table").click()
        expect(card.locator("table")).to_be_visible()
    if not cards.count():
        expect(page.get_by_text("There is nothing to draw yet")).to_be_visible()


def becomes_true(page, expression):
    """Wait until an expression is true; the page's own policy forbids it to wait by itself."""
    until(lambda: page.evaluate(expression), seconds=30)


def of_history(page, expression):
    """Wait until something is true of the first plot, given its `option`."""
    becomes_true(
        page,
        f"""async () => {{
        const m = await import('/static/vendor/echarts.js');
        const plot = m.getInstanceByDom(document.querySelector('[data-chart=history] .canvas'));
        const option = plot?.getOption();
        return Boolean(option?.xAxis) && ({expression});
        }}""",
    )


def heads(page):
    return page.locator(".chart h2").all_inner_texts()


def test_a_plot_comes_once_there_is_something_to_show(opened):
    page = opened("/algorithms")
    draw(page, WORLDS["only running"])
    assert heads(page) == ["Timeline"]
    page.evaluate("(data) => window.plots.update(data)", WORLDS["two objectives"])
    expect(page.get_by_role("heading", name="Pareto front")).to_be_visible()
    assert heads(page)[0] == "History"
    assert heads(page)[-1] == "Timeline"


def first_axis(page):
    """Return the left and the middle of the axis of the values, and the height of its plot.

    The plot is brought to the middle of the window, so that no drag leaves it, and rests there.
    """
    canvas = page.locator('[data-chart="parallel"] canvas')
    canvas.evaluate("each => each.scrollIntoView({block: 'center'})")
    becomes_true(
        page,
        "document.querySelector('[data-chart=parallel] canvas').getBoundingClientRect().height > 0",
    )
    canvas.element_handle().wait_for_element_state("stable")
    box = canvas.bounding_box()
    return box["x"] + 48, box["y"] + box["height"] / 2, box["height"]


def drag_on_the_values(page):
    """Draw a band on the lower half of the first axis; return who is in it, and a place beside."""
    left, middle, height = first_axis(page)
    page.mouse.move(left, middle)
    page.mouse.down()
    page.mouse.move(left, middle + height / 2, steps=8)
    page.mouse.up()
    becomes_true(page, "Array.isArray(window.chosen)")
    return page.evaluate("window.chosen"), (left, middle - height / 2 + 50)


def test_a_brushed_axis_chooses_trials_and_a_click_beside_it_all(opened):
    page = opened("/algorithms")
    draw(page, columns([float(index) for index in range(20)]))
    chosen, beside = drag_on_the_values(page)
    assert chosen == list(range(len(chosen)))
    assert 8 <= len(chosen) <= 11
    page.mouse.click(*beside)
    becomes_true(page, "window.chosen === null")


def test_a_brushed_axis_filters_the_tables_of_the_other_plots(opened):
    page = opened("/algorithms")
    draw(page, columns([float(index) for index in range(20)]))
    chosen, _ = drag_on_the_values(page)
    card = page.locator('[data-chart="slice"]')
    card.get_by_role("button", name="As a table").click()
    expect(card.locator("tbody tr")).to_have_count(len(chosen))
    page.evaluate("window.plots.select(null)")
    expect(card.locator("tbody tr")).to_have_count(20)


def test_a_band_stays_while_trials_are_added_and_takes_them_in(opened):
    page = opened("/algorithms")
    draw(page, columns([float(index) for index in range(20)]))
    chosen, _ = drag_on_the_values(page)
    grown = columns([float(index) for index in range(20)] + [0.5])
    page.evaluate("(data) => window.plots.update(data)", grown)
    becomes_true(page, "window.chosen.includes(20)")
    assert page.evaluate("window.chosen") == [*chosen, 20]


def test_the_best_are_chosen_without_a_pointer(opened):
    page = opened("/algorithms")
    draw(page, columns([float(index) for index in range(20)], direction="maximize"))
    choose = page.get_by_label("Choose")
    choose.select_option("the best quarter")
    becomes_true(page, "Array.isArray(window.chosen)")
    assert page.evaluate("window.chosen") == [15, 16, 17, 18, 19]
    choose.select_option("by bands")
    becomes_true(page, "window.chosen === null")


def test_showing_all_again_ends_every_band(opened):
    page = opened("/algorithms")
    draw(page, columns([float(index) for index in range(20)]))
    page.get_by_label("Choose").select_option("the best half")
    becomes_true(page, "Array.isArray(window.chosen)")
    page.evaluate("window.plots.select(null); window.chosen = 'nobody asked'")
    expect(page.get_by_label("Choose")).to_have_value("by bands")
    page.evaluate("(data) => plots.update(data)", columns([float(index) for index in range(30)]))
    of_history(page, "option.xAxis[0].max === 29")
    assert page.evaluate("window.chosen") == "nobody asked"


def test_another_metric_of_the_curves_is_asked_for(opened):
    page = opened("/algorithms")
    draw(page, WORLDS["curves"] | {"metrics": ["loss", "accuracy"]})
    card = page.locator('[data-chart="curves"]')
    card.scroll_into_view_if_needed()
    card.get_by_label("Metric").select_option("accuracy")
    card.get_by_role("button", name="As a table").click()
    expect(card.locator("thead th").last).to_have_text("last accuracy")
    expect(card.locator("tbody tr")).to_have_count(1)


def test_a_table_leads_to_the_trials(opened):
    page = opened("/algorithms")
    draw(page, columns([3.0, 2.0, 1.0]))
    card = page.locator('[data-chart="history"]')
    card.get_by_role("button", name="As a table").click()
    assert card.locator("tbody a").first.get_attribute("href") == "#0"
    expect(card.locator("thead th")).to_have_text(["trial", "state", "loss"])


def middle_of_history(page):
    """Return where the second of three trials with one value is drawn."""
    draw(page, columns([1.0, 1.0, 1.0]))
    of_history(page, "option.xAxis[0].max === 2")
    box = page.locator('[data-chart="history"] canvas').first.bounding_box()
    return (
        box["x"] + 72 + (box["width"] - 72 - 24) / 2,
        box["y"] + 44 + (box["height"] - 44 - 48) / 2,
    )


def test_a_point_leads_to_its_trial(opened):
    page = opened("/algorithms")
    page.mouse.click(*middle_of_history(page))
    page.wait_for_url("**#1")


def test_a_tap_on_a_point_leads_to_its_trial(opened):
    page = opened("/algorithms", width=390, touched=True)
    page.touchscreen.tap(*middle_of_history(page))
    page.wait_for_url("**#1")


WRITTEN = """async () => {
const m = await import('/static/vendor/echarts.js');
const plot = m.getInstanceByDom(document.querySelector('[data-chart=history] .canvas'));
return plot.getZr().storage.getDisplayList(true).map(({style}) => style.text ?? '').join(' ');
}"""


def test_a_pointer_over_a_point_is_told_what_the_trial_came_to(opened):
    page = opened("/algorithms")
    where = middle_of_history(page)
    assert "trial 1: Succeeded" not in page.evaluate(WRITTEN)
    page.mouse.move(*where)
    until(lambda: "trial 1: Succeeded" in page.evaluate(WRITTEN))
    told = page.evaluate(WRITTEN)
    assert "loss: 1" in told
    assert "lr: 0.5" in told


def test_a_finger_that_is_drawn_along_an_axis_chooses_trials(opened):
    page = opened("/algorithms", width=390, touched=True)
    draw(page, columns([float(index) for index in range(20)]))
    left, middle, height = first_axis(page)
    finger = page.context.new_cdp_session(page)

    def touch(kind, *points):
        at = [{"x": x, "y": y} for x, y in points]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    before = page.evaluate("scrollY")
    touch("touchStart", (left, middle))
    for step in range(1, 9):
        touch("touchMove", (left, middle + height / 2 * step / 8))
    touch("touchEnd")
    becomes_true(page, "Array.isArray(window.chosen) && window.chosen.length >= 8")
    chosen = page.evaluate("window.chosen")
    assert chosen == list(range(len(chosen)))
    assert 8 <= len(chosen) <= 11
    assert page.evaluate("scrollY") == before


def test_plots_follow_the_theme(opened):
    page = opened("/algorithms", theme="light")
    draw(page, columns([3.0, 2.0, 1.0]))
    of_history(page, "option.xAxis[0].axisLabel.color === '#5b6675'")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    of_history(page, "option.xAxis[0].axisLabel.color === '#a0acbb'")


def test_what_a_legend_hides_stays_hidden_when_trials_are_added(opened):
    page = opened("/algorithms")
    states = ["Succeeded", "EarlyStopped"]
    draw(page, columns([2.0, 1.0] * 5, states=states * 5))
    of_history(page, "option.xAxis[0].max === 9")
    of_history(
        page, "plot.dispatchAction({type: 'legendToggleSelect', name: 'EarlyStopped'}) ?? true"
    )
    page.evaluate("(data) => plots.update(data)", columns([2.0, 1.0] * 6, states=states * 6))
    of_history(page, "option.xAxis[0].max === 11")
    of_history(page, "option.legend[0].selected.EarlyStopped === false")


def test_what_is_put_away_leaves_nothing_behind(opened):
    page = opened("/algorithms")
    draw(page, columns([3.0, 2.0, 1.0]))
    expect(page.locator('[data-chart="history"] canvas').first).to_be_visible()
    page.evaluate("window.plots.dispose()")
    expect(page.locator(".chart")).to_have_count(0)


def test_ten_thousand_trials_are_drawn_while_one_waits(opened):
    page = opened("/algorithms")
    points = {name: [LARGE.random() for _ in range(10_000)] for name in ("a", "b", "c")}
    draw(page, columns(points["a"], points=points))
    cards = page.locator(".chart")
    for at in range(cards.count()):
        cards.nth(at).scroll_into_view_if_needed()
        expect(cards.nth(at).locator("canvas").first).to_be_visible()


def test_a_phone_shows_every_plot_within_its_width(opened):
    page = opened("/algorithms", width=390)
    draw(page, WORLDS["thirty parameters"])
    cards = page.locator(".chart")
    for at in range(cards.count()):
        cards.nth(at).scroll_into_view_if_needed()
        expect(cards.nth(at).locator("canvas").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_what_changed_comes_to_its_place_though_trials_before_it_are_missing(opened):
    page = opened("/algorithms")
    known = {"index": [0, 2, 3], "state": ["a", "b", "c"], "point": {"x": [1, 2, 3]}, "metric": {}}
    news = {
        "index": [1, 3, 4],
        "state": ["d", "e", "f"],
        "point": {"x": [4, 5, 6]},
        "metric": {"loss": [0.4, None, 0.6]},
    }
    found = page.evaluate(
        """async ([trials, changed]) => {
        const { merge } = await import('/static/columns.js');
        const data = {metrics: [], trials, position: 1};
        merge(data, {metrics: ["loss"], trials: changed, position: 2});
        return data.trials;
        }""",
        [known, news],
    )
    assert found == {
        "index": [0, 1, 2, 3, 4],
        "state": ["a", "d", "b", "e", "f"],
        "point": {"x": [1, 4, 2, 5, 6]},
        "metric": {"loss": [None, 0.4, None, None, 0.6]},
    }
