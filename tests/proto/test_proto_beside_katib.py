"""Our stubs and those of kubeflow-katib, which register the same file, in one process."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from google.protobuf import descriptor_pool

SDK = ("kubeflow-katib==0.19.0", "kubeflow-training==1.9.0")
NEEDED = ("protobuf>=4.25,<5", "grpcio>=1.64.1", "kubernetes>=31", "six", "setuptools")


@pytest.fixture(scope="session")
def katib():
    """A folder with the SDK and the protobuf that it needs, kept beside the environment."""
    folder = Path(sys.prefix, "kubeflow-katib-0.19")
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=sys.prefix) as work:
            made = Path(work, "made")
            pip = [sys.executable, "-m", "pip", "install", "-q", "--target", str(made)]
            subprocess.run([*pip, *NEEDED], check=True)
            subprocess.run([*pip, "--no-deps", *SDK], check=True, stderr=subprocess.DEVNULL)
            if not folder.exists():
                made.rename(folder)
    return folder


OURS = "from tunewright.proto import api_pb2 as ours, api_pb2_grpc, tunewright_pb2"
THEIRS = "import kubeflow.katib; from kubeflow.katib import katib_api_pb2 as theirs"
BOTH_WORK = """
import google.protobuf
assert google.protobuf.__version__.startswith("4.25"), google.protobuf.__version__
request = ours.GetSuggestionsRequest(total_request_number=3)
request.trials.add(name="a").status.condition = ours.TrialStatus.SUCCEEDED
log = theirs.ObservationLog()
log.metric_logs.add().metric.name = "loss"
assert ours.ObservationLog.FromString(log.SerializeToString()).metric_logs[0].metric.name == "loss"
assert ours.GetSuggestionsRequest.FromString(request.SerializeToString()) == request
assert tunewright_pb2.Problem(uid="u").uid == "u"
"""


pytestmark = pytest.mark.needs("package-index")


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "first",
    [
        pytest.param([OURS, THEIRS], id="ours first"),
        pytest.param([THEIRS, OURS], id="theirs first"),
    ],
)
def test_both_stubs_work_in_one_process(katib, first):
    program = "\n".join([*first, BOTH_WORK])
    path = os.pathsep.join([str(katib), *(entry for entry in sys.path if entry)])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_our_stubs_leave_the_default_pool_alone():
    from tunewright.proto import api_pb2

    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName(api_pb2.Trial.DESCRIPTOR.full_name)
