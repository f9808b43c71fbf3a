"""The collector beside a trial: launcher, collector and metrics service at work together."""

import json
import signal
import subprocess
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.command import COMMAND, environment
from support.launcher import built
from support.waiting import until
from tunewright.api.history import Proposal
from tunewright.api.identity import ExperimentKey
from tunewright.db.metrics_service import serve
from tunewright.db.sql import open_store

pytestmark = pytest.mark.needs("cc")

DOCUMENT = {"spec": {"objective": {"type": "minimize", "objectiveMetricName": "loss"}}}


@pytest.fixture(scope="session")
def launcher(tmp_path_factory):
    return built(tmp_path_factory.mktemp("launcher"))


class Service:
    """A metrics service that comes and goes, at one address, over one store."""

    def __init__(self, store):
        self._store = store
        self.address = "127.0.0.1:0"
        self._server = None

    def start(self):
        self._server, self.address = serve(self._store, self.address)

    def stop(self):
        if self._server is not None:
            self._server.stop(None).wait()
            self._server = None


class Pod:
    """A trial's main container and its collector."""

    def __init__(self, tunewright, launcher, folder, store, service):
        self._tunewright = tunewright
        self._launcher = launcher
        self._folder = folder
        self._store = store
        self._service = service
        self.spool = folder / "spool"
        self.spool.mkdir()
        key = ExperimentKey("team", "digits")
        self.uid = store.create_experiment(key, DOCUMENT, seed=1, workdir="/", now=1.0).uid
        store.propose(self.uid, 0, [("digits-0", Proposal({"x": 1}))], made_from=0, now=1.0)
        store.start_attempt(self.uid, 0, 1, token="t", now=1.0)

    def runs(self, script):
        """Start the main container."""
        words = [
            self._launcher,
            "--spool",
            self.spool,
            "--metric",
            "loss",
            "--",
            "sh",
            "-c",
            script,
        ]
        return subprocess.Popen([*map(str, words)], cwd=self._folder, stdout=subprocess.DEVNULL)

    def collector(self, *more, trial="digits-0"):
        return self._tunewright.start(*self.words(*more, trial=trial))

    def words(self, *more, trial="digits-0"):
        return (
            *("collector", "--spool", self.spool, "--server", self._service.address),
            *("--namespace", "team", "--trial", trial, "--metric", "loss", *more),
        )

    @property
    def losses(self):
        return [sample.value for sample in self._store.samples(self.uid, 0)]


@pytest.fixture
def store(tmp_path):
    with closing(open_store(tmp_path / "store.db")) as opened:
        yield opened


@pytest.fixture
def service(store):
    made = Service(store)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def pod(tunewright, launcher, tmp_path, store, service):
    return Pod(tunewright, launcher, tmp_path, store, service)


def test_metrics_arrive_while_the_trial_runs_and_its_lines_are_shown(pod, tmp_path):
    waits = "echo hello; echo loss=0.5; until test -e go; do sleep 0.02; done; echo loss=0.25"
    main, collector = pod.runs(waits), pod.collector()
    until(lambda: pod.losses == [0.5])
    (tmp_path / "go").touch()

    out, err = collector.communicate(timeout=60)
    assert (main.wait(timeout=60), collector.returncode, err) == (0, 0, "")
    assert out == "hello\nloss=0.5\nloss=0.25\n"
    assert pod.losses == [0.5, 0.25]


def test_a_trial_that_ends_at_once_loses_nothing(pod):
    assert pod.runs("echo loss=0.125").wait(timeout=60) == 0
    collector = pod.collector()
    collector.communicate(timeout=60)

    assert pod.losses == [0.125]


def test_a_collector_that_is_killed_again_and_again_reports_everything_once(pod, tmp_path):
    many = "for i in $(seq 1 400); do echo loss=$i; test $((i % 100)) = 0 && sleep 0.1; done; true"
    main = pod.runs(many)
    for count in (50, 150, 250):
        collector = pod.collector()
        until(lambda count=count: len(pod.losses) >= count)
        collector.kill()
        collector.communicate()
    last = pod.collector()
    last.communicate(timeout=60)

    assert (main.wait(timeout=60), last.returncode) == (0, 0)
    assert pod.losses == [float(n) for n in range(1, 401)]


def test_a_table_goes_on_where_the_collector_was_killed(pod, tmp_path):
    rows = "echo 'epoch loss'; echo '1 0.5'; until test -e go; do sleep 0.02; done; echo '2 0.25'"
    main, collector = pod.runs(rows), pod.collector()
    until(lambda: pod.losses == [0.5])
    until((pod.spool / "position").exists)
    collector.kill()
    collector.communicate()
    (tmp_path / "go").touch()
    pod.collector().communicate(timeout=60)

    assert main.wait(timeout=60) == 0
    assert pod.losses == [0.5, 0.25]


def test_a_service_that_is_away_is_waited_for(pod, service):
    service.stop()
    main, collector = pod.runs("for i in 1 2 3; do echo loss=$i; done"), pod.collector()
    assert main.wait(timeout=60) == 0
    service.start()
    collector.communicate(timeout=60)

    assert collector.returncode == 0
    assert pod.losses == [1.0, 2.0, 3.0]


