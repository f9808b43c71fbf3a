"""What a run looks like, at any width and in plain lines."""

import math
import subprocess
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from support.command import COMMAND, IN_TERMINAL
from tunewright.api.objective import Direction, Metric, Objective, Strategy
from tunewright.api.states import ExperimentState
from tunewright.cli.console import brief, duration
from tunewright.cli.display import make_display
from tunewright.cli.picture import Scene, draw
from tunewright.cli.progress_lines import Lines
from tunewright.cli.spark import spark
from tunewright.controller.progress import BestTrial, FinishedTrial, RunningTrial, Snapshot

OBJECTIVE = Objective(Metric("loss", Strategy.MIN), Direction.MINIMIZE, goal=0.1)
POINT = {"learning_rate_of_the_generator": 0.0012345678, "optimizer_of_the_model": "adamw", "n": 3}


@pytest.mark.parametrize(
    ("message", "line"),
    [
        pytest.param("exit code 1", "exit code 1", id="one line"),
        pytest.param("exit code 1:\n  File x\n    y\nKeyError: z", "exit code 1: KeyError: z",
                     id="a traceback"),
        pytest.param("it began\nso\nand ended", "it began … and ended", id="several lines"),
        pytest.param("", "", id="nothing"),
    ],
)  # fmt: skip
def test_a_long_message_is_told_by_its_beginning_and_its_end(message, line):
    assert brief(message) == line


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(None, "-"), (1.26, "1.3s"), (59.4, "59s"), (3700.0, "1h1m"), (-86387.0, "0.0s")],
)
def test_a_length_of_time_is_written_and_is_none_where_a_clock_was_set_back(seconds, written):
    assert duration(seconds) == written


def snapshot(**changes):
    standard = {
        "at": 100.0,
        "state": ExperimentState.RUNNING,
        "reason": "",
        "message": "",
        "suspended": False,
        "leaving": False,
        "counts": (("Succeeded", 3), ("Failed", 1), ("Running", 1)),
        "max_trials": 10,
        "parallel_trials": 2,
        "best": BestTrial(2, "x-abc", POINT, 0.25),
        "running": (RunningTrial(4, "x-def", 2, POINT, 90.0, 0.5, 7, stopping=False),),
        "active_seconds": 75.0,
        "seconds_left": 120.0,
        "waiting_for": ("1 of 2 slots in use", "trial 5 waits for a GPU"),
    }
    return Snapshot(**{**standard, **changes})


def scene(**changes):
    return Scene("digits", OBJECTIVE, snapshot(**changes), [3.0, 0.25], [3.0, 0.25])


def text(lines):
    return "\n".join(line.plain for line in lines)


def test_the_picture_shows_progress_best_trials_and_what_holds_it_up():
    shown = text(draw(scene(), 120))

    assert "4/10" in shown
    assert "1m15s, 2m left" in shown
    assert "loss ↓ 0.25  trial 2  (goal 0.1)" in shown
    assert "learning_rate_of_the_generator=0.001235" in shown
    assert "attempt 2  loss=0.5 @7" in shown
    assert "trial 5 waits for a GPU" in shown
    assert "slots in use" not in shown


def test_before_the_first_trial_there_is_nothing_to_show_but_that():
    empty = {"counts": (), "best": None, "running": (), "seconds_left": None, "waiting_for": ()}
    shown = text(draw(Scene("digits", OBJECTIVE, snapshot(**empty)), 80))

    assert "0/10" in shown
    assert "no value of loss yet" in shown


@pytest.mark.parametrize("width", [1, 10, 40, 80, 120, 400])
def test_no_line_is_wider_than_the_terminal(width):
    many = tuple(RunningTrial(k, "t", 1, POINT, None, None, None, stopping=True) for k in range(50))

    lines = draw(scene(running=many, parallel_trials=50, leaving=True), width)

    assert all(cell_len(line.plain) <= width for line in lines)
    assert len(lines) < 24


