"""The launcher: a command runs as it would without it, and its metrics reach the spool."""

import os
import random
import signal
import subprocess
import sys

import pytest
from support.launcher import built
from support.waiting import until
from tunewright.metrics_collector.spool import Spool

pytestmark = pytest.mark.needs("cc")

SMALL = ("-DSEGMENT=4096", "-DSEGMENTS=3")


@pytest.fixture(scope="session")
def launcher(tmp_path_factory):
    return built(tmp_path_factory.mktemp("launcher"))


@pytest.fixture(scope="session")
def small_launcher(tmp_path_factory):
    """One whose spool is full soon."""
    return built(tmp_path_factory.mktemp("small"), *SMALL, "-DPATIENCE_MS=60000")


@pytest.fixture(scope="session")
def hasty_launcher(tmp_path_factory):
    """One that does not wait long for room either."""
    return built(tmp_path_factory.mktemp("hasty"), *SMALL, "-DPATIENCE_MS=100")


@pytest.fixture
def spool(tmp_path):
    folder = tmp_path / "spool"
    folder.mkdir()
    return folder


@pytest.fixture
def words(launcher, spool):
    def of(*command, program=launcher):
        return [str(program), "--spool", str(spool), "--metric", "loss", "--", *command]

    return of


@pytest.fixture
def launch(words):
    def run(*command, **options):
        return subprocess.run(words(*command), capture_output=True, check=False, **options)

    return run


def texts(folder):
    """Read a spool to its end, and return what it holds of each stream."""
    reader, found = Spool(folder), {"stdout": [], "stderr": []}
    while lines := reader.read():
        for line in lines:
            found[line.stream].append(line.text.decode(errors="replace"))
    return found


def python(program, *arguments):
    return [sys.executable, "-c", program, *arguments]


class TestTheCommand:
    def test_both_streams_come_through_byte_for_byte(self, launch, tmp_path):
        streams = [random.Random(seed).randbytes(10 << 20) for seed in (1, 2)]
        for name, data in zip("ab", streams, strict=True):
            (tmp_path / name).write_bytes(data)

        done = launch("sh", "-c", "cat b >&2 & cat a; wait", cwd=tmp_path)

        assert (done.stdout == streams[0], done.stderr == streams[1]) == (True, True)

    @pytest.mark.parametrize("code", [0, 1, 7, 255])
    def test_its_exit_code_is_ours(self, launch, spool, code):
        assert launch("sh", "-c", f"exit {code}").returncode == code
        assert Spool(spool).exit_code == code

    def test_a_signal_that_ended_it_is_told_as_a_shell_does(self, launch):
        assert launch("sh", "-c", "kill -KILL $$").returncode == 137

    def test_its_words_reach_it_as_they_are(self, launch):
        odd = ["a b", "'\"", "$HOME", "x\ny", "", "--", "\\", "*"]

        done = launch(*python("import sys; print(ascii(sys.argv[1:]), end='')", *odd))

        assert done.stdout.decode() == ascii(odd)

    def test_environment_directory_and_input_are_its_own(self, launch, tmp_path):
        done = launch("sh", "-c", "pwd; echo $ODD; cat", cwd=tmp_path, input=b"given",
                      env={**os.environ, "ODD": "x y"})  # fmt: skip

        assert done.stdout.decode() == f"{tmp_path}\nx y\ngiven"

    def test_no_descriptor_of_ours_is_left_to_it(self, launch):
        done = launch("sh", "-c", "ls /proc/self/fd")

        assert len(done.stdout.split()) == 4  # its three, and the one that lists

    def test_no_signal_is_blocked_or_ignored_in_it(self, launch):
        # By its path, as the launcher: Python may start either another way, with other signals.
        shown = ["/bin/sh", "-c", "grep -E '^Sig(Blk|Ign)' /proc/self/status"]
        bare = subprocess.run(shown, capture_output=True, check=True)

        assert launch(*shown).stdout == bare.stdout

    @pytest.mark.parametrize(("mode", "code"), [(None, 127), (0o644, 126)])
    def test_a_program_that_cannot_be_run_is_named(self, launch, tmp_path, mode, code):
        program = tmp_path / "program"
        if mode is not None:
            program.write_text("#!/bin/sh\n")
            program.chmod(mode)

        done = launch(str(program))

        assert done.returncode == code
        assert str(program) in done.stderr.decode()

    def test_signals_are_passed_on_and_it_may_take_its_time(self, words, tmp_path):
        trap = "trap 'echo bye; exit 3' TERM; touch up; while :; do sleep 0.01; done"
        process = subprocess.Popen(
            words("sh", "-c", trap), stdout=subprocess.PIPE, cwd=tmp_path, text=True
        )
        until((tmp_path / "up").exists)
        process.send_signal(signal.SIGTERM)

        assert process.communicate(timeout=30)[0] == "bye\n"
        assert process.returncode == 3

    def test_it_ends_with_the_command_whatever_holds_the_pipe_on(self, launch):
        assert launch("sh", "-c", "sleep 60 & echo done", timeout=20).stdout == b"done\n"

    def test_orphans_are_reaped(self, launch):
        script = "(true & true &) ; sleep 0.1; ps -o stat= --ppid $PPID | grep -c Z"

        assert launch("sh", "-c", script).stdout.decode().strip() == "0"

    def test_what_is_printed_last_is_not_lost_however_short_it_lives(self, launch, spool):
        assert launch("printf", "loss=0.5").stdout == b"loss=0.5"
        assert texts(spool)["stdout"] == ["loss=0.5"]

    def test_without_a_spool_it_runs_all_the_same(self, launch, spool):
        spool.rmdir()

        assert launch("sh", "-c", "echo loss=1; exit 4").returncode == 4

    def test_a_wrong_option_is_refused(self, launcher):
        done = subprocess.run([launcher, "--spoon", "x"], capture_output=True, check=False)

        assert (done.returncode, done.stderr[:15]) == (2, b"usage: launcher")