def test_a_service_that_is_started_anew_gets_what_follows(pod, service, tmp_path):
    waits = "echo loss=1; until test -e go; do sleep 0.02; done; echo loss=2"
    main, collector = pod.runs(waits), pod.collector()
    until(lambda: pod.losses == [1.0])
    service.stop()
    service.start()
    (tmp_path / "go").touch()
    _, err = collector.communicate(timeout=60)

    assert (main.wait(timeout=60), collector.returncode, err) == (0, 0, "")
    assert pod.losses == [1.0, 2.0]


def test_metrics_in_a_file_are_collected_until_the_command_ends(pod, tmp_path):
    spec = {
        "collector": {"kind": "File"},
        "source": {"fileSystemPath": {"path": str(tmp_path / "log"), "format": "JSON"}},
    }
    collector = pod.collector("--collector", json.dumps(spec))
    line = json.dumps({"loss": 0.5})
    main = pod.runs(f"echo '{line}' >> log; echo done")
    out, _ = collector.communicate(timeout=60)

    assert (main.wait(timeout=60), collector.returncode) == (0, 0)
    assert out == "done\n"
    assert pod.losses == [0.5]


def test_a_trial_that_nobody_knows_is_named(pod):
    pod.runs("echo loss=1").wait(timeout=60)
    collector = pod.collector(trial="other")
    _, err = collector.communicate(timeout=60)

    assert collector.returncode == 2
    assert "there is no trial other" in err


def test_one_that_is_told_to_end_reports_what_there_is_and_ends(pod):
    main, collector = pod.runs("echo loss=1; sleep 100"), pod.collector()
    until(lambda: pod.losses == [1.0])
    collector.send_signal(signal.SIGTERM)
    collector.communicate(timeout=60)
    main.kill()
    main.wait()

    assert collector.returncode == 0


def test_one_that_stays_goes_on_when_the_command_is_started_anew(pod):
    collector = pod.collector("--stay")
    for value in (1.0, 2.0):
        assert pod.runs(f"echo loss={value}").wait(timeout=60) == 0
        until(lambda value=value: pod.losses[-1:] == [value])
    collector.send_signal(signal.SIGTERM)
    out, _ = collector.communicate(timeout=60)

    assert (collector.returncode, out) == (0, "loss=1.0\nloss=2.0\n")
    assert pod.losses == [1.0, 2.0]


def test_one_that_is_told_to_end_before_it_has_begun_reports_what_there_is(pod, launcher, tmp_path):
    assert pod.runs("echo loss=1").wait(timeout=60) == 0
    words = [launcher, "--hold", "--", *COMMAND, *pod.words("--stay")]
    held = subprocess.Popen([*map(str, words)], env=environment(tmp_path))
    blocks = f"SigBlk:\t{1 << signal.SIGTERM - 1:016x}"
    until(lambda: blocks in Path(f"/proc/{held.pid}/status").read_text())
    held.terminate()

    assert (held.wait(timeout=60), pod.losses) == (0, [1.0])


class _Page(BaseHTTPRequestHandler):
    """What a trial serves for Prometheus: another value each time."""

    def do_GET(self):
        self.server.asked += 1
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"loss %d\n" % self.server.asked)

    def log_message(self, *words):
        pass


def test_what_is_scraped_after_a_collector_was_killed_is_kept_too(pod):
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        server.asked = 0
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = {"httpGet": {"host": "127.0.0.1", "port": server.server_port}}
        spec = json.dumps({"collector": {"kind": "PrometheusMetric"}, "source": page})
        for count in (2, 4):
            collector = pod.collector("--collector", spec)
            until(lambda count=count: len(pod.losses) >= count)
            collector.kill()
            collector.communicate()
        server.shutdown()

    assert pod.losses == sorted(set(pod.losses))


def test_a_wrong_specification_is_refused(pod):
    collector = pod.collector("--collector", '{"collector": {"kind": "Telepathy"}}')
    _, err = collector.communicate(timeout=60)

    assert (collector.returncode, "Telepathy" in err) == (2, True)


def test_the_service_is_told_when_all_is_said_and_what_was_not(pod, store):
    main = pod.runs("echo val_loss=0.5")
    assert main.wait(timeout=60) == 0
    (pod.spool / "dropped").write_text("3")
    pod.collector().communicate(timeout=60)

    (reporter,) = store.reporters(pod.uid, 0, 1)
    assert (reporter.done, reporter.dropped, reporter.seen) == (True, 3, ("val_loss",))


@pytest.mark.parametrize("pods", [("", ""), ("a-uid", "another")], ids=["unnamed", "named"])
def test_a_pod_that_replaces_another_reports_behind_it(pod, pods, tmp_path):
    for name, value in zip(pods, (1, 2), strict=True):
        pod.spool = tmp_path / f"spool-{value}"
        pod.spool.mkdir()
        assert pod.runs(f"echo loss={value}").wait(timeout=60) == 0
        pod.collector("--pod", name).communicate(timeout=60)

    assert pod.losses == [1.0, 2.0]


def test_a_pod_that_replaces_another_reports_its_file_from_the_start(pod, tmp_path):
    for value in (1, 2):
        path = tmp_path / f"log-{value}"
        spec = {
            "collector": {"kind": "File"},
            "source": {"fileSystemPath": {"path": str(path), "format": "JSON"}},
        }
        pod.spool = tmp_path / f"spool-{value}"
        pod.spool.mkdir()
        path.write_text(json.dumps({"loss": value}) + "\n")
        assert pod.runs("true").wait(timeout=60) == 0
        for _ in range(2):
            pod.collector("--collector", json.dumps(spec)).communicate(timeout=60)

    assert pod.losses == [1.0, 2.0]
