"""A collection of each kind, as the engine uses it."""

import asyncio
import http.server
import math
import os
import struct
import threading
from contextlib import suppress
from dataclasses import replace

import pytest
from tensorboardX import SummaryWriter
from tunewright.api.errors import Invalid
from tunewright.api.observation import TextValue
from tunewright.metrics_collector import scrape
from tunewright.metrics_collector.collection import Collection
from tunewright.metrics_collector.parsers.tfevent import masked_crc32c
from tunewright.metrics_collector.spec import (
    CollectorKind,
    CollectorSpec,
    FileFormat,
    collector_spec,
)


def pairs(samples):
    return [(metric, value) for metric, value, _, _ in samples]


class Run:
    """A collection that runs as the engine's task does, one look at a time."""

    def __init__(self, spec, *metrics):
        self.got = []
        self._turn = asyncio.Event()
        self._looked = asyncio.Event()
        self.collection = Collection(
            spec, metrics or ("loss",), clock=lambda: 5.0, sleep=self._sleep
        )
        self._task = asyncio.create_task(self.collection.run(self._take))

    async def _take(self, samples):
        self.got += samples

    async def _sleep(self, _seconds):
        self._looked.set()
        await self._turn.wait()
        self._turn.clear()

    async def look(self):
        """Wait for one more look; return all samples so far."""
        if self._looked.is_set():
            self._looked.clear()
            self._turn.set()
        await self._looked.wait()
        return pairs(self.got)

    async def finish(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.got += await self.collection.finish(5.0)
        return pairs(self.got)


def file_spec(path, form=FileFormat.TEXT):
    return CollectorSpec(CollectorKind.FILE, str(path), form)


def test_both_streams_of_the_output_are_read_each_with_its_own_lines():
    collection = Collection(CollectorSpec(), ("loss",))
    assert collection.feed("stdout", b"loss=", 1.0) == []
    assert pairs(collection.feed("stderr", b"loss=2\n", 2.0)) == [("loss", 2.0)]
    assert pairs(collection.feed("stdout", b"1\nloss=3", 3.0)) == [("loss", 1.0)]
    assert pairs(asyncio.run(collection.finish(4.0))) == [("loss", 3.0)]


def test_batches_are_numbered_in_the_order_of_the_samples():
    collection = Collection(CollectorSpec(), ("loss",))
    first = collection.batch(
        collection.feed("stdout", b"loss=1\nloss=2\n", 1.0), experiment_uid="u", index=0, attempt=1
    )
    second = collection.batch(
        collection.feed("stdout", b"loss=3\n", 1.0), experiment_uid="u", index=0, attempt=1
    )
    assert (first.source, first.first_sequence, second.first_sequence) == ("StdOut", 0, 2)


def test_the_names_that_were_seen_instead_are_told():
    collection = Collection(CollectorSpec(), ("accuracy",))
    collection.feed("stdout", b"val_accuracy=0.5 lr: 0.1\n" * 3 + b"note\n", 1.0)
    assert collection.seen == ("lr", "val_accuracy")


def test_a_file_that_appears_late_is_read_from_its_beginning(tmp_path):
    async def main():
        run = Run(file_spec(tmp_path / "late" / "metrics.log"))
        assert await run.look() == []
        (tmp_path / "late").mkdir()
        (tmp_path / "late" / "metrics.log").write_text("loss=1\nloss=2")
        assert await run.look() == [("loss", 1.0)]
        assert await run.finish() == [("loss", 1.0), ("loss", 2.0)]

    asyncio.run(main())


def test_a_rotated_file_is_read_to_its_end_before_the_next(tmp_path):
    path = tmp_path / "metrics.log"

    async def main():
        run = Run(file_spec(path))
        path.write_text("loss=1\n")
        await run.look()
        with path.open("a") as file:
            file.write("loss=2\n")
        path.rename(tmp_path / "metrics.log.1")
        path.write_text("loss=3\n")
        assert await run.finish() == [("loss", 1.0), ("loss", 2.0), ("loss", 3.0)]

    asyncio.run(main())


def test_a_file_that_was_cut_is_read_from_its_start(tmp_path):
    path = tmp_path / "metrics.log"

    async def main():
        run = Run(file_spec(path))
        path.write_text("loss=1\nloss=2\n")
        await run.look()
        path.write_text("loss=3\n")
        assert await run.finish() == [("loss", 1.0), ("loss", 2.0), ("loss", 3.0)]

    asyncio.run(main())


@pytest.mark.parametrize("is_renamed", [False, True], ids=["cut", "rotated"])
def test_what_had_no_end_does_not_go_on_in_what_is_read_next(tmp_path, *, is_renamed):
    path = tmp_path / "metrics.log"

    async def main():
        run = Run(file_spec(path))
        path.write_text("epoch=1 loss=0.5\nloss=1")
        await run.look()
        if is_renamed:
            path.rename(tmp_path / "metrics.log.1")
        path.write_text("5 loss=3\n")
        assert await run.finish() == [("loss", 0.5), ("loss", 1.0), ("loss", 3.0)]

    asyncio.run(main())


def test_a_named_pipe_is_read_as_often_as_something_is_written_to_it(tmp_path):
    path = tmp_path / "metrics.log"
    os.mkfifo(path)

    async def main():
        run = Run(file_spec(path))
        await run.look()
        with path.open("wb", buffering=0) as pipe:
            for line in (b"loss=1\n", b"loss=2\n"):
                pipe.write(line)
                await run.look()
        assert await run.finish() == [("loss", 1.0), ("loss", 2.0)]

    asyncio.run(main())


def test_what_was_written_before_the_first_look_is_found_at_the_end(tmp_path):
    (tmp_path / "m.log").write_text("loss=1")
    collection = Collection(file_spec(tmp_path / "m.log"), ("loss",))
    assert pairs(asyncio.run(collection.finish(1.0))) == [("loss", 1.0)]


@pytest.mark.parametrize(
    ("line", "value", "time", "step"),
    [
        pytest.param('{"loss": "0.5"}', 0.5, 5.0, None, id="a number in quotes, as Katib wants"),
        pytest.param('{"loss": 0.5, "step": 3}', 0.5, 5.0, 3, id="a number, and its step"),
        pytest.param(
            '{"loss": 1, "timestamp": 1638422847.28721}', 1.0, 1638422847.28721, None, id="epoch"
        ),
        pytest.param(
            '{"loss": 1, "timestamp": "2021-12-02T05:27:27.28721Z"}',
            *(1.0, 1638422847.28721, None),
            id="RFC 3339",
        ),
        pytest.param('{"val": {"loss": 3}, "loss": 4}', 4.0, 5.0, None, id="the key itself"),
        pytest.param('no JSON\n{"loss": 4}', 4.0, 5.0, None, id="behind a line that is no JSON"),
    ],
)
def test_a_line_of_json_is_read(tmp_path, line, value, time, step):
    (tmp_path / "m.json").write_text(line + "\n")
    collection = Collection(file_spec(tmp_path / "m.json", FileFormat.JSON), ("loss",))
    (sample,) = asyncio.run(_rest(collection))
    assert (sample.value, sample.step) == (value, step)
    assert sample.time == pytest.approx(time, abs=1e-6)


async def _rest(collection):
    """Finish with a clock of the file's own."""
    collection._source._clock = lambda: 5.0
    return await collection.finish(5.0)


def test_a_metric_in_nested_json_is_named_with_points(tmp_path):
    (tmp_path / "m.json").write_text('{"val": {"loss": 3}}\n')
    collection = Collection(file_spec(tmp_path / "m.json", FileFormat.JSON), ("val.loss",))
    assert pairs(asyncio.run(collection.finish(1.0))) == [("val.loss", 3.0)]


def test_event_files_are_read_as_they_grow(tmp_path):
    async def main():
        run = Run(CollectorSpec(CollectorKind.TFEVENT, str(tmp_path)), "train/loss", "acc")
        with SummaryWriter(str(tmp_path / "train")) as writer:
            writer.add_scalar("loss", 0.5, 1)
            writer.add_scalar("loss_other", 9.0, 1)
            writer.flush()
            await run.look()
            writer.add_scalar("acc", 0.25, 2)
        await run.finish()
        return [(sample.metric, sample.value, sample.step) for sample in run.got]

    assert asyncio.run(main()) == [("train/loss", 0.5, 1), ("acc", 0.25, 2)]


def test_a_part_of_a_record_waits_for_the_rest(tmp_path):
    with SummaryWriter(str(tmp_path / "w")) as writer:
        writer.add_scalar("loss", 0.5, 1)
    (whole,) = (tmp_path / "w").iterdir()
    data = whole.read_bytes()
    path = tmp_path / "t" / "events.out.tfevents.1"
    path.parent.mkdir()

    async def main():
        run = Run(CollectorSpec(CollectorKind.TFEVENT, str(path.parent)))
        path.write_bytes(data[:-5])
        assert await run.look() == []
        with path.open("ab") as file:
            file.write(data[-5:])
        assert await run.finish() == [("loss", 0.5)]

    asyncio.run(main())


@pytest.mark.parametrize("torn", [0, 5], ids=["whole", "torn"])
def test_an_event_file_that_is_written_anew_is_read_anew(tmp_path, torn):
    (tmp_path / "t").mkdir()
    path = tmp_path / "t" / "events.out.tfevents.1"

    def written(*values):
        with SummaryWriter(str(tmp_path / f"{values}")) as writer:
            for value in values:
                writer.add_scalar("loss", value, 1)
        (file,) = (tmp_path / f"{values}").iterdir()
        return file.read_bytes()

    async def main():
        run = Run(CollectorSpec(CollectorKind.TFEVENT, str(path.parent)))
        long = written(0.5, 0.25, 0.75)
        path.write_bytes(long[: len(long) - torn])
        seen = len(await run.look())
        path.write_bytes(written(0.125))
        return (await run.finish())[seen:]

    assert asyncio.run(main()) == [("loss", 0.125)]


@pytest.mark.parametrize("time", [math.nan, math.inf])
def test_an_event_without_a_time_that_is_one_is_left_out(tmp_path, time):
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_scalar("loss", 0.25, 1, walltime=time)
        writer.add_scalar("loss", 0.5, 2)
    collection = Collection(CollectorSpec(CollectorKind.TFEVENT, str(tmp_path)), ("loss",))
    assert pairs(asyncio.run(collection.finish(1.0))) == [("loss", 0.5)]


def record(data):
    """Return data as it stands in an event file."""
    length = struct.pack("<Q", len(data))
    checksums = [struct.pack("<I", masked_crc32c(part)) for part in (length, data)]
    return length + checksums[0] + data + checksums[1]


def test_a_step_of_an_event_has_64_bits_whatever_stands_there(tmp_path):
    value = b"\x0a\x04loss\x15" + struct.pack("<f", 0.5)
    summary = bytes([0x0A, len(value)]) + value
    step = b"\x10" + b"\xff" * 9 + b"\x7f"
    event = b"\x09" + struct.pack("<d", 1.0) + step + bytes([0x2A, len(summary)]) + summary
    (tmp_path / "events.out.tfevents.0").write_bytes(record(event))
    collection = Collection(CollectorSpec(CollectorKind.TFEVENT, str(tmp_path)), ("loss",))
    assert asyncio.run(collection.finish(1.0)) == [("loss", 0.5, 1.0, -1)]


def test_a_damaged_event_file_is_no_end_of_the_others(tmp_path):
    (tmp_path / "events.out.tfevents.0").write_bytes(os.urandom(500))
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_scalar("loss", 0.5, 1)
    collection = Collection(CollectorSpec(CollectorKind.TFEVENT, str(tmp_path)), ("loss",))
    assert pairs(asyncio.run(collection.finish(1.0))) == [("loss", 0.5)]


class Page:
    """A metrics page of a trial."""

    def __init__(self):
        page = self
        self.text = ""
        self.length = None  # that is told, where one is
        self.is_endless = False
        self.head_is_endless = False
        self.asked = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                page.asked = self.headers
                with suppress(OSError):  # who asked has gone
                    while page.head_is_endless:
                        self.wfile.write(b"HTTP/1.0 100 Continue\r\n\r\n")
                self.send_response(200)
                if page.length is not None:
                    self.send_header("Content-Length", str(page.length))
                self.end_headers()
                self.wfile.write(page.text.encode())
                with suppress(OSError):  # who asked has gone
                    while page.is_endless:
                        self.wfile.write(b"# and on\n")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.spec = CollectorSpec(
            CollectorKind.PROMETHEUS, "/metrics", port=self.server.server_address[1]
        )

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def page():
    page = Page()
    yield page
    page.close()


def test_a_page_is_scraped_and_a_value_that_stays_is_one(page):
    async def main():
        run = Run(page.spec, "loss", 'acc{split="val"}')
        await run.look()
        page.text = '# TYPE loss gauge\nloss 0.5\nacc{split="train"} 0.1\nacc{split="val"} 0.2\n'
        await run.look()
        await run.look()
        page.text = "loss NaN\n"
        await run.look()
        await run.look()
        return await run.finish()

    first, second, third = asyncio.run(main())
    assert [first, second] == [("loss", 0.5), ('acc{split="val"}', 0.2)]
    assert third[1] != third[1]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("loss" + " " * 100_000, id="blanks where a value is due"),
        pytest.param("loss 1" + " " * 100_000 + "x", id="blanks where a time is due"),
        pytest.param("loss{" + "x" * 100_000 + "} 1", id="a label without a value"),
        pytest.param("loss 1 " + "9" * 5_000, id="a time beyond all numbers"),
        pytest.param("loss 1 " + "9" * 400, id="a time that no database keeps"),
    ],
)
def test_no_line_of_a_page_holds_up_the_others(page, line):
    """Where one does, the test runs into its time limit."""

    async def main():
        run = Run(page.spec, "loss")
        page.text = f"{line}\nloss 0.5\n"
        await run.look()
        return await run.finish()

    assert asyncio.run(main()) == [("loss", 0.5)]