# So much of a stream is kept whatever it says; what follows is what is tested.
PAST_THE_HEAD = "head -c 70000 /dev/zero | tr '\\0' '\\n' | sed s/^/..../; "


class TestTheSpool:
    def test_lines_that_name_a_metric_enter_and_others_do_not(self, launch, spool):
        launch("sh", "-c", PAST_THE_HEAD + "echo nothing; echo loss=1; echo 'val loss: 2' >&2")

        found = texts(spool)
        assert found["stdout"][-1] == "loss=1"
        assert "nothing" not in found["stdout"]
        assert found["stderr"] == ["val loss: 2"]

    def test_a_line_enters_by_whichever_of_many_metrics_it_names(self, launcher, spool):
        named = [word for n in range(600) for word in ("--metric", f"metric-{n};")]
        script = PAST_THE_HEAD + "echo nothing; echo 'metric-599;=1'"
        command = [str(launcher), "--spool", str(spool), *named, "--", "sh", "-c", script]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0
        assert texts(spool)["stdout"][-1] == "metric-599;=1"
        assert "nothing" not in texts(spool)["stdout"]

    def test_the_first_lines_enter_so_that_somebody_can_say_what_was_seen(self, launch, spool):
        launch("sh", "-c", "echo accuracy=1")

        assert texts(spool)["stdout"] == ["accuracy=1"]

    def test_a_line_carries_the_time_at_which_it_came(self, launch, spool):
        launch("sh", "-c", "echo loss=1; sleep 0.2; echo loss=2")

        first, second = Spool(spool).read()
        assert 0.15 < second.at - first.at < 5

    def test_a_progress_bar_that_goes_back_makes_lines(self, launch, spool):
        launch("printf", "loss=3\\rloss=2\\rloss=1\\n")

        assert texts(spool)["stdout"] == ["loss=3", "loss=2", "loss=1"]

    def test_the_rows_of_a_table_enter_with_its_header(self, launch, spool):
        rows = "echo 'epoch loss'; for i in $(seq 300); do echo \"$i 0.5\"; done; echo the end"
        launch("sh", "-c", PAST_THE_HEAD + rows)

        assert texts(spool)["stdout"][-302:-1] == [
            "epoch loss",
            *(f"{n} 0.5" for n in range(1, 301)),
        ]

    def test_a_line_without_end_is_cut_where_a_word_ends(self, launch, spool):
        program = "print('x=1 ' * 40_000 + 'loss=0.25')"
        launch(*python(program))

        first, last = texts(spool)["stdout"]  # the piece between them holds nothing
        assert first == "x=1 " * (16 << 10)
        assert last.startswith("x=1 ")
        assert last.endswith(" loss=0.25")

    def test_a_word_without_end_never_begins_with_the_end_of_a_name(self, launch, spool):
        launch(*python("print('y' * 65_536 + 'loss=1')"))

        assert texts(spool)["stdout"][1] == "_loss=1"

    def test_what_was_read_is_taken_away_and_the_rest_is_read_by_the_next(
        self, words, small_launcher, spool
    ):
        numbers = "for i in $(seq 200); do echo loss=$i; done"
        subprocess.run(words("sh", "-c", numbers, program=small_launcher), check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        reader = Spool(spool)
        first = [line.text for line in reader.read()]
        reader.read()
        reader.keep_from_here()

        assert not (spool / "000000").exists()
        rest = texts(spool)["stdout"]
        assert [*map(bytes.decode, first), *rest] == [f"loss={n}" for n in range(1, 201)]

    def test_a_container_that_is_started_anew_goes_on_behind_what_it_left(self, launch, spool):
        reader = Spool(spool)
        for number in (1, 2, 3):
            launch("sh", "-c", f"echo loss={number}; exit {number}")
            assert [line.text for line in reader.read()] == [b"loss=%d" % number]
            reader.keep_from_here()

        assert reader.exit_code == 3

    def test_a_container_that_was_started_anew_has_not_ended(self, launch, words, spool):
        launch("true")
        again = subprocess.Popen(words("sleep", "60"))
        until(lambda: Spool(spool).exit_code is None)
        again.terminate()
        again.wait(timeout=30)

        assert Spool(spool).exit_code == 128 + signal.SIGTERM

    def test_a_full_spool_holds_the_command_up_and_then_drops_and_counts(
        self, words, hasty_launcher, spool
    ):
        many = "for i in $(seq 2000); do echo loss=$i; done"
        done = subprocess.run(
            words("sh", "-c", many, program=hasty_launcher), capture_output=True, check=True
        )

        kept = texts(spool)["stdout"]
        assert len(done.stdout.split()) == 2000
        assert len(kept) + Spool(spool).dropped == 2000
        assert kept == [f"loss={n}" for n in range(1, len(kept) + 1)]
        assert sum(path.stat().st_size for path in spool.glob("0*")) <= 3 * 4096

    def test_the_command_goes_on_when_the_collector_makes_room(self, words, small_launcher, spool):
        many = "for i in $(seq 2000); do echo loss=$i; done"
        process = subprocess.Popen(
            words("sh", "-c", many, program=small_launcher), stdout=subprocess.DEVNULL
        )
        reader, found = Spool(spool), []
        while reader.exit_code is None or len(found) < 2000:
            found += [line.text.decode() for line in reader.read()]
            reader.keep_from_here()
            assert process.poll() in {None, 0}
            assert reader.dropped == 0

        assert process.wait(timeout=30) == 0
        assert found == [f"loss={n}" for n in range(1, 2001)]


class TestThePreparation:
    def test_a_copy_runs_where_it_is_wanted_and_files_are_there_for_whoever_writes(
        self, launcher, tmp_path
    ):
        copy, empty, written = (tmp_path / name for name in ("copy", "empty.log", "written.log"))
        written.write_text("loss=1\n")
        subprocess.run([launcher, "--prepare", copy, empty, written], check=True, umask=0o77)

        done = subprocess.run([copy, "--", "echo", "here"], capture_output=True, check=True)
        assert (done.stdout, copy.read_bytes()) == (b"here\n", launcher.read_bytes())
        assert [path.stat().st_mode & 0o777 for path in (copy, empty, written)] == [
            *(0o755, 0o666, 0o666)
        ]
        assert (empty.read_text(), written.read_text()) == ("", "loss=1\n")

    def test_a_second_one_disturbs_no_program_that_runs_from_the_first(self, launcher, tmp_path):
        copy = tmp_path / "copy"
        subprocess.run([launcher, "--prepare", copy], check=True)
        running = subprocess.Popen(
            [copy, "--", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        subprocess.run([launcher, "--prepare", copy], check=True)

        assert running.communicate(b"still here") == (b"still here", None)
        assert running.returncode == 0

    def test_what_cannot_be_made_is_named(self, launcher, tmp_path):
        nowhere = tmp_path / "no" / "metrics.log"
        done = subprocess.run(
            [launcher, "--prepare", tmp_path / "copy", nowhere], capture_output=True, check=False
        )
        assert (done.returncode, done.stderr.decode()) == (
            *(1, f"{nowhere}: No such file or directory\n"),
        )
