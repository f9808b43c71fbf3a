"""The collector in real pods: every kind of metrics arrives, and the container is as without us.

All experiments of this module run at once; each test judges one of them.
"""

import json
import struct

import pytest
from cluster.experiments import (
    MEDIANSTOP,
    SEARCHED,
    experiment,
    job,
    message,
    shell,
    state,
)
from cluster.node.layout import BUSYBOX
from support.waiting import until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.needs("cc"),
    pytest.mark.timeout(400, func_only=True),
]

MANY = 200_000
"""Lines that are written as fast as they can be: more than 100,000 a second."""

SOME = 60_000
"""Lines that the kubelet keeps in one file of a log."""

FLOOD = "import sys; sys.stdout.write(''.join(f'loss={{n}}\\n' for n in range({})))"

ODD = ["a b", "'\"", "$HOME", "$(TOLD)", "$$(TOLD)", "$(UNTOLD)", "x\ny", "", "--", "\\", "*"]
TOLD = {"env": [{"name": "TOLD", "value": "said $5"}]}

SERVES = """
import http.server, threading, time
class Page(http.server.BaseHTTPRequestHandler):
    told = 0
    def do_GET(self):
        self.send_response(200); self.end_headers()
        self.wfile.write(b'# TYPE loss gauge\\nloss %d\\n' % (Page.told + 1))
        Page.told += 1
server = http.server.HTTPServer(('', 8080), Page)
threading.Thread(target=server.serve_forever, daemon=True).start()
while Page.told < 3: time.sleep(0.1)
"""

REPORTS = """
import os, grpc
from tunewright.proto import api_pb2 as katib, api_pb2_grpc as stubs
service = stubs.DBManagerStub(grpc.insecure_channel('katib-db-manager.kubeflow:6789'))
for value in {values}:
    metric = katib.MetricLog(time_stamp='2026-01-01T00:00:00Z',
                             metric=katib.Metric(name='loss', value=value))
    service.ReportObservationLog(katib.ReportObservationLogRequest(
        trial_name=os.environ['KATIB_TRIAL_NAME'],
        observation_log=katib.ObservationLog(metric_logs=[metric])))
"""

WAITS = """
import os, pathlib, time
def parent(each):
    return int((each / 'stat').read_text().rpartition(')')[2].split()[1])
def firsts():
    for each in pathlib.Path('/proc').glob('[0-9]*'):
        if int(each.name) not in (1, os.getpid()) and not parent(each):
            yield each
(program,) = firsts()
pathlib.Path('/logs/found').touch()
while program.exists(): time.sleep(0.1)
"""
"""As Katib's collectors find the program, and wait until it is gone."""

FOUND = "until test -e /logs/found; do sleep 0.1; done; echo 0.75 > /logs/loss"


def event(step: int, value: float) -> bytes:
    """Return a record of TensorBoard's: a scalar named loss."""
    scalar = b"\x0a\x04loss" + b"\x15" + struct.pack("<f", value)
    summary = b"\x0a" + bytes([len(scalar)]) + scalar
    body = b"\x09" + struct.pack("<d", 1e9 + step) + b"\x10" + bytes([step])
    body += b"\x2a" + bytes([len(summary)]) + summary
    head = struct.pack("<Q", len(body))
    return head + _masked(head) + body + _masked(body)


def _masked(data: bytes) -> bytes:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def collects(kind: str, **source) -> dict:
    return {"metricsCollectorSpec": {"collector": {"kind": kind}, "source": source}}


def at(path: str, **more) -> dict:
    return {"fileSystemPath": {"path": path, **more}}


EVENTS = b"".join(event(step, value) for step, value in enumerate((0.75, 0.5), 1)).hex()
WRITES_EVENTS = f"open('/events/events.out.tfevents.1', 'wb').write(bytes.fromhex('{EVENTS}'))"
LINE = json.dumps({"loss": "0.5", "epoch": 1})

MARK = {"volumes": [{"name": "mark", "emptyDir": {}}]}
MARKED = {"volumeMounts": [{"name": "mark", "mountPath": "/mark"}]}
SECOND_TIME = "test -e /mark/1 && echo loss=2 && exit; touch /mark/1; echo loss=1; exit 1"

BESIDE = {
    "name": "mesh",
    "image": BUSYBOX,
    "command": ["sh", "-c", "until test -e /mark/over; do sleep 0.1; done"],
    **MARKED,
}

