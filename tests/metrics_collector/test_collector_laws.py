"""What holds for every log: Katib's reading of it, and that its pieces do not matter."""

import itertools
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tunewright.api.observation import Sample
from tunewright.metrics_collector.parsers.json_lines import JsonLinesParser
from tunewright.metrics_collector.parsers.text import TextParser

METRICS = ("loss", "acc", "val_loss", "Validation-acc")
# Katib's default filter, as its contract states it.
KATIB = re.compile(r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)", re.ASCII)

words = st.sampled_from(
    [
        *METRICS,
        "lr",
        "epoch",
        "step",
        "=",
        " = ",
        "==",
        ": ",
        ":",
        ",",
        " ",
        "\t",
        "|",
        "-",
        "+",
        "{",
        "}",
        "'",
        '"',
        "(",
        "nan",
        "inf",
        "1",
        "0.5",
        ".25",
        "-7.5e-05",
        "1E0",
        "1.",
        "e5",
        "2024-05-01T12:00:00Z",
        "é",
        "[3]",
        "tensor(",
        "/",
        ".",
        "%",
        "xloss",
    ]
)
lines = st.lists(words, max_size=14).map("".join)


def katib(line: str) -> list[tuple[str, float]]:
    """Return what Katib reads and can take for a number.

    Left out is what it takes from the end of a longer name or number
    (`val/loss=1`, `x=3loss=1`), and the `1` that it makes of `1.e-05`.
    """
    found = []
    for match in KATIB.finditer(line):
        before = line[match.start() - 1 : match.start()]
        glued = re.fullmatch(r"[\w./|-]", before, re.ASCII)
        if match[1] not in METRICS or glued or re.match(r"\.[eE][+-]?\d", line[match.end() :]):
            continue
        try:
            found.append((match[1], float(match[2])))
        except ValueError:
            continue
    return found


def read(pieces: list[bytes], *metrics: str):
    parser = TextParser(metrics or METRICS)
    samples = [sample for piece in pieces for sample in parser.feed(piece, 5.0)]
    return [Sample(*sample) for sample in samples + parser.finish(5.0)]


@given(lines)
@example("acc = 1 loss=-.5e3,val_loss=2")
def test_all_that_katib_reads_off_a_line_is_read_in_its_order(line):
    ours = iter([(sample.metric, sample.value) for sample in read([line.encode()])])
    assert all(sample in ours for sample in katib(line))


pairs = st.tuples(
    st.sampled_from([*METRICS, "lr", "other-loss", "time"]),
    st.sampled_from(["=", " = ", "\t=", "= "]),
    st.one_of(
        st.floats(allow_nan=False, allow_infinity=False).map(repr),
        st.integers(-(10**6), 10**6).map(str),
        st.sampled_from([".5", "+3", "-.5E3", "1e5", "12abc", "7%"]),
    ),
).map("".join)


@given(st.lists(pairs, max_size=8), st.sampled_from([" ", ", ", "; ", "  "]))
def test_a_line_of_pairs_is_read_exactly_as_katib_reads_it(parts, between):
    line = between.join(parts)
    assert [(sample.metric, sample.value) for sample in read([line.encode()])] == katib(line)


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


ends = st.sampled_from(["\n", "\r\n", "\r", ""])
logs = st.lists(st.tuples(lines, ends).map("".join), max_size=8).map(lambda x: "".join(x).encode())


@given(logs, st.lists(st.integers(0, 2000), max_size=10))
def test_how_a_log_arrives_does_not_change_what_is_read(log, cuts):
    assert repr(read(cut(log, cuts))) == repr(read([log]))  # as text, NaN equals itself


@given(st.lists(st.integers(0, 200_000), max_size=5))
def test_how_a_line_beyond_all_bounds_arrives_does_not_change_what_is_read(cuts):
    log = b"x " * 40_000 + b"loss=1 " + b"y" * 90_000 + b" loss=2 acc=3\nloss=4"
    whole = read([log])
    assert read(cut(log, cuts)) == whole
    assert [sample.value for sample in whole] == [1, 2, 3, 4]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_no_bytes_disturb_the_reader(noise, cuts):
    log = noise + b"\nloss=0.5\n" + noise
    assert ("loss", 0.5) in [(sample.metric, sample.value) for sample in read(cut(log, cuts))]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_json_lines_survive_what_is_no_json(noise, cuts):
    parser = JsonLinesParser(METRICS)
    log = noise + b'\n{"loss": 0.5}\n' + noise
    samples = [sample for piece in cut(log, cuts) for sample in parser.feed(piece, 5.0)]
    assert [sample.value for sample in samples] == [0.5]


templates = st.lists(
    st.one_of(words, st.sampled_from(["#", "#", "#", "epoch #", "step=", "loss=#", " acc: #"])),
    min_size=1,
    max_size=12,
).map("".join)
numbers = st.one_of(
    st.integers(-5, 10**20).map(str),
    st.floats(allow_nan=False).map(repr),
    st.sampled_from(["1.", "1.0", "0.5", "1e5", "1-2", "1.5.3", "1.e-05", "nan", "1_0"]),
)


@given(st.data(), templates)
def test_lines_of_one_shape_are_read_together_as_they_are_one_by_one(data, template):
    def line() -> bytes:
        parts = template.split("#")
        filled = [part + data.draw(numbers) for part in parts[:-1]] + parts[-1:]
        return "".join(filled).encode() + b"\n"

    together = [line() for _ in range(6)]
    alone = [sample for each in together for sample in read([each])]
    assert repr(read([together[0], b"".join(together[1:])])) == repr(alone)


@pytest.mark.parametrize(
    "dressed",
    [
        pytest.param(lambda line: line + b"\r\n", id="ends as on Windows"),
        pytest.param(lambda line: b"\r" + line, id="progress bar"),
        pytest.param(lambda line: b"\x08\x08" + line, id="steps back"),
        pytest.param(lambda line: b"\x1b[32m" + line + b"\x1b[0m\n", id="colours"),
        pytest.param(lambda line: b"\x1b]0;title\x07" + line + b"\n", id="window title"),
        pytest.param(lambda line: b"\x1b]no end\n" + line + b"\n", id="title without an end"),
    ],
)
def test_many_lines_that_are_dressed_up_are_read_as_plain_ones(dressed):
    plain = [b"epoch %d loss=0.%d" % (epoch, epoch) for epoch in range(1, 9)]
    expected = [Sample("loss", float(f"0.{epoch}"), 5.0, epoch) for epoch in range(1, 9)]
    assert read([b"".join(map(dressed, plain))]) == expected