def test_a_run_without_a_limit_says_so():
    assert "4 of no limit" in text(draw(scene(max_trials=None), 80))


@given(st.lists(st.floats(width=32), max_size=200), st.integers(0, 80))
def test_a_spark_line_fits_and_blanks_what_is_no_number(values, width):
    line = spark(values, width)

    assert len(line) == (min(len(values), width) if width else 0)
    if len(values) <= width:
        assert all((c == " ") == (not math.isfinite(v)) for c, v in zip(line, values, strict=True))


def test_a_spark_line_goes_from_the_lowest_to_the_highest():
    assert spark([0, 1, 2, 7], 10) == "▁▂▃█"


def finished(index, value, state="Succeeded", message="", *, is_good=True):
    return FinishedTrial(index, f"t{index}", state, "", message, value, is_good, {"x": 0.5})


def test_plain_lines_say_why_a_low_value_is_not_the_best():
    written = []
    lines = Lines(OBJECTIVE, write=written.append)

    lines.finished(finished(0, 0.5))
    lines.finished(finished(1, 0.1, message="memory 9 is more than 3", is_good=False))
    lines.finished(finished(2, 0.4))

    assert ["best so far" in line for line in written] == [True, False, True]
    assert "memory 9 is more than 3" in written[1]


def test_plain_lines_go_on_from_the_best_of_before(capsys):
    record = SimpleNamespace(best=[SimpleNamespace(value=0.0)])
    lines = make_display(None, record, OBJECTIVE, live=False)

    lines.finished(finished(3, 0.5))
    lines.finished(finished(4, -0.5))

    said = capsys.readouterr().out.splitlines()
    assert ["best so far" in line for line in said] == [False, True]


def test_plain_lines_mark_the_best_and_say_why_a_trial_failed():
    written = []
    lines = Lines(OBJECTIVE, write=written.append)

    lines.finished(finished(0, 0.5))
    lines.finished(finished(1, 0.7))
    lines.finished(finished(2, None, "Failed", "exit code 1\nboom"))

    assert written == [
        "trial 0 Succeeded loss=0.5 (best so far)  x=0.5",
        "trial 1 Succeeded loss=0.7  x=0.5",
        "trial 2 Failed  x=0.5: exit code 1 … boom",
    ]


def test_plain_lines_of_a_long_run_show_only_what_betters_the_best():
    written = []
    lines = Lines(OBJECTIVE, write=written.append, shown=3)

    for index in range(1000):
        lines.finished(finished(index, 1.0))
    lines.finished(finished(1000, 0.5))

    assert len(written) == 5
    assert "best so far" in written[-1]


def test_plain_lines_of_a_quiet_run_say_what_holds_it_up_and_not_of_every_trial(monkeypatch):
    written = []
    lines = Lines(OBJECTIVE, write=written.append)
    monkeypatch.setattr("tunewright.cli.progress_lines._QUIET_SECONDS", 0.0)

    lines.snapshot(snapshot(waiting_for=tuple(f"trial {n} waits" for n in range(40))))

    assert "trial 5 waits; and 34 more" in written[0]


@pytest.mark.needs("linux")
@pytest.mark.parametrize(
    ("env", "draws", "colours"),
    [
        ({"TERM": "xterm"}, True, True),
        ({"TERM": "dumb"}, False, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True, False),
    ],
    ids=["a terminal", "a dumb one", "no colours"],
)
def test_a_terminal_gets_what_it_can_show(tunewright, experiment, env, draws, colours):
    shown = subprocess.run(
        [*IN_TERMINAL, *COMMAND, "run", experiment()],
        cwd=tunewright.folder,
        env={**tunewright.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    ).stdout

    assert ("\x1b[?25l" in shown) == draws
    assert ("trial 0 Succeeded loss=" in shown) == (not draws)
    assert ("\x1b[32mSucceeded" in shown) == colours