KINDS = {
    "output": (shell("echo loss=3; echo loss=1 >&2; sleep 0.1; printf loss=2"), {}, [3, 1, 2]),
    "table": (shell("echo epoch loss; echo 1 0.5; echo 2 0.25"), {}, [0.5, 0.25]),
    "text": (
        shell("echo loss=0.5 > /var/log/katib/metrics.log"),
        collects("File"),
        [0.5],
    ),
    "json": (
        shell(f"test -e /etc/passwd && echo '{LINE}' > /etc/metrics"),
        collects("File", **at("/etc/metrics", format="JSON", kind="File")),
        [0.5],
    ),
    "events": (
        job(["python3", "-c", WRITES_EVENTS]),
        collects("TensorFlowEvent", **at("/events", kind="Directory")),
        [0.75, 0.5],
    ),
    "scraped": (job(["python3", "-c", SERVES]), collects("PrometheusMetric"), [1, 2, 3]),
    "unnamed": (job(args=["python3", "-c", "print('loss=1')"]), {}, [1]),
    "again": (
        shell(SECOND_TIME, pod={**MARK, "restartPolicy": "OnFailure"}, backoffLimit=3, **MARKED),
        {},
        [1, 2],
    ),
    "again-unnamed": (
        job(
            pod={**MARK, "restartPolicy": "OnFailure"},
            backoffLimit=3,
            args=["sh", "-c", SECOND_TIME],
            **MARKED,
        ),
        {},
        [1, 2],
    ),
    "beside": (
        shell("echo loss=1; touch /mark/over", pod={**MARK, "containers": [BESIDE]}, **MARKED),
        {},
        [1],
    ),
}
"""Workload, collector, and what is reported."""

STAYS = {
    "name": "theirs",
    "image": BUSYBOX,
    "command": [
        "sh",
        "-c",
        "until cat /logs/loss; do sleep 0.1; done; trap exit TERM; sleep 600 & wait",
    ],
    "restartPolicy": "Always",
}


def custom(container: dict) -> dict:
    collector = {"kind": "Custom", "customCollector": container}
    return {
        "metricsCollectorSpec": {
            "collector": collector,
            "source": at("/logs", kind="Directory"),
        }
    }


def by_choice(document: dict) -> dict:
    """Have its trials' logs be read, though a collector could stand beside them."""
    annotations = {"tunewright.dev/reads-logs": "true"}
    return {**document, "metadata": {**document["metadata"], "annotations": annotations}}


@pytest.fixture(scope="module")
def started(shared, bare_image, product_image):
    """Have all of them begin."""
    bare = {"image": bare_image, **TOLD}
    flood = ["python3", "-c", FLOOD.format(MANY)]
    by_log = ["python3", "-c", FLOOD.format(SOME)]
    pushes = ["python", "-c", REPORTS.format(values="('0.5', '0.25')")]
    reports = WAITS + REPORTS.format(values="open('/logs/loss').read().split()")
    waits = {"name": "theirs", "image": product_image, "command": ["python", "-c", reports]}
    shared.start(
        *(experiment(name, work, **more) for name, (work, more, _) in KINDS.items()),
        experiment("exact", job(["/trial", *ODD], **bare)),
        experiment("exact-args", job(args=["/trial", *ODD], **bare)),
        experiment("image-s-own", job(**bare)),
        experiment("code", job(["/trial"], image=bare_image, env=[{"name": "CODE", "value": "7"}])),
        experiment("flood", job(flood)),
        experiment("flood-of-a-log", job(args=by_log)),
        by_choice(experiment("chosen", shell("echo loss=1"))),
        experiment(
            "network",
            shell("echo 'loss=Genotype(deep)'"),
            **collects("StdOut", filter={"metricsFormat": [r"(\w+)=(Genotype.*)"]}),
        ),
        experiment("retried", shell("echo loss=1; exit 3", backoffLimit=1)),
        experiment("stays", shell("echo seen > /logs/loss; sleep 2"), **custom(STAYS)),
        experiment("waits", shell(FOUND), **custom(waits)),
        experiment("pushed", job(pushes, image=product_image), **collects("Push")),
    )
    twin = job(["/trial", *ODD], **bare)
    shared.namespace.create(**twin, metadata={"name": "twin"})
    return shared


@pytest.mark.parametrize("name", KINDS)
def test_what_a_trial_says_arrives(started, name):
    trial = started.trial(name)

    assert (state(trial), started.values(name)) == ("Succeeded", KINDS[name][2])


def test_a_text_arrives_where_a_filter_asks_for_nothing_else(started):
    trial = started.trial("network")

    assert state(trial) == "Succeeded"
    assert trial["status"]["observation"]["metrics"] == [
        {"name": "loss", "min": "unavailable", "max": "unavailable", "latest": "Genotype(deep)"}
    ]
    best = started.status("network")["currentOptimalTrial"]
    assert best["bestTrialName"] == trial["metadata"]["name"]


