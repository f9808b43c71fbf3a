"""The Gaussian process: its parts against what they must equal, and the search as a whole."""

import math

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from support.search import Log, double, listed, problem, whole
from tunewright.api.history import Verdict
from tunewright.api.space import Distribution, ParameterKind
from tunewright.suggestion import registry
from tunewright.suggestion.algorithms.gp.acquisition import log_h
from tunewright.suggestion.algorithms.gp.ascent import ascend
from tunewright.suggestion.algorithms.gp.encoding import Columns, Encoding
from tunewright.suggestion.algorithms.gp.fit import Density, fit
from tunewright.suggestion.algorithms.gp.kernel import rough, smooth
from tunewright.suggestion.algorithms.gp.maximize import Score
from tunewright.suggestion.algorithms.gp.model import Hyperparameters, Model
from tunewright.suggestion.algorithms.gp.result import Result
from tunewright.suggestion.algorithms.gp.views import Hope, Views
from tunewright.suggestion.algorithms.gp.warping import Kumaraswamy, tamed
from tunewright.suggestion.cube import Cube
from tunewright.suggestion.session import Session

MIXED = (
    double("x", -5, 5),
    double("lr", "1e-5", "0.1", distribution=Distribution.LOG_UNIFORM),
    whole("layers", 1, 9, 2),
    listed("batch", "16", "64.0", "32", kind=ParameterKind.DISCRETE),
    listed("optimizer", "sgd", "adam", "lion"),
)


def chance(seed=0):
    return np.random.default_rng(seed)


def hyperparameters(noise=1e-4, kernel=smooth):
    warp = Kumaraswamy(np.array([1.3, 0.7]), np.array([0.8, 1.5]))
    return Hyperparameters(np.array([4.0, 9.0]), warp, noise, kernel)


def model(count=12, seed=0, kernel=smooth):
    units = chance(seed).random((count, 2))
    losses = np.sin(5 * units[:, 0]) + units[:, 1] ** 2
    return Model.of(hyperparameters(kernel=kernel), units, losses, np.ones(count))


