"""A collector beside a trial: what the service has kept in the end, whenever it was ended."""

import asyncio
import itertools
import math
from contextlib import suppress

import pytest
from tensorboardX import SummaryWriter
from tunewright.metrics_collector.sidecar import MOST_FILES, Reported, Sidecar
from tunewright.metrics_collector.spec import CollectorKind, CollectorSpec
from tunewright.proto import tunewright_pb2 as pb


class Kept:
    """The metrics service, as a collector knows it: a sample that comes again is the first."""

    def __init__(self):
        self.by_source = {}
        self.largest = 0
        self.has_six = asyncio.Event()

    @property
    def samples(self):
        found = [each for samples in self.by_source.values() for each in samples]
        return sorted((each.metric, each.step) for each in found)

    async def send(self, request):
        kept = self.by_source.setdefault(request.source, [])
        self.largest = max(self.largest, len(request.samples))
        for sequence, sample in enumerate(request.samples, request.first_sequence):
            if sequence > len(kept):
                kept.append(sample)
        if len(self.samples) >= 6:
            self.has_six.set()
        return pb.ReportReply(last_sequence=len(kept))

    def rest(self):
        pass


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "spool").mkdir()
    return tmp_path


def sidecar(folder, kept, metrics, sleep=asyncio.sleep, *, spec=None):
    return Sidecar(
        folder / "spool",
        Reported("team", "a-0", 1, "pod"),
        spec or CollectorSpec(CollectorKind.TFEVENT, str(folder / "events")),
        metrics,
        kept,
        clock=lambda: 5.0,
        show=lambda _line: None,
        sleep=sleep,
    )


def records(folder):
    """Return what stands in an event file of six steps: its head, and a record for each step."""
    with SummaryWriter(str(folder)) as writer:
        for step in range(1, 7):
            writer.add_scalar("loss", 1 / step, step)
    (file,) = folder.iterdir()
    data, found = file.read_bytes(), []
    while data:
        size = int.from_bytes(data[:8], "little") + 16  # with its length and its checksums
        found.append(data[:size])
        data = data[size:]
    return found


def test_event_files_that_grow_side_by_side_are_kept_whole_over_a_new_start(folder):
    head, *steps = records(folder / "whole")
    metrics, kept = ("train/loss", "validation/loss"), Kept()
    early, late = iter((head, *steps[:3])), steps[3:]

    def write(*written):
        for record, metric in itertools.product(written, metrics):
            file = (folder / "events" / metric).with_name("events.out.tfevents.1")
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("ab") as end:
                end.write(record)

    async def step_by_step(_seconds):
        """Let the training take a step between two looks."""
        write(*itertools.islice(early, 1))
        await asyncio.sleep(0)

    async def run():
        first = asyncio.create_task(sidecar(folder, kept, metrics, step_by_step).run())
        await kept.has_six.wait()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        write(*late)
        (folder / "spool" / "exit").write_text("0")
        return await sidecar(folder, kept, metrics).run()

    assert asyncio.run(run()) == 0
    assert kept.samples == list(itertools.product(metrics, range(1, 7)))


def test_an_event_file_that_was_written_anew_is_kept_whole_over_a_new_start(folder):
    head, *steps = records(folder / "first")
    new_head, *_, fifth, sixth = records(folder / "second")
    file, kept = folder / "events" / "events.out.tfevents.1", Kept()
    file.parent.mkdir()

    async def run():
        file.write_bytes(b"".join((head, *steps[:4])))
        first = asyncio.create_task(sidecar(folder, kept, ("loss",)).run())
        while len(kept.samples) < 4:  # noqa: ASYNC110 # what is kept has no event
            await asyncio.sleep(0)
        file.write_bytes(new_head + fifth)
        while len(kept.samples) < 5:  # noqa: ASYNC110
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        file.write_bytes(new_head + fifth + sixth)
        (folder / "spool" / "exit").write_text("0")
        return await sidecar(folder, kept, ("loss",)).run()

    assert asyncio.run(run()) == 0
    assert kept.samples == [("loss", n) for n in range(1, 7)]


def test_however_many_event_files_there_are_they_have_few_names(folder):
    kept = Kept()
    for number in range(MOST_FILES + 10):
        with SummaryWriter(str(folder / "events" / f"{number}")) as writer:
            writer.add_scalar("loss", 0.5, number)
    (folder / "spool" / "exit").write_text("0")

    asyncio.run(sidecar(folder, kept, ("loss",)).run())
    assert len(kept.samples) == MOST_FILES + 10
    assert len(kept.by_source) == MOST_FILES + 1


