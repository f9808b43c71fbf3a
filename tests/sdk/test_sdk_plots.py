"""Plots and tables of a result: real trials, figures of matplotlib, in a notebook too."""

import sys

import pytest
from support.asked import asked
from support.command import ROOT
from tunewright import Client, search

pytestmark = [pytest.mark.timeout(120), pytest.mark.needs("matplotlib")]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / ".types"))


SPACE = {
    "lr": search.double(1e-4, 1, log=True),
    "layers": search.int(1, 4),
    "kind": search.categorical(["a", "b"]),
    "momentum": search.double(0, 1, when={"kind": ["a"]}),
}
OBJECTIVES = {"objectives": [{"metric": "seconds", "type": "maximize"}]}


@pytest.fixture
def result():
    """Sixteen trials of four kinds of parameters: one failed, one reports no number."""
    with Client() as client:
        experiment = client.create(asked(trials=16, **search.parameters(SPACE), **OBJECTIVES))
        while (point := experiment.ask()) is not None:
            if point.index == 3:
                experiment.tell(point, failed="the pump leaks")
                continue
            loss = float("nan") if point.index == 5 else point.parameters["lr"]
            experiment.tell(point, loss=loss, seconds=point.parameters["layers"])
        yield client.result("asked")


def labels(axes):
    return set(axes.get_legend_handles_labels()[1])


def test_history_shows_each_value_and_the_best_so_far(result):
    axes = result.plot.history().axes[0]
    assert labels(axes) == {"Succeeded", "best so far"}
    (best,) = axes.lines
    values = list(best.get_ydata())
    assert values == sorted(values, reverse=True)
    assert values[-1] == result.best.value
    assert len(axes.collections[0].get_offsets()) == 14


def test_each_plot_is_a_figure_that_can_be_written(result, tmp_path):
    from matplotlib.figure import Figure

    plot = result.plot
    figures = [
        *(plot.history(), plot.parallel(), plot.importance(), plot.slice(), plot.curves()),
        *(plot.pareto(), plot.history("seconds"), plot.slice("lr", "kind", metric="seconds")),
    ]
    for figure in figures:
        assert isinstance(figure, Figure)
        figure.savefig(tmp_path / "plot.png")


def test_the_front_of_two_objectives_is_what_no_other_betters(result):
    (front,) = result.plot.pareto().axes[0].lines
    told = [(t.value, t.metrics["seconds"]) for t in result.trials if t.state == "Succeeded"]
    found = list(zip(front.get_xdata(), front.get_ydata(), strict=True))
    finite = [(loss, seconds) for loss, seconds in told if loss == loss]  # noqa: PLR0124 -- NaN
    for loss, seconds in found:
        assert not any(
            other <= loss and more >= seconds and (other, more) != (loss, seconds)
            for other, more in finite
        )


def test_the_parameter_that_decides_is_the_most_important(result):
    shares = result.importance()
    assert next(iter(shares)) == "lr"
    assert set(shares) == set(SPACE)


def test_what_cannot_be_drawn_is_refused_with_what_would_be_right(result):
    with pytest.raises(ValueError, match="speed is not an objective: name one of loss, seconds"):
        result.plot.history("speed")
    with pytest.raises(ValueError, match="depth is not a parameter: name some of lr, layers"):
        result.plot.slice("depth")
    with Client() as client:
        client.create(asked("few"))
        few = client.result("few")
    with pytest.raises(ValueError, match="needs 10 trials with a value of loss: there are 0"):
        few.plot.importance()
    with pytest.raises(ValueError, match="loss is the only one"):
        few.plot.pareto()


def test_plots_of_an_experiment_without_a_trial_can_be_drawn(result):
    with Client() as client:
        client.create(asked("empty"))
        plot = client.result("empty").plot
    for figure in (plot.history(), plot.parallel(), plot.slice(), plot.curves()):
        figure.canvas.draw()


NAS = {
    "nasConfig": {
        "graphConfig": {"numLayers": 2, "inputSizes": [8], "outputSizes": [2]},
        "operations": [
            {
                "operationType": "convolution",
                "parameters": search.parameters({"size": search.categorical([3, 5])})["parameters"],
            }
        ],
    },
}


@pytest.mark.parametrize("plot", ["parallel", "slice"])
def test_a_plot_across_parameters_says_that_an_architecture_has_none(plot):
    document = asked(algorithm="nas-random", trials=1)
    document["spec"] = {k: v for k, v in document["spec"].items() if k != "parameters"} | NAS
    with Client() as client:
        experiment = client.create(document)
        experiment.tell(experiment.ask(), loss=1)
        plots = client.result("asked").plot
    with pytest.raises(ValueError, match="an architecture was searched"):
        getattr(plots, plot)()


def test_a_table_has_a_row_a_trial(result):
    frame = result.to_frame()
    assert list(frame.index) == [trial.index for trial in result.trials]
    assert {"state", "value", *SPACE, "metric.loss", "metric.seconds"} <= set(frame.columns)
    assert frame["value"].min() == result.best.value


def test_a_parameter_called_as_a_column_of_the_table_hides_none():
    space = {"value": search.double(0, 1), "state": search.categorical(["on", "off"])}
    with Client() as client:
        experiment = client.create(asked(trials=1, **search.parameters(space)))
        point = experiment.ask()
        experiment.tell(point, loss=7)
        (row,) = client.result("asked").to_frame().to_dict("records")
    assert (row["state"], row["value"]) == ("Succeeded", 7)
    assert (row["param.state"], row["param.value"]) == tuple(
        point.parameters[name] for name in ("state", "value")
    )


@pytest.mark.parametrize(("library", "extra"), [("matplotlib", "plots"), ("pandas", "frame")])
def test_the_extra_of_a_library_that_is_not_there_is_named(library, extra, result, monkeypatch):
    for name in [each for each in sys.modules if each.startswith(f"{library}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "tunewright.sdk.plots", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(Exception, match=rf"pip install 'tunewright\[{extra}\]'"):
        result.plot if library == "matplotlib" else result.to_frame()