def test_a_page_that_breaks_off_is_none(page):
    """Half a number is another number."""

    async def main():
        run = Run(page.spec, "loss")
        page.text, page.length = "loss 0.1", 100
        await run.look()
        page.text, page.length = "loss 0.125\n", None
        await run.look()
        return await run.finish()

    assert asyncio.run(main()) == [("loss", 0.125)]


def test_a_page_that_is_too_large_ends_with_a_whole_line(page, monkeypatch):
    monkeypatch.setattr(scrape, "_LARGEST", len("loss 0.125\nacc 0.1"))

    async def main():
        run = Run(page.spec, "loss", "acc")
        page.text = "loss 0.125\nacc 0.125\n"
        await run.look()
        return await run.finish()

    assert asyncio.run(main()) == [("loss", 0.125)]


def test_a_page_without_an_end_is_given_up(page, monkeypatch):
    """Where it is not, the test runs into its time limit."""
    monkeypatch.setattr(scrape, "_LARGEST", 1 << 40)
    monkeypatch.setattr(scrape, "_PATIENCE", 0.05)

    async def main():
        run = Run(page.spec, "loss")
        page.text, page.is_endless = "loss 0.5\n", True
        assert await run.look() == []
        page.is_endless = False
        await run.look()
        return await run.finish()

    assert asyncio.run(main()) == [("loss", 0.5)]


