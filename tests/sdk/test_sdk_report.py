"""`report()` and the engine's end of it, over a real socket, from real processes."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from support.pushes import PushEngine, run, with_engine
from tunewright.metrics_collector.push import PushServer
from tunewright.sdk.report import report


def test_what_a_trial_reports_arrives_with_its_step():
    engine = PushEngine()
    with_engine(engine, ("tunewright.report(loss=0.5, step=4)", "t1"))
    (kept,) = engine.kept.values()
    assert kept == {0: ("loss", 0.5, 4)}


def test_names_that_are_no_identifiers_go_in_a_mapping():
    engine = PushEngine()
    with_engine(engine, ("tunewright.report({'val/loss': float('nan')}, acc=1)", "t1"))
    (kept,) = engine.kept.values()
    assert [name for name, _, _ in kept.values()] == ["val/loss", "acc"]


def test_the_longest_names_arrive_however_many_are_reported_at_once():
    engine = PushEngine()
    program = "tunewright.report({'\U0001f9ea' * 250 + f'{i:05}': i for i in range(1000)})"
    with_engine(engine, (program, "t1"))
    assert engine.values("t1") == list(range(1000))


def test_nothing_is_lost_or_doubled_in_a_thousand_reports():
    engine = PushEngine()
    with_engine(engine, ("for i in range(1000): tunewright.report(loss=i, step=i)", "t1"))
    assert engine.values("t1") == list(range(1000))


def test_two_trials_at_once_do_not_mix():
    engine = PushEngine()
    program = "for i in range(50): tunewright.report(loss={}, step=i)"
    with_engine(engine, (program.format(1), "t1"), (program.format(2), "t2"))
    assert engine.values("t1") == [1] * 50
    assert engine.values("t2") == [2] * 50


def test_several_processes_of_one_trial_are_sources_of_their_own():
    engine = PushEngine()
    fork = (
        "import os\n"
        "tunewright.report(loss=1)\n"
        "child = os.fork()\n"
        "tunewright.report(loss=2)\n"
        "if child: os.waitpid(child, 0)\n"
    )
    spawn = (
        "import multiprocessing, sys\n"
        "c = multiprocessing.get_context('fork')\n"
        "p = c.Process(target=tunewright.report, kwargs={'loss': 3}); p.start(); p.join()\n"
    )
    with_engine(engine, (fork, "t1"), (spawn, "t2"))
    assert len(engine.kept) == 3
    assert sorted(engine.values("t1")) == [1, 2, 2]
    assert engine.values("t2") == [3]


def test_a_trial_is_told_to_stop_at_the_report_that_decided_it():
    engine = PushEngine(stop_at=3)
    program = (
        "for i in range(100):\n"
        "    tunewright.report(loss=i)\n"
        "    if tunewright.should_stop(): break\n"
        "print(i)"
    )
    assert with_engine(engine, (program, "t1")) == ["2\n"]


def test_an_engine_that_is_gone_does_not_hold_or_break_the_training():
    program = "for i in range(20000): tunewright.report(loss=i)\nprint(tunewright.should_stop())"
    assert asyncio.run(run(program, "unix:/nowhere/report")) == "False\n"


def test_an_engine_that_comes_back_gets_what_was_not_acknowledged():
    engine = PushEngine()

    async def main():
        first = PushServer(engine)
        await first.start()
        address = first.address
        program = (
            "import sys\n"
            "tunewright.report(loss=1); tunewright.should_stop()\n"
            "sys.stdout.write('ready'); sys.stdout.flush(); sys.stdin.readline()\n"
            "tunewright.report(loss=2)\n"
            "sys.stdin.readline()\n"
        )
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "import tunewright\n" + program),
            env={**os.environ, "TUNEWRIGHT_REPORT": address, "TUNEWRIGHT_TOKEN": "t1"},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        await process.stdout.readexactly(5)
        await first.close()
        process.stdin.write(b"\n")
        second = PushServer(engine, folder=Path(address.removeprefix("unix:")).parent)
        await second.start()
        async with asyncio.timeout(30):
            while engine.values("t1") != [1, 2]:  # noqa: ASYNC110 -- it has no event
                await asyncio.sleep(0.01)
        process.stdin.write(b"\n")
        await process.wait()
        await second.close()

    asyncio.run(main())
    assert engine.values("t1") == [1, 2]


def pushed(*sample, first=0) -> bytes:
    """Return what a reporter says that pushes one sample."""
    messages = [{"token": "t1", "source": "s"}, {"first": first, "samples": [sample]}]
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"nonsense\n", id="no JSON"),
        pytest.param(b"[1, 2]\n", id="no object"),
        pytest.param(b'{"token": "stranger", "source": "s"}\n', id="an unknown token"),
        pytest.param(
            b'{"token": "t1", "source": "s"}\n{"first": 0, "samples": [[1]]}\n', id="no sample"
        ),
        pytest.param(pushed("n" * 256, 1, 1, 1), id="a name that no database keeps"),
        pytest.param(pushed("a\0b", 1, 1, 1), id="a name with NUL"),
        pytest.param(pushed("loss", 1, 1, 2**63), id="a step beyond 64 bits"),
        pytest.param(pushed("loss", 1, float("nan"), 1), id="a time that is none"),
        pytest.param(pushed("loss", 1, 1, float("inf")), id="a step without an end"),
        pytest.param(pushed("loss", 10**400, 1, 1), id="a value beyond all floats"),
        pytest.param(pushed("loss", 1, 1, 1, first=-1), id="a number before the first"),
        pytest.param(pushed("loss", 1, 1, 1, first=2**63 - 1), id="a number beyond 64 bits"),
        pytest.param(pushed("loss", 1, 1, 1, first=float("inf")), id="a number without an end"),
        pytest.param(b"[" * 100_000 + b"\n", id="JSON that is too deep"),
        pytest.param(b"x" * 3_000_000, id="a line without an end"),
    ],
)
def test_a_stranger_ends_the_conversation_and_nothing_else(said):
    engine, unexpected = PushEngine(), []

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda _, told: unexpected.append(told))
        server = PushServer(engine)
        await server.start()
        reader, writer = await asyncio.open_unix_connection(server.address.removeprefix("unix:"))
        try:
            writer.write(said)
            await writer.drain()
            await reader.read()
        except ConnectionError:
            pass
        writer.close()
        await run("tunewright.report(loss=7)", server.address)
        await server.close()

    asyncio.run(main())
    assert (engine.values("t1"), unexpected) == ([7], [])


def test_outside_a_trial_it_prints_what_the_collector_reads(capsys, monkeypatch):
    monkeypatch.delenv("TUNEWRIGHT_REPORT", raising=False)
    report(loss=0.3, step=4)
    assert capsys.readouterr().out == "loss=0.3 step=4\n"


@pytest.mark.parametrize(
    "value", ["high", None, [1, 2], pytest.param(object(), id="an object")], ids=repr
)
def test_what_is_no_number_is_refused(value, monkeypatch):
    monkeypatch.delenv("TUNEWRIGHT_REPORT", raising=False)
    with pytest.raises(ValueError, match="loss"):
        report(loss=value)


@pytest.mark.parametrize(
    ("metrics", "step", "told"),
    [
        pytest.param({"": 1}, 1, "a name has 1 to 255 characters", id="no name"),
        pytest.param({"n" * 256: 1}, 1, "a name has 1 to 255 characters", id="a long name"),
        pytest.param({"a\0b": 1}, 1, "no NUL", id="NUL in a name"),
        pytest.param({"a ": 1}, 1, "no blank at the end", id="a blank behind a name"),
        pytest.param({"\ud800": 1}, 1, "Unicode", id="half a character"),
        pytest.param({"loss": 1}, 2**63, "64 bits", id="a step beyond 64 bits"),
        pytest.param({"loss": 1}, float("nan"), "64 bits", id="a step that is no number"),
    ],
)
def test_what_no_database_keeps_is_refused_where_it_is_reported(metrics, step, told, monkeypatch):
    monkeypatch.delenv("TUNEWRIGHT_REPORT", raising=False)
    with pytest.raises(ValueError, match=told):
        report(metrics, step=step)


def test_the_socket_is_the_caller_s_alone():
    async def main():
        server = PushServer(PushEngine())
        await server.start()
        folder = Path(server.address.removeprefix("unix:")).parent
        mode = folder.stat().st_mode & 0o777
        await server.close()
        return mode, folder.exists()

    assert asyncio.run(main()) == (0o700, False)