@pytest.mark.parametrize("has_ended", [False, True], ids=["while it is written", "at the end"])
def test_a_long_file_is_sent_bit_by_bit(folder, monkeypatch, *, has_ended):
    monkeypatch.setattr("tunewright.metrics_collector.follow.CHUNK", 500)
    monkeypatch.setattr("tunewright.metrics_collector.sidecar.MOST_WAITING", 10)
    log, exit_code, kept = folder / "m.log", folder / "spool" / "exit", Kept()
    log.write_text("".join(f"step={n} loss={n}\n" for n in range(500)))
    if has_ended:
        exit_code.write_text("0")

    async def sleep(_seconds):
        await asyncio.sleep(0)
        if len(kept.samples) > 100:
            exit_code.write_text("0")

    spec = CollectorSpec(CollectorKind.FILE, str(log))
    asyncio.run(sidecar(folder, kept, ("loss",), sleep, spec=spec).run())
    assert kept.samples == [("loss", n) for n in range(500)]
    assert kept.largest < 100


def test_what_is_read_at_once_is_sent_in_requests_that_are_not_too_large(folder, monkeypatch):
    monkeypatch.setattr("tunewright.metrics_collector.sidecar.MOST_SENT", 10)
    kept = Kept()
    (folder / "m.log").write_text("".join(f"step={n} loss={n}\n" for n in range(99)))
    (folder / "spool" / "exit").write_text("0")

    spec = CollectorSpec(CollectorKind.FILE, str(folder / "m.log"))
    asyncio.run(sidecar(folder, kept, ("loss",), spec=spec).run())
    assert kept.samples == [("loss", n) for n in range(99)]
    assert kept.largest == 10


@pytest.mark.parametrize("is_renamed", [False, True], ids=["cut", "rotated"])
def test_a_log_that_was_rotated_is_kept_whole_over_a_new_start(folder, *, is_renamed):
    log, kept = folder / "m.log", Kept()

    def write(*steps):
        with log.open("a") as file:
            file.writelines(f"step={n} loss={n}\n" for n in steps)

    def started():
        spec = CollectorSpec(CollectorKind.FILE, str(log))
        return sidecar(folder, kept, ("loss",), spec=spec).run()

    async def run():
        write(1, 2, 3, 4)
        first = asyncio.create_task(started())
        while len(kept.samples) < 4:  # noqa: ASYNC110 # what is kept has no event
            await asyncio.sleep(0)
        if is_renamed:
            log.rename(folder / "m.log.1")
        else:
            log.write_text("")
        write(5, 6)
        await kept.has_six.wait()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        with log.open("a") as file:
            file.write("step=7 loss=7")
        (folder / "spool" / "exit").write_text("0")
        return await started()

    assert asyncio.run(run()) == 0
    assert kept.samples == [("loss", n) for n in range(1, 8)]


class Ended(BaseException):
    """What SIGKILL is to a collector."""


class Deadly(Kept):
    """Ends who sends it so many requests, before the last of them is kept or behind it."""

    def __init__(self):
        super().__init__()
        self.moments = math.inf

    async def send(self, request):
        self._pass()
        reply = await super().send(request)
        self._pass()
        return reply

    def _pass(self):
        if self.moments <= 0:
            raise Ended
        self.moments -= 1


SAID = ("1 9.0", "epoch loss", "1 1.0", "loss falls by 3 %", "2 2.0", "it falls", "3 3.0")


@pytest.mark.parametrize("moments", range(16))
def test_a_table_is_read_as_it_is_whenever_the_collector_is_ended(folder, monkeypatch, moments):
    monkeypatch.setattr("tunewright.metrics_collector.spool._PIECE", 40)
    lines = "".join(f"{at}.000001 1 {text}\n" for at, text in enumerate(SAID))
    (folder / "spool" / "000000").write_text(lines)
    (folder / "spool" / "exit").write_text("0")
    kept = Deadly()

    def run():
        return asyncio.run(sidecar(folder, kept, ("loss",), spec=CollectorSpec()).run())

    kept.moments = moments
    with suppress(Ended):
        run()
    kept.moments = math.inf
    run()
    (samples,) = kept.by_source.values()
    assert [(each.step, each.value) for each in samples] == [(1, 1.0), (2, 2.0), (3, 3.0)]


def test_a_collector_begins_anew_where_a_power_cut_tore_its_note(folder):
    spool, kept = folder / "spool", Kept()
    spec = CollectorSpec(CollectorKind.STDOUT)
    (spool / "position").write_bytes(b"")
    (spool / "000000").write_text("1.5 1 step=1 loss=1\n")
    (spool / "exit").write_text("0")

    assert asyncio.run(sidecar(folder, kept, ("loss",), spec=spec).run()) == 0
    assert kept.samples == [("loss", 1)]


def test_records_that_a_power_cut_tore_are_passed_over(folder):
    spool, kept = folder / "spool", Kept()
    spec = CollectorSpec(CollectorKind.STDOUT)
    (spool / "000000").write_bytes(b"1.5 1 step=1 loss=1\n" + bytes(40) + b"7 1 x\n1.6\n")
    (spool / "000001").write_text("2.5 1 step=2 loss=2\n")
    (spool / "dropped").write_bytes(b"")
    (spool / "exit").write_text("0")

    assert asyncio.run(sidecar(folder, kept, ("loss",), spec=spec).run()) == 0
    assert kept.samples == [("loss", 1), ("loss", 2)]