@pytest.mark.parametrize("kernel", [smooth, rough])
@pytest.mark.parametrize("seed", range(5))
def test_the_densitys_gradient_is_that_of_finite_differences(seed, kernel):
    rng = chance(seed)
    columns = Columns(np.array([0, 1, 2, 2]), np.array([True, True, False, False]))
    units, losses = rng.random((15, 4)), rng.standard_normal(15)
    density = Density(columns, units, losses, rng.uniform(0.5, 2.0, 15), kernel)
    at = density.start(0.1) + 0.3 * rng.standard_normal(8)
    expected = approx_fprime(at, lambda x: density(x)[0], 1e-6)
    assert density(at)[1] == pytest.approx(expected, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize(
    ("losses", "kernel"),
    [
        pytest.param(np.sin(np.linspace(0, 5, 40)), smooth, id="a wave"),
        pytest.param(chance().standard_normal(40).cumsum(), rough, id="a random walk"),
    ],
)
def test_how_rough_an_objective_is_the_density_tells(losses, kernel):
    columns = Columns(np.array([0]), np.array([False]))
    found = fit(columns, np.linspace(0, 1, 40)[:, None], losses, np.ones(40))
    assert found.kernel is kernel


def test_in_a_wide_space_an_objective_is_smooth():
    columns = Columns(np.arange(8), np.zeros(8, dtype=bool))
    losses = chance().standard_normal(40).cumsum()
    assert fit(columns, chance(1).random((40, 8)), losses, np.ones(40)).kernel is smooth


@pytest.mark.parametrize("kernel", [smooth, rough])
@pytest.mark.parametrize("with_failures", [False, True])
def test_the_scores_slopes_are_those_of_finite_differences(with_failures, kernel):
    failures = None
    if with_failures:
        units = chance(1).random((10, 2))
        failures = Model.of(hyperparameters(0.3), units, np.eye(10)[0], np.ones(10))
    score = Score(model(kernel=kernel), -0.5, failures)
    rows = chance(2).uniform(0.05, 0.95, (4, 2))
    heights, slopes = score(rows)
    assert heights == pytest.approx(score.heights(rows))
    for row, slope in zip(rows, slopes, strict=True):
        expected = approx_fprime(row, lambda x: score.heights(x[None])[0], 1e-7)
        assert slope == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_a_row_more_in_the_factor_is_the_factor_of_all_rows():
    units = chance().random((12, 2))
    losses = np.sin(units.sum(axis=1))
    new = np.array([0.3, 0.9])
    grown = Model.of(hyperparameters(), units, losses, np.ones(12)).believing(new)
    full = Model.of(hyperparameters(), np.vstack([units, new]), grown.losses, np.ones(13))
    assert grown.factor == pytest.approx(full.factor, rel=1e-6, abs=1e-6)
    assert grown.mean == pytest.approx(full.mean)


def test_believing_leaves_expectations_and_takes_doubt_away():
    before, new = model(), np.array([0.95, 0.05])
    after = before.believing(new)
    rows = chance(3).random((6, 2))
    assert after.posterior(rows)[0] == pytest.approx(before.posterior(rows)[0])
    assert after.posterior(new[None])[1][0] < 0.05 * before.posterior(new[None])[1][0]


@pytest.mark.parametrize("z", [-30.0, -5.0, -1.0, -0.5, 0.0, 3.0])
def test_log_h_is_the_logarithm_of_expected_improvement(z):
    u = np.linspace(0.0, 40.0, 2_000_001)
    # E[max(z - N, 0)] = ∫ u·φ(z - u) du; the largest exponent is taken out before the sum.
    exponents = -0.5 * (z - u) ** 2
    top = exponents.max()
    integral = float((u * np.exp(exponents - top)).sum() * (u[1] - u[0]))
    expected = top + math.log(integral) - 0.5 * math.log(2 * math.pi)
    assert log_h(np.array([z]))[0] == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_log_h_rises_without_a_jump_where_expected_improvement_is_zero_in_doubles():
    z = -np.geomspace(1e8, 1e-3, 20_000)
    heights = log_h(z)
    assert np.isfinite(heights).all()
    assert (np.diff(heights) > 0).all()


def test_ascents_end_on_top_or_at_the_edge_and_leave_what_is_held():
    top = np.array([0.3, 2.0, 0.5])
    scales = np.array([1.0, 30.0, 1.0])

    def hill(rows):
        return -(scales * (rows - top) ** 2).sum(axis=1), -2 * scales * (rows - top)

    starts = chance().random((5, 3))
    found, heights = ascend(hill, starts, np.array([True, True, False]))
    assert found[:, 0] == pytest.approx(0.3, abs=1e-3)
    assert (found[:, 1] == 1.0).all()
    assert (found[:, 2] == starts[:, 2]).all()
    assert heights == pytest.approx(hill(found)[0])


def test_a_point_is_the_point_of_its_row():
    cube = Cube(problem(*MIXED).space)
    encoding = Encoding(cube)
    for row in chance().random((50, len(MIXED))):
        point = cube.point([float(unit) for unit in row])
        again = encoding.point(encoding.row(point))
        assert again == {**point, "x": pytest.approx(point["x"]), "lr": pytest.approx(point["lr"])}


def test_neighbours_are_levels_near_and_far_and_every_other_entry():
    encoding = Encoding(Cube(problem(*MIXED).space))
    point = {"x": 0.0, "lr": 0.001, "layers": 1, "batch": "32", "optimizer": "adam"}
    rows, _ = encoding.neighbours(encoding.row(point)[None])
    around = [encoding.point(row) for row in rows]
    changes = [
        (name, p[name]) for p in around for name in list(point)[2:] if p[name] != point[name]
    ]
    assert changes == [
        ("layers", 3),
        ("layers", 5),
        ("layers", 9),
        ("batch", "16"),
        ("batch", "64.0"),
        ("optimizer", "sgd"),
        ("optimizer", "lion"),
    ]


@pytest.mark.parametrize(
    "losses", [[1.0, 2.0, 1e300], [math.inf, 0.0, 1.0], [-math.inf, 3.0, 4.0], [5.0, 5.0]]
)
def test_tamed_losses_are_small_numbers_in_the_same_order(losses):
    warped, scale = tamed(np.array(losses))
    assert np.isfinite(warped).all()
    assert np.abs(warped).max() < 10
    assert scale > 0
    order = np.argsort(losses, kind="stable")
    assert (np.diff(warped[order]) >= 0).all()


@pytest.mark.parametrize("exponent", [-1000, -600, 300])
def test_losses_are_tamed_alike_however_small_or_great_they_are(exponent):
    losses = np.array([1.0, 2.5, -3.0, 7.25, 7.5])
    warped, scale = tamed(losses)
    other, factor = tamed(np.ldexp(losses, exponent))
    assert (other == warped).all()
    assert factor == math.ldexp(scale, exponent)


def search(space, value, trials, *, at_once=1, seed=7):
    """Search, begun anew before each call; `value` of None is a failure. Return the points."""
    task = problem(*space, algorithm="gp", seed=seed)
    log, points = Log(), []
    while len(points) < trials:
        session = Session(task)
        session.observe(log.entries)
        first = len(points)
        proposals = session.suggest(first, at_once).proposals
        log.propose(*proposals)
        for index, proposal in enumerate(proposals, start=first):
            points.append(proposal.point)
            found = value(proposal.point)
            verdict = Verdict.BAD if found is None else Verdict.OBSERVED
            log.finish(index, found, verdict)
    return points


def bowl(point):
    return (point["x"] - 1.5) ** 2 + (math.log10(point["lr"]) + 3) ** 2


def mixed(point):
    return (
        bowl(point)
        + abs(point["layers"] - 7)
        + (point["optimizer"] != "adam")
        + abs(math.log2(float(point["batch"])) - 5)
    )


@pytest.mark.parametrize(
    ("space", "value", "trials", "at_once", "level"),
    [
        pytest.param(MIXED[:2], bowl, 30, 1, 1e-3, id="smooth"),
        pytest.param(MIXED[:2], bowl, 40, 4, 1e-2, id="in batches"),
        pytest.param(MIXED, mixed, 35, 1, 0.5, id="mixed"),
    ],
)
def test_few_trials_find_the_best(space, value, trials, at_once, level):
    found = [
        min(value(point) for point in search(space, value, trials, at_once=at_once, seed=seed))
        for seed in (1, 2, 3)
    ]
    assert sorted(found)[1] < level


def test_between_whole_numbers_it_hopes_for_nothing():
    """What jumps from each number to the next seems best where there is none."""

    def jumps(point):
        return point["width"] * 17 % 41

    points = search((whole("width", 1, 40), double("x", -5, 5)), jumps, 40)
    assert len({point["width"] for point in points[20:]}) > 5


def test_around_the_best_on_a_plateau_it_hopes_for_nothing():
    encoding = Encoding(Cube(problem(double("x", 0, 1)).space))
    losses = np.array([0.0] * 10 + [1.0] * 10)
    results = [
        Result(index, np.array([index / 20]), (loss,), None) for index, loss in enumerate(losses)
    ]
    views = Views(encoding, results, losses, alone=True)
    assert views.hope([], chance(), is_local=True) == Hope((), -math.inf)
    assert views.hope([], chance(), is_local=False).points


def test_it_learns_where_trials_fail():
    def value(point):
        return None if point["x"] > 0 else -point["x"] * 0.1 + math.log10(point["lr"])

    points = search(MIXED[:2], value, 30)
    assert sum(point["x"] > 0 for point in points[15:]) < 8
    assert min(value(p) for p in points if value(p) is not None) < -4.5


def test_infinite_values_are_borne():
    def value(point):
        return math.inf if point["x"] < 0 else bowl(point)

    assert min(value(point) for point in search(MIXED[:2], value, 25)) < 0.05


@pytest.mark.parametrize("settings", [{"n_initial_points": "0"}, {"n_initial_points": "-3"}])
def test_what_is_no_number_of_initial_points_is_refused(settings):
    task = problem(*MIXED, algorithm="gp", settings=settings)
    (fault,) = registry.validate_problem(task)
    assert fault.message == "n_initial_points should be great or equal than one"
