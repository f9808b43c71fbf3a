"""What a trial's processes get, and what is known of them when they end."""

import asyncio
import errno
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support.runtime import Runtime, container, job
from tunewright.api.errors import Retryable, Unsupported
from tunewright.controller.local.sharing import free_port
from tunewright.controller.plan.view import EndReason

PRINT_ARGUMENTS = "import json, sys; print(json.dumps(sys.argv[1:]))"


def python(code: str, *arguments: str, **more) -> dict:
    return container(sys.executable, "-c", code, *arguments, **more)


def of_job(**fields) -> dict:
    manifest = job(container("true"))
    return manifest | {"spec": manifest["spec"] | fields}


class TestCommands:
    @pytest.mark.parametrize(
        "argument",
        [
            "",
            "a b",
            "it's",
            'say "hi"',
            "$HOME",
            "${x}",
            "a\nb",
            "*",
            ";rm",
            "--x=ü",
            "\\n",
            "`id`",
        ],
    )
    def test_arguments_arrive_exactly_as_given(self, run, argument: str):
        said = run(job(python(PRINT_ARGUMENTS, argument, args=[argument])))
        assert json.loads(said.output()) == [argument, argument]

    def test_declared_variables_are_put_in_as_kubernetes_does(self, run):
        env = [{"name": "A", "value": "one"}, {"name": "B", "value": "$(A)-$$(A)-$(NONE)"}]
        said = run(job(python(PRINT_ARGUMENTS, "$(B)", env=env)))
        assert json.loads(said.output()) == ["one-$(A)-$(NONE)"]

    def test_python_prints_as_it_goes_and_the_template_wins(self, run):
        code = "import os; print(os.environ['PYTHONUNBUFFERED'], os.environ['HOME'])"
        env = [{"name": "HOME", "value": "/mine"}]
        assert run(job(python(code, env=env))).output() == b"1 /mine\n"

    @pytest.mark.parametrize(
        ("manifest", "words"),
        [
            pytest.param(job(container("no-such-program")), "--runtime docker", id="a program"),
            pytest.param(job({"name": "main", "image": "x"}), "entry point", id="an entry point"),
            pytest.param({"kind": "MPIJob"}, "run mpirun in a Job", id="a kind"),
            pytest.param({"kind": "Workflow"}, "needs Argo", id="a workflow"),
            pytest.param(
                job(container("true"), volumes=[{"name": "v", "persistentVolumeClaim": {}}])
                | {"spec": {"template": {"spec": {"containers": [
                    container("true", volumeMounts=[{"name": "v", "mountPath": "/data"}])
                ], "volumes": [{"name": "v", "persistentVolumeClaim": {}}]}}}},
                "--mount v=DIR",
                id="a claim",
            ),
            pytest.param(
                job(container("true", env=[
                    {"name": "K", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
                ])),
                "--env-file",
                id="a secret",
            ),
            pytest.param(
                job(container("true", env=[{"name": "A=B", "value": "x"}])),
                "env 'A=B' cannot be the name",
                id="a name of a variable",
            ),
            pytest.param(
                job(container("true", resources={"limits": {"memory": "lots"}})),
                "not a quantity",
                id="a quantity",
            ),
            pytest.param(
                job(container("true", env=[{"value": "1"}])),
                "env '' cannot be the name",
                id="no name of a variable",
            ),
            pytest.param(
                job(container("true", env=[{"name": "A", "valueFrom": {"fieldRef": None}}])),
                "fieldRef '' has no meaning",
                id="an empty reference",
            ),
        ],
    )  # fmt: skip
    def test_what_cannot_be_had_is_refused_with_the_remedy(self, run, manifest, words):
        with pytest.raises(Unsupported, match=words):
            run(manifest)

    @pytest.mark.parametrize(
        ("manifest", "words"),
        [
            (of_job(backoffLimit="soon"), r"^spec\.backoffLimit: 'soon' is not a whole number$"),
            (of_job(backoffLimit=0.5), r"^spec\.backoffLimit: 0\.5 is not a whole number$"),
            (of_job(activeDeadlineSeconds=-5), "-5 is not a number of seconds"),
            (of_job(template="x"), r"spec\.template: 'x' is not a table of fields"),
            ({**of_job(), "metadata": "x"}, r"^metadata: 'x' is not a table of fields$"),
            (job(container("true"), volumes="x"), r"spec\.volumes: 'x' is not a list"),
            (job(container("true", env=[None])), r"\.env\[0\]: None is not a table"),
            (
                job(container("true"), terminationGracePeriodSeconds="long"),
                r"spec\.template\.spec\.terminationGracePeriodSeconds: 'long' is not a number",
            ),
        ],
        ids=range(8),
    )
    def test_what_no_api_server_would_take_is_refused_with_its_path(self, run, manifest, words):
        with pytest.raises(Unsupported, match=words):
            run(manifest)

    @pytest.mark.parametrize(
        ("first_line", "words"),
        [
            (b"#!/no/such/python -u\n", "interpreter '/no/such/python', which is not on this"),
            (b"#!/bin/sh\r\n", "has a Windows line end: save it"),
            (b"#!/usr/bin/env python3\r\n", "has a Windows line end: save it"),
        ],
    )
    def test_a_script_that_no_interpreter_can_read_is_refused_with_the_remedy(
        self, run, tmp_path: Path, first_line: bytes, words: str
    ):
        script = tmp_path / "train"
        script.write_bytes(first_line)
        script.chmod(0o755)
        with pytest.raises(Unsupported, match=words):
            run(job(container("./train")))

    @pytest.mark.parametrize(
        "command",
        [
            ("bash", "-lc", "/usr/bin/env echo it runs"),
            ("sh", "-ec", "echo it runs # not run.sh"),
            ("sh", "-e", "-c", "echo it runs, and is no train.py"),
            (sys.executable, "-Bc", "print('it runs')  # not train.py"),
        ],
        ids=lambda command: command[1],
    )
    def test_a_line_of_code_is_taken_for_no_script_whatever_options_are_before_it(
        self, run, command: tuple[str, ...]
    ):
        assert run(job(container(*command))).output().startswith(b"it runs")

    def test_a_directory_is_no_program(self, run, tmp_path: Path):
        (tmp_path / "train").mkdir()
        with pytest.raises(Unsupported, match=r"\./train is a directory: name a program in it"):
            run(job(container("./train")))

    def test_a_directory_that_is_gone_is_waited_for(self, run, tmp_path: Path):
        with pytest.raises(Retryable, match="unplugged, where trials start, is gone"):
            run(job(container("true")), workdir=tmp_path / "unplugged")


class TestOutput:
    def test_both_streams_are_told_and_kept(self, run, tmp_path: Path):
        said = run(job(container("sh", "-c", "echo out; echo err >&2; printf last")))
        assert (said.output(), said.output("stderr")) == (b"out\nlast", b"err\n")
        assert (tmp_path / "t0" / "stdout.1.log").read_bytes() == b"out\nlast"
        assert (tmp_path / "t0" / "stderr.1.log").read_bytes() == b"err\n"

    def test_a_flood_comes_through_whole(self, run, tmp_path: Path):
        code = "import sys\nfor _ in range(300): sys.stdout.write('x' * 99_999 + '\\n')"
        said = run(job(python(code)))
        assert len(said.output()) == 30_000_000
        assert (tmp_path / "t0" / "stdout.1.log").stat().st_size == 30_000_000

    def test_the_end_of_each_stream_is_told_with_the_end(self, run):
        code = "import sys\nfor n in range(60_000): print(n)\nprint('no', file=sys.stderr)"
        said = run(job(python(code)))
        kept = said.ended.output
        assert (len(kept["stdout"]), kept["stderr"]) == (64 << 10, b"no\n")
        assert said.output().endswith(kept["stdout"])

    def test_a_silent_trial_leaves_no_output(self, run):
        assert run(job(container("true"))).ended.output == {}

    def test_the_end_comes_after_all_output(self, run):
        said = run(job(container("sh", "-c", "echo one; echo two")))
        assert said.changes[-1] is said.ended


class TestEnds:
    @pytest.mark.parametrize(
        ("script", "reason", "code"),
        [
            ("exit 0", EndReason.COMPLETED, 0),
            ("exit 3", EndReason.FAILED, 3),
            ("kill -9 $$$$", EndReason.FAILED, 137),
        ],
    )
    def test_an_exit_is_told(self, run, script: str, reason: EndReason, code: int):
        ended = run(job(container("sh", "-c", script))).ended
        assert (ended.reason, ended.exit_code) == (reason, code)

    def test_a_signal_without_a_name_is_told_by_its_number(self, run):
        ended = run(job(container("sh", "-c", "kill -40 $$$$"))).ended
        assert (ended.reason, ended.exit_code) == (EndReason.FAILED, 128 + 40)
        assert ended.message == "ended by signal 40"

    def test_a_failure_shows_its_last_lines(self, run):
        said = run(job(container("sh", "-c", "echo boom >&2; exit 1")))
        assert "boom" in said.ended.message

    def test_what_the_kernel_cannot_start_is_refused_whatever_its_name(self, run, tmp_path: Path):
        program = tmp_path / "guard"
        program.write_bytes(b"\0")
        program.chmod(0o755)
        ended = run(job(container(str(program)))).ended
        assert ended.reason is EndReason.REFUSED
        assert "in its first line (#!/bin/sh)" in ended.message

    def test_what_the_system_cannot_be_asked_for_is_refused_alone(self, tmp_path: Path, options):
        async def drive():
            runtime = Runtime(tmp_path, options)
            try:
                beside = runtime.workload(
                    job(container("sh", "-c", "echo up; sleep 600")), "beside"
                )
                await runtime.workloads.start(beside)
                odd = job(container("echo", "a\0b"))
                await runtime.workloads.start(runtime.workload(odd, "odd"))
                said = await runtime.end_of("odd")
                await runtime.workloads.stop(beside.ref, grace=5.0)
                return said.ended, (await runtime.end_of("beside")).ended
            finally:
                await runtime.close()

        odd, beside = asyncio.run(drive())
        assert (odd.reason, beside.reason) == (EndReason.REFUSED, EndReason.STOPPED)
        assert "embedded null byte" in odd.message

    @pytest.mark.needs("linux")
    def test_what_may_start_a_moment_later_is_lost_and_not_refused(self, run, tmp_path: Path):
        program = tmp_path / "busy"
        program.write_bytes(Path("/bin/true").read_bytes())
        program.chmod(0o755)
        with program.open("ab"):  # nothing can be executed while it is written
            assert run(job(container(str(program)))).ended.reason is EndReason.LOST
        assert run(job(container(str(program)))).ended.reason is EndReason.COMPLETED

    @pytest.mark.needs("linux")
    def test_an_attempt_ends_where_nobody_can_look_for_what_is_left(self, run, monkeypatch):
        def refuse(*_: object) -> None:
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr("tunewright.controller.local.attempt.Streams", refuse)
        monkeypatch.setattr("tunewright.controller.local.strays._pids", refuse)
        monkeypatch.setattr("tunewright.controller.local.strays.PATIENCE", 0.1)
        said = run(job(container("true")))
        assert said.ended.reason is EndReason.LOST
        assert "Too many open files" in said.ended.message

    def test_an_attempt_ends_where_no_process_and_no_thread_can_be_had(self, run, monkeypatch):
        def no_process(*_: object, **__: object) -> None:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

        def no_thread(*_: object) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr("subprocess.Popen", no_process)
        monkeypatch.setattr("asyncio.to_thread", no_thread)
        assert run(job(container("true"))).ended.reason is EndReason.LOST

    @pytest.mark.needs("linux")
    def test_a_guard_that_is_killed_is_noticed_and_nothing_it_started_goes_on(
        self, run, monkeypatch
    ):
        monkeypatch.setattr("tunewright.controller.local.attempt.DRAIN_SECONDS", 0.1)
        manifest = job(container("sh", "-c", "echo $$$$; kill -9 $PPID; exec sleep 600"))
        manifest["spec"]["backoffLimit"] = 5
        said = run(manifest)
        assert said.ended.reason is EndReason.LOST
        assert said.output().count(b"\n") == 1, "it was not started anew beside itself"
        left = Path(f"/proc/{int(said.output())}/stat")  # as a zombie, where nobody asks for it
        assert not left.exists() or left.read_text().rpartition(")")[2].split()[0] == "Z"

    def test_starts_that_fail_leave_nothing_open(self, tmp_path: Path, options, monkeypatch):
        def refuse(*_: object, **__: object) -> None:
            raise BlockingIOError(11, "Resource temporarily unavailable")

        async def drive():
            runtime = Runtime(tmp_path, options)
            monkeypatch.setattr("subprocess.Popen", refuse)
            counts, reasons = [], set()
            for trial in ("t0", "t1", "t2"):
                await runtime.workloads.start(runtime.workload(job(container("true")), trial))
                reasons.add((await runtime.end_of(trial)).ended.reason)
                counts.append(open_files())
            await runtime.close()
            return counts, reasons

        counts, reasons = asyncio.run(drive())
        assert reasons == {EndReason.LOST}
        assert len(set(counts)) == 1

    def test_a_bug_in_running_it_is_told_as_its_end(self, run, monkeypatch, caplog):
        monkeypatch.setattr("tunewright.controller.local.attempt._own_end", None)
        assert run(job(container("true"))).ended.reason is EndReason.LOST
        assert "Traceback" in caplog.text

    def test_what_was_used_is_measured(self, run):
        code = "x = bytearray(80_000_000)\nfor _ in range(2_000_000): pass"
        usage = run(job(python(code))).ended.usage
        assert usage.peak_memory_bytes > 80_000_000
        assert 0 < usage.cpu_seconds < usage.wall_seconds * 4

    def test_a_job_is_started_anew_as_its_backoff_limit_says(self, run, tmp_path: Path):
        script = "echo x >> count; test $(wc -l < count) = 3"
        manifest = job(container("sh", "-c", script))
        manifest["spec"]["backoffLimit"] = 5
        assert run(manifest).ended.reason is EndReason.COMPLETED
        assert (tmp_path / "count").read_text() == "x\n" * 3

    def test_a_deadline_of_the_job_ends_it(self, run):
        manifest = job(container("sleep", "60"))
        manifest["spec"]["activeDeadlineSeconds"] = 0.2
        ended = run(manifest).ended
        assert ended.reason is EndReason.FAILED
        assert "activeDeadlineSeconds" in ended.message


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def open_files() -> int:
    return len([*Path("/dev/fd").iterdir()])


def test_no_port_is_given_to_two_programs():
    ports = [free_port() for _ in range(500)]
    assert len(set(ports)) == len(ports)


class TestStopping:
    def stop_it(self, tmp_path: Path, options, manifest, grace: float):
        """Start it, wait for its first line, ask it to end."""

        async def drive():
            runtime = Runtime(tmp_path, options)
            try:
                workload = runtime.workload(manifest)
                await runtime.workloads.start(workload)
                await runtime.until(lambda: b"\n" in runtime.said["t0"].output())
                await runtime.workloads.stop(workload.ref, grace=grace)
                return await runtime.end_of()
            finally:
                await runtime.close()

        return asyncio.run(drive())

    @pytest.mark.parametrize("code", [7, 0])
    def test_a_polite_program_ends_in_its_own_way_and_has_not_completed(
        self, tmp_path: Path, options, code: int
    ):
        script = f"trap 'echo bye; exit {code}' TERM; echo ready; while :; do sleep 0.01; done"
        said = self.stop_it(tmp_path, options, job(container("sh", "-c", script)), 20.0)
        assert (said.ended.reason, said.ended.exit_code) == (EndReason.STOPPED, code)
        assert said.output() == b"ready\nbye\n"

    def test_one_that_ignores_it_is_killed_after_its_grace(self, tmp_path: Path, options):
        script = "trap '' TERM; echo ready; while :; do sleep 0.01; done"
        said = self.stop_it(tmp_path, options, job(container("sh", "-c", script)), 0.2)
        assert said.ended.reason is EndReason.STOPPED
        assert said.ended.exit_code == 128 + signal.SIGKILL

    def test_the_pods_own_grace_is_the_limit(self, tmp_path: Path, options):
        script = "trap '' TERM; echo ready; while :; do sleep 0.01; done"
        manifest = job(container("sh", "-c", script), terminationGracePeriodSeconds=0.1)
        ended = self.stop_it(tmp_path, options, manifest, 600.0).ended
        assert ended.exit_code == 128 + signal.SIGKILL

    def test_a_grace_longer_than_a_clock_can_wait_is_kept(self, tmp_path: Path, options):
        script = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done"
        manifest = job(container("sh", "-c", script), terminationGracePeriodSeconds=10**10)
        ended = self.stop_it(tmp_path, options, manifest, 10.0**10).ended
        assert (ended.reason, ended.exit_code) == (EndReason.STOPPED, 7)

    def test_a_daemon_that_left_its_session_is_ended_too(self, tmp_path: Path, options):
        code = (
            "import os, time\n"
            "if os.fork() == 0:\n"
            "    os.setsid()\n"
            "    if os.fork() == 0:\n"
            "        print(os.getpid(), flush=True)\n"
            "        time.sleep(600)\n"
            "    os._exit(0)\n"
            "time.sleep(600)\n"
        )
        said = self.stop_it(tmp_path, options, job(python(code)), 5.0)
        assert not is_alive(int(said.output()))

    def test_a_daemon_of_a_program_that_ended_is_ended_too(self, run):
        code = (
            "import os, time\n"
            "if os.fork() == 0:\n"
            "    os.setsid()\n"
            "    print(os.getpid(), flush=True)\n"
            "    time.sleep(600)\n"
            "time.sleep(0.2)\n"
        )
        said = run(job(python(code)))
        assert said.ended.reason is EndReason.COMPLETED
        assert not is_alive(int(said.output()))


class TestPods:
    def test_init_containers_run_first_in_order(self, run, tmp_path: Path):
        first = [container("sh", "-c", f"echo {n} >> order", name=f"init-{n}") for n in range(2)]
        run(job(container("sh", "-c", "echo main >> order"), initContainers=first))
        assert (tmp_path / "order").read_text().split() == ["0", "1", "main"]

    def test_a_failing_init_container_fails_the_trial(self, run):
        first = [container("sh", "-c", "echo no data >&2; exit 4", name="init")]
        ended = run(job(container("true"), initContainers=first)).ended
        assert (ended.reason, ended.exit_code) == (EndReason.FAILED, 4)
        assert ended.message == "job-0.init: exit code 4:\nno data"

    def test_a_sidecar_runs_beside_and_ends_with_the_main_container(self, run, tmp_path: Path):
        beside = container("sh", "-c", "echo up > up; exec sleep 600", name="beside")
        main = container("sh", "-c", "until test -s up; do sleep 0.01; done")
        assert run(job(main, beside)).ended.reason is EndReason.COMPLETED

    def test_replicas_meet_over_the_variables_of_their_operator(self, run):
        code = (
            "import os, socket\n"
            "address = (os.environ['MASTER_ADDR'], int(os.environ['MASTER_PORT']))\n"
            "if os.environ['RANK'] == '0':\n"
            "    with socket.create_server(address) as server:\n"
            "        print(server.accept()[0].recv(9).decode(), os.environ['WORLD_SIZE'])\n"
            "else:\n"
            "    while True:\n"
            "        try:\n"
            "            socket.create_connection(address).sendall(b'rank 1')\n"
            "            break\n"
            "        except OSError: pass\n"
        )
        template = {"template": {"spec": {"containers": [python(code)]}}}
        manifest = {
            "kind": "PyTorchJob",
            "metadata": {"name": "t"},
            "spec": {"pytorchReplicaSpecs": {"Master": template, "Worker": template}},
        }
        said = run(manifest)
        assert said.output() == b"rank 1 2\n"
        assert said.ended.reason is EndReason.COMPLETED

    def test_a_worker_that_fails_fails_the_job(self, run):
        master = container("sh", "-c", "echo well >&2; echo > up; exec sleep 600")
        worker = container("sh", "-c", "until test -e up; do :; done; echo boom >&2; exit 5")
        replicas = {
            "Master": {"template": {"spec": {"containers": [master]}}},
            "Worker": {"template": {"spec": {"containers": [worker]}}},
        }
        manifest = {"kind": "PyTorchJob", "spec": {"pytorchReplicaSpecs": replicas}}
        ended = run(manifest).ended
        assert (ended.reason, ended.exit_code) == (EndReason.FAILED, 5)
        assert ended.message == "worker-1.main: exit code 5:\nboom"

    def test_each_tensorflow_process_knows_its_task(self, run):
        code = "import json, os; print(json.loads(os.environ['TF_CONFIG'])['task'])"
        template = {"template": {"spec": {"containers": [python(code)]}}}
        replicas = {"Chief": template, "Worker": template}
        said = run({"kind": "TFJob", "spec": {"tfReplicaSpecs": replicas}})
        assert said.output() == b"{'type': 'chief', 'index': 0}\n"

    def test_a_train_job_runs_its_command_on_each_node(self, run):
        code = "import os; print(os.environ['PET_NODE_RANK'], os.environ['PET_NNODES'])"
        trainer = {"command": [sys.executable, "-c", code], "numNodes": 2}
        said = run({"kind": "TrainJob", "spec": {"trainer": trainer}}, primary="node")
        assert said.output() == b"0 2\n"


@pytest.mark.needs("mount-namespaces")
class TestPlaces:
    def test_two_trials_at_once_write_the_same_path_and_never_meet(self, tmp_path: Path, options):
        place = Path("/var/log/katib")
        script = (
            f"mkdir -p {place}; echo $0 >> {place}/metrics.log; sleep 0.2; cat {place}/metrics.log"
        )

        async def drive():
            runtime = Runtime(tmp_path, options)
            try:
                for trial in ("a", "b"):
                    manifest = job(container("sh", "-c", script, trial))
                    workload = runtime.workload(manifest, trial, private=(place,))
                    await runtime.workloads.start(workload)
                return [(await runtime.end_of(trial)).output() for trial in ("a", "b")]
            finally:
                await runtime.close()

        assert asyncio.run(drive()) == [b"a\n", b"b\n"]
        for trial in ("a", "b"):
            kept = tmp_path / trial / "files" / "var/log/katib/metrics.log"
            assert kept.read_text() == f"{trial}\n"
        assert not place.exists()

    def test_what_the_system_cannot_be_asked_for_is_refused_in_a_place_of_its_own(self, run):
        ended = run(job(container("echo", "a\0b")), private=(Path("/opt/own"),)).ended
        assert (ended.reason, "embedded null byte" in ended.message) == (EndReason.REFUSED, True)

    def test_an_empty_dir_is_shared_by_the_containers_of_a_pod(self, run):
        mounts = [{"name": "shared", "mountPath": "/opt/shared"}]
        first = [container("sh", "-c", "echo hi > /opt/shared/x", name="i", volumeMounts=mounts)]
        main = container("cat", "/opt/shared/x", volumeMounts=mounts)
        volumes = [{"name": "shared", "emptyDir": {}}]
        assert run(job(main, initContainers=first, volumes=volumes)).output() == b"hi\n"

    @pytest.mark.parametrize(
        ("given", "seen"),
        [
            ({"name": "c"}, "a=1 b=2"),
            ({"name": "c", "items": [{"key": "b", "path": "below/of-b"}]}, "below/of-b=2"),
            ({"name": "none", "optional": True}, ""),
            ({"name": "c", "items": [{"key": "z", "path": "z"}], "optional": True}, ""),
        ],
        ids=["all keys", "one key at a path of its own", "no such map", "no such key"],
    )
    def test_a_volume_holds_the_keys_that_it_asks_for(self, run, options, given, seen):
        files = "find . -type f | sort | cut -c3-"
        line = f"cd /opt/of-map; {files} | while read f; do echo $f=$(cat $f); done"
        mounts = [{"name": "v", "mountPath": "/opt/of-map"}]
        main = container("sh", "-c", line, volumeMounts=mounts)
        options = replace(options, config_maps={"c": {"a": "1", "b": "2"}})
        said = run(job(main, volumes=[{"name": "v", "configMap": given}]), options=options)
        assert " ".join(said.output().decode().split()) == seen

    @pytest.mark.parametrize(
        ("given", "modes"),
        [
            ({}, "644 a 644 b"),
            ({"defaultMode": 0o755}, "755 a 755 b"),
            ({"defaultMode": 0}, "400 a 400 b"),
            (
                {"items": [{"key": "a", "path": "a", "mode": 0o500}, {"key": "b", "path": "b"}]},
                "500 a 644 b",
            ),
        ],
        ids=["none is said", "of all", "less than reading", "of one"],
    )
    def test_a_script_of_a_volume_can_be_run_where_its_mode_says_so(
        self, run, options, given, modes
    ):
        mount = {"name": "v", "mountPath": "/opt/of-map"}
        main = container("sh", "-c", "cd /opt/of-map; stat -c '%a %n' *", volumeMounts=[mount])
        options = replace(options, config_maps={"c": {"a": "1", "b": "2"}})
        volume = {"name": "v", "configMap": {"name": "c", **given}}
        said = run(
            job(main, initContainers=[{**main, "name": "i"}], volumes=[volume]), options=options
        )
        assert " ".join(said.output().decode().split()) == modes

    @pytest.mark.parametrize("mode", [-1, 0o1000, "0644"])
    def test_what_is_no_mode_of_a_file_is_refused(self, run, options, mode):
        main = container("true", volumeMounts=[{"name": "v", "mountPath": "/opt/of-map"}])
        options = replace(options, config_maps={"c": {"a": "1"}})
        volume = {"name": "v", "configMap": {"name": "c", "defaultMode": mode}}
        with pytest.raises(Unsupported, match="is not a mode"):
            run(job(main, volumes=[volume]), options=options)

    @pytest.mark.parametrize("path", ["../out", "below/../../out", "/tmp/out"])
    def test_no_path_leads_out_of_a_volume(self, run, options, path: str):
        options = replace(options, config_maps={"c": {"a": "1"}})
        item = {"name": "v", "configMap": {"name": "c", "items": [{"key": "a", "path": path}]}}
        mount = {"name": "v", "mountPath": "/opt/of-map"}
        for volume, more in ((item, {}), ({"name": "v", "emptyDir": {}}, {"subPath": path})):
            main = container("true", volumeMounts=[{**mount, **more}])
            with pytest.raises(Unsupported, match="leads out of it"):
                run(job(main, volumes=[volume]), options=options)

    @pytest.mark.parametrize("mount", [{}, {"mountPath": None}, {"mountPath": ""}])
    def test_a_mount_without_a_path_is_refused(self, run, mount):
        main = container("true", volumeMounts=[{"name": "v", **mount}])
        with pytest.raises(Unsupported, match="the mount of volume v has no mountPath"):
            run(job(main, volumes=[{"name": "v", "emptyDir": {}}]))

    @pytest.mark.parametrize("item", [{"path": ""}, {"path": None}, {"path": "."}, {}])
    def test_a_key_of_a_volume_without_a_path_is_refused(self, run, options, item):
        main = container("true", volumeMounts=[{"name": "v", "mountPath": "/opt/of-map"}])
        options = replace(options, config_maps={"c": {"a": "1"}})
        volume = {"name": "v", "configMap": {"name": "c", "items": [{"key": "a", **item}]}}
        with pytest.raises(Unsupported, match="volume v: key 'a' has no path"):
            run(job(main, volumes=[volume]), options=options)

    def test_a_key_that_its_map_lacks_is_named(self, run, options):
        main = container("true", volumeMounts=[{"name": "v", "mountPath": "/opt/of-map"}])
        options = replace(options, secrets={"s": {"a": "1"}})
        for key, shown in (("z", "'z'"), (["a"], r"\"\['a'\]\"")):
            given = {"secretName": "s", "items": [{"key": key, "path": "z"}]}
            with pytest.raises(Unsupported, match=f"volume v: its secret has no key {shown}"):
                run(job(main, volumes=[{"name": "v", "secret": given}]), options=options)

    def test_a_single_file_of_a_volume_is_seen_beside_what_is_there(self, run, options, tmp_path):
        folder = tmp_path / "etc"
        folder.mkdir()
        (folder / "site.yaml").touch()
        (folder / "other.yaml").write_text("other")
        mounts = [{"name": "v", "mountPath": f"{folder}/site.yaml", "subPath": "site.yaml"}]
        main = container("cat", f"{folder}/site.yaml", f"{folder}/other.yaml", volumeMounts=mounts)
        volumes = [{"name": "v", "configMap": {"name": "c"}}]
        options = replace(options, config_maps={"c": {"site.yaml": "mine, "}})
        assert run(job(main, volumes=volumes), options=options).output() == b"mine, other"

        (folder / "site.yaml").unlink()
        with pytest.raises(Unsupported, match=rf"touch {folder}/site\.yaml"):
            run(job(main, volumes=volumes), options=options)