def test_a_page_whose_head_has_no_end_is_given_up(page, monkeypatch):
    """Where it is not, the test runs into its time limit."""
    monkeypatch.setattr(scrape, "_PATIENCE", 0.05)

    async def main():
        run = Run(page.spec, "loss")
        page.text, page.head_is_endless = "loss 0.5\n", True
        assert await run.look() == []
        page.head_is_endless = False
        await run.look()
        return await run.finish()

    assert asyncio.run(main()) == [("loss", 0.5)]


def test_a_page_is_asked_for_with_the_headers_of_the_file(page):
    async def main():
        run = Run(replace(page.spec, headers=(("Authorization", "Bearer x"),)))
        await run.look()
        await run.finish()

    asyncio.run(main())
    assert page.asked["Authorization"] == "Bearer x"


def test_two_trials_at_once_keep_their_metrics_apart(tmp_path, page):
    other = Page()
    page.text, other.text = "loss 1\n", "loss 2\n"

    def spec(kind, trial):
        folder = tmp_path / f"{kind}{trial}"
        folder.mkdir()
        if kind is CollectorKind.PROMETHEUS:
            return (page, other)[trial - 1].spec
        if kind is CollectorKind.TFEVENT:
            with SummaryWriter(str(folder)) as writer:
                writer.add_scalar("loss", trial, 1)
            return CollectorSpec(kind, str(folder))
        (folder / "m.log").write_text(f"loss={trial}\n")
        return CollectorSpec(kind, str(folder / "m.log"))

    async def main(kind):
        runs = [Run(spec(kind, trial)) for trial in (1, 2)]
        for trial, run in enumerate(runs, 1):
            if kind is CollectorKind.STDOUT:
                run.got += run.collection.feed("stdout", f"loss={trial}\n".encode(), 1.0)
            else:
                await run.look()
        return [await run.finish() for run in runs]

    kinds = (
        *(CollectorKind.STDOUT, CollectorKind.FILE),
        *(CollectorKind.TFEVENT, CollectorKind.PROMETHEUS),
    )
    for kind in kinds:
        assert asyncio.run(main(kind)) == [[("loss", 1.0)], [("loss", 2.0)]], kind
    other.close()


