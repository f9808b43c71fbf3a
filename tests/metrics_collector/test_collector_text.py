"""What is read off lines without a filter."""

import pytest
from tunewright.metrics_collector.parsers.text import TextParser


def read(text: bytes, *metrics: str):
    parser = TextParser(metrics)
    samples = parser.feed(text, 0.0) + parser.finish(0.0)
    return [(metric, value, step) for metric, value, _, step in samples]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(b"loss=0.3", 0.3, id="Katib's form"),
        pytest.param(b"loss = .98", 0.98, id="blanks and no leading zero"),
        pytest.param(b"loss=-7.53e-05", -7.53e-05, id="an exponent"),
        pytest.param(b"loss: 0.3", 0.3, id="a colon"),
        pytest.param(b"{'loss': 0.3, 'epoch': 1}", 0.3, id="a dict"),
        pytest.param(b'{"loss": "0.3"}', 0.3, id="a number in quotes"),
        pytest.param(b"loss=tensor(0.3, device='cuda:0')", 0.3, id="a tensor"),
        pytest.param(b"{'loss': np.float64(0.3)}", 0.3, id="numpy's repr"),
        pytest.param(b"loss=1.e-05", 1e-05, id="numpy's bare point"),
        pytest.param(b"\x1b[1mloss\x1b[0m: \x1b[32m0.3\x1b[0m", 0.3, id="colours"),
        pytest.param(b"Loss 1.0\tloss 0.3 (0.4)", 0.3, id="a blank"),
        pytest.param(b"| loss | 0.3 |", 0.3, id="a cell"),
    ],
)
def test_a_value_is_read(line, expected):
    (sample,) = read(line, "loss")
    assert sample[:2] == ("loss", expected)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"val_loss=0.3", id="the end of a longer name"),
        pytest.param(b"val/loss=0.3", id="the end of a path"),
        pytest.param(b"loss_x=4 loss.x=4", id="the start of a longer name"),
        pytest.param(b"loss=information", id="a word that begins like infinity"),
        pytest.param(b"loss 3 times", id="prose"),
        pytest.param(b"loss=", id="nothing"),
        pytest.param(b"loss=+", id="a sign"),
    ],
)
def test_what_is_no_value_is_left_alone(line):
    assert read(line, "loss") == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"Evaluating loss\nEpoch 1\n", id="a counter"),
        pytest.param(b"INFO loss\nepoch 2\nepoch 3\n", id="counters"),
        pytest.param(b"INFO Minimizing loss\nGPU memory 12\n", id="a number after words"),
        pytest.param(b"Optimizing validation of loss\nSaved 2 models 3\n", id="words in it"),
    ],
)
def test_prose_below_a_line_that_names_a_metric_is_no_row_of_a_table(text):
    assert read(text, "loss") == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param(b"epoch loss\n1 0.5\n", 0.5, id="two columns"),
        pytest.param(b"epoch loss time saved\n1 0.5 00:03 +\n", 0.5, id="a time and a mark"),
        pytest.param(b"split acc f1 loss\ntest nan None 0.5\n", 0.5, id="a row with a name"),
    ],
)
def test_a_row_of_numbers_below_its_header_is_read(text, value):
    assert [(metric, value) for metric, value, _ in read(text, "loss")] == [("loss", value)]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        pytest.param(b"f1=" + b" " * 60_000, 0, id="blanks where a value is due"),
        pytest.param(b"f1=1 epoch" + b" " * 50_000, 1, id="blanks where a step is due"),
        pytest.param(b"f1=1 " * 13_000, 13_000, id="values"),
    ],
)
def test_a_long_line_is_gone_through_once(line, values):
    """Where it is not, the test runs into its time limit."""
    assert len(read((line + b"\n") * 30, "f1")) == 30 * values
