"""Two trials at once, for each collector: no metric of one is ever taken for the other's."""

import subprocess
import sys

import pytest

MEET = """
import json, os, pathlib, sys, time
x = sys.argv[1]
def meet(name):
    pathlib.Path(name + os.environ["TUNEWRIGHT_TRIAL"]).touch()
    while len(list(pathlib.Path().glob(name + "*"))) < 2: time.sleep(0.01)
def write(path, text):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(text + chr(10))
meet("up-")
{report}
meet("reported-")
"""
SERVE = """
import http.server
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"loss {x}".encode())
    def log_message(self, *_): pass
port = int(os.environ["TUNEWRIGHT_METRICS_PORT"])
server = http.server.HTTPServer(("127.0.0.1", port), Page)
for look in range(2):  # on a busy machine the first may be given up
    server.handle_request()
"""
EVENTS = """
from tensorboardX import SummaryWriter
with SummaryWriter("/var/log/katib/tfevent") as writer:
    writer.add_scalar("loss", float(x), 1)
"""


def collector(kind, **file):
    said = {"collector": {"kind": kind}}
    return {**said, "source": {"fileSystemPath": {"kind": "File", **file}}} if file else said


OWN_PLACES = pytest.mark.needs("mount-namespaces")
LOG = "/var/log/katib/metrics"


@pytest.mark.parametrize(
    ("report", "spec"),
    [
        pytest.param("print(f'loss={x}')", collector("StdOut"), id="StdOut"),
        pytest.param(
            f"write('{LOG}.log', f'loss={{x}}')",
            collector("File", path=f"{LOG}.log", format="TEXT"),
            id="File of text",
            marks=OWN_PLACES,
        ),
        pytest.param(
            f"write('{LOG}.json', json.dumps({{'loss': x}}))",
            collector("File", path=f"{LOG}.json", format="JSON"),
            id="File of JSON",
            marks=OWN_PLACES,
        ),
        pytest.param(EVENTS, collector("TensorFlowEvent"), id="TensorFlowEvent", marks=OWN_PLACES),
        pytest.param(SERVE, collector("PrometheusMetric"), id="PrometheusMetric"),
        pytest.param(
            "import tunewright; tunewright.report(loss=float(x))", collector("Push"), id="Push"
        ),
    ],
)
def test_two_trials_at_once_never_mix_their_metrics(tunewright, experiment, report, spec):
    def change(document):
        document["spec"] |= {"maxTrialCount": 2, "parallelTrialCount": 2}
        document["spec"]["metricsCollectorSpec"] = spec
        container = training(document)
        container["env"] = [{"name": "TUNEWRIGHT_METRICS_PORT", "value": "8080"}]
        code = MEET.replace("{report}", report)
        container["command"] = [sys.executable, "-c", code, "${trialParameters.x}"]

    result = tunewright("run", experiment(change))

    assert result.code == 0, result.out + result.err
    trials = tunewright("trials", "echo", "-o", "json").json
    assert len(trials) == 2
    for trial in trials:
        assert trial["value"] == pytest.approx(trial["parameters"]["x"], rel=1e-6)


def training(document):
    template = document["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]
    return template["spec"]["containers"][0]


def serves(document):
    document["spec"]["parallelTrialCount"] = 2
    document["spec"]["metricsCollectorSpec"] = collector("PrometheusMetric")


def test_trials_that_would_serve_one_port_are_refused_before_the_first(tunewright, experiment):
    result = tunewright("run", experiment(serves))

    assert result.code == 2
    assert (
        "spec.parallelTrialCount: trials on this machine cannot all serve port 8080" in result.err
    )
    assert "TUNEWRIGHT_METRICS_PORT" in result.err
    assert tunewright("get", "-o", "json").json == []


def test_nor_can_a_run_be_edited_to_do_so(tunewright, experiment):
    def one_at_a_time(document):
        serves(document)
        document["spec"]["parallelTrialCount"] = 1

    assert tunewright("run", experiment(one_at_a_time)).code == 1  # nobody served anything
    assert "cannot all serve port 8080" in tunewright("edit", "echo", "--parallel", 2).err


@pytest.mark.needs("mount-namespaces")
def test_a_machine_without_mount_namespaces_refuses_files_that_would_be_shared(
    tunewright, experiment
):
    def change(document):
        document["spec"]["metricsCollectorSpec"] = collector("File")

    forbid = 'echo 0 > /proc/sys/user/max_mnt_namespaces && exec "$@"'
    done = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user", "sh", "-c", forbid, "sh"),
            *(sys.executable, "-m", "tunewright", "run", str(experiment(change))),
        ],
        cwd=tunewright.folder,
        env=tunewright.environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "use --runtime docker" in done.stderr