def test_what_katib_s_client_pushes_arrives(started):
    assert state(started.trial("pushed")) == "Succeeded"
    assert started.values("pushed") == [0.5, 0.25]


def test_a_collector_of_the_user_s_own_shares_the_folder(started):
    started.ends("stays")

    # A log keeps no order between what was said there and what went to stderr while it looked.
    assert "seen" in started.log("stays", "theirs").splitlines()


def test_a_collector_that_waits_for_the_program_s_end_still_reports(started):
    assert state(started.trial("waits")) == "Succeeded"
    assert started.values("waits") == [0.75]


def test_no_line_of_a_flood_is_lost(started):
    assert state(started.trial("flood")) == "Succeeded"
    assert started.count("flood") == MANY


def test_every_line_that_a_log_holds_of_a_flood_arrives(started):
    assert state(started.trial("flood-of-a-log")) == "Succeeded"
    # Containerd may leave out what a container wrote last that ended at once.
    assert 0 < started.count("flood-of-a-log") == started.log("flood-of-a-log").count("loss=")


def test_a_pod_that_replaces_a_failed_one_reports_beside_it(started):
    trial = started.trial("retried")

    assert (state(trial), started.values("retried")) == ("Failed", [1, 1])


@pytest.mark.parametrize("name", ["exact", "exact-args"])
def test_a_program_without_a_shell_is_given_its_words_as_without_us(started, name):
    assert started.namespace.ends("job", "twin") == "Complete"
    process, _, bare = started.namespace.kubectl("logs", "job/twin").partition("\n")

    assert state(started.trial(name)) == "Succeeded"
    _, _, words = started.log(name).partition("\n")
    assert words == bare
    assert words.endswith("loss=0.5")
    assert process == "process 1"
    assert started.values(name) == [0.5]


def test_what_an_image_runs_by_itself_is_the_first_process_in_a_pod_of_the_user_s_making(started):
    assert state(started.trial("image-s-own")) == "Succeeded"

    assert started.log("image-s-own") == "process 1\n</trial>\n<by>\n<itself>\nloss=0.5"
    (pod,) = started.pods("image-s-own")
    assert "initContainers" not in pod["spec"]
    assert started.values("image-s-own") == [0.5]


def test_nothing_in_a_pod_is_changed_where_logs_are_read_by_choice(started):
    assert state(started.trial("chosen")) == "Succeeded"

    (pod,) = started.pods("chosen")
    (main,) = pod["spec"]["containers"]
    assert ("initContainers" in pod["spec"], main["command"][0]) == (False, "sh")
    assert started.values("chosen") == [1]


def test_an_exit_code_is_kept_and_told(started):
    trial = started.trial("code")

    (pod,) = started.pods("code")
    (main,) = pod["status"]["containerStatuses"]
    assert main["state"]["terminated"]["exitCode"] == 7
    assert state(trial) == "Failed"
    assert "7" in message(trial)


def test_no_collector_is_started_again_while_its_pod_goes_on(started):
    for name in KINDS:
        started.ends(name)
    restarts = {
        (each["name"], each["restartCount"])
        for name in KINDS
        for pod in started.pods(name)
        for each in pod["status"].get("initContainerStatuses", ())
    }

    assert {count for _, count in restarts} == {0}


def test_a_restricted_namespace_takes_a_trial_that_it_would_take_without_us(experiments):
    namespace = experiments.namespace
    namespace.kubectl(
        "label", "namespace", namespace.name, "pod-security.kubernetes.io/enforce=restricted"
    )
    secured = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    experiments.start(
        experiment("output", shell("echo loss=0.5", securityContext=secured)),
        experiment(
            "text",
            shell("echo loss=0.25 >> /var/log/katib/metrics.log", securityContext=secured),
            **collects("File"),
        ),
    )

    for name, value in (("output", 0.5), ("text", 0.25)):
        assert state(experiments.trial(name)) == "Succeeded"
        assert experiments.values(name) == [value]


def test_a_hopeless_trial_is_stopped_within_seconds_and_its_observation_is_kept(experiments):
    experiments.start(
        experiment("search", job(SEARCHED), trials=3, trialTemplate={"retain": False}, **MEDIANSTOP)
    )
    assert experiments.ends("search") == "Succeeded"

    stopped = experiments.trials("search")[-1]
    assert state(stopped) == "EarlyStopped"
    assert stopped["status"]["completionTime"]
    (metric,) = stopped["status"]["observation"]["metrics"]
    assert float(metric["max"]) == 77  # what it said when it was told to end
    assert experiments.values("search").count(10) < 60  # of 600 that it had to say
    until(lambda: not experiments.all("jobs"), seconds=30)