def test_a_filter_reads_by_its_two_groups():
    spec = CollectorSpec(filters=(r"metricName: ([\w/]+), metricValue: ([\d.]+)",))
    collection = Collection(spec, ("acc",))
    line = b"{metricName: acc, metricValue: 0.98};{metricName: loss, metricValue: 0.3} acc=7\n"
    assert pairs(collection.feed("stdout", line, 1.0)) == [("acc", 0.98)]


GENOTYPE = "Genotype(normal=[[('skip_connection',0)]], normal_concat=range(2,4))"


@pytest.mark.parametrize(
    ("pattern", "line", "value"),
    [
        pytest.param(r"([\w-]+)=(Genotype.*)", f"net={GENOTYPE}", GENOTYPE, id="as Katib's darts"),
        pytest.param(r"(net) is (\w+ )$", "net is deep ", "deep", id="blanks around it"),
        pytest.param(r"(net)=(\S+)", "net=N/A", None, id="where a number could stand"),
        pytest.param(r"(net)=([\d.]*)", "net=", None, id="nothing in place of a number"),
        pytest.param(r"(net)=(x|-?\d+)", "net=x", None, id="a word beside numbers"),
        pytest.param(r"(net)=(a*)", "net=", None, id="no text"),
    ],
)
def test_a_filter_reads_a_text_where_no_number_can_stand(pattern, line, value):
    collection = Collection(CollectorSpec(filters=(pattern,)), ("net",))
    found = collection.feed("stdout", f"INFO {line}\n".encode(), 1.0)
    assert [each[1] for each in found] == ([] if value is None else [TextValue(value)])


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        pytest.param(r"(?<=x)(\w+)=(\d+)", "look-around", id="look-behind"),
        pytest.param(r"(\w+)=(\d+)\1", "look-around", id="a back-reference"),
        pytest.param(r"\w+=(\d+)", "two groups", id="one group"),
        pytest.param(r"((\w+)=(\d+)", "no pattern", id="an open parenthesis"),
    ],
)
def test_a_filter_that_cannot_be_used_is_refused_by_name(pattern, message):
    with pytest.raises(Invalid, match=message) as refused:
        Collection(CollectorSpec(filters=(r"(a)(b)", pattern)), ("loss",))
    (fault,) = refused.value.faults
    assert fault.path == "spec.metricsCollectorSpec.source.filter.metricsFormat[1]"


def test_a_filter_made_to_hang_does_not():
    collection = Collection(CollectorSpec(filters=(r"((?:a+)+b) (loss)",)), ("loss",))
    assert collection.feed("stdout", b"a" * 60_000 + b" loss\n", 1.0) == []


def test_a_line_without_an_end_is_held_in_part_only():
    collection = Collection(CollectorSpec(), ("loss",))
    for _ in range(200):
        collection.feed("stdout", b"\0x" * 8192, 1.0)
    (parser,) = collection._source._parsers.values()
    assert parser._lines._size <= 2 * 64 * 1024
    assert pairs(collection.feed("stdout", b" loss=1\n", 1.0)) == [("loss", 1.0)]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(None, CollectorSpec(), id="nothing is StdOut"),
        pytest.param(
            {"collector": {"kind": "File"}},
            CollectorSpec(CollectorKind.FILE, "/var/log/katib/metrics.log"),
            id="a file without a path",
        ),
        pytest.param(
            {
                "collector": {"kind": "TensorFlowEvent"},
                "source": {"fileSystemPath": {"path": "/t"}},
            },
            CollectorSpec(CollectorKind.TFEVENT, "/t"),
            id="event files",
        ),
        pytest.param(
            {"collector": {"kind": "PrometheusMetric"}, "source": {"httpGet": {"port": "9090"}}},
            CollectorSpec(CollectorKind.PROMETHEUS, "/metrics", port=9090),
            id="a port as text",
        ),
        pytest.param(
            {
                "collector": {"kind": "PrometheusMetric"},
                "source": {"httpGet": {"httpHeaders": [{"name": "X-A", "value": "b"}]}},
            },
            CollectorSpec(CollectorKind.PROMETHEUS, "/metrics", port=8080, headers=(("X-A", "b"),)),
            id="headers",
        ),
        pytest.param(
            {"collector": {"kind": "StdOut"}, "source": {"fileSystemPath": {"format": "text"}}},
            CollectorSpec(),
            id="a file's format where no file is read",
        ),
        pytest.param({"collector": {"kind": "Push"}}, CollectorSpec(CollectorKind.PUSH), id="Push"),
    ],
)
def test_a_metrics_collector_spec_becomes_one_value(document, expected):
    assert collector_spec(document) == expected


def test_a_pushing_trial_has_nothing_to_follow():
    collection = Collection(CollectorSpec(CollectorKind.PUSH), ("loss",))

    async def refuse(_samples):
        raise AssertionError

    asyncio.run(collection.run(refuse))
    assert collection.feed("stdout", b"loss=1\n", 1.0) == []
