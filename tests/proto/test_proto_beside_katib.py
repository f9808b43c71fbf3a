"""Our stubs and those of kubeflow-katib, which register the same file, in one process."""

import pytest
from google.protobuf import descriptor_pool
from support import katib_sdk

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
def test_both_stubs_work_in_one_process(first):
    done = katib_sdk.run("\n".join([*first, BOTH_WORK]))
    assert done.returncode == 0, done.stderr


def test_our_stubs_leave_the_default_pool_alone():
    from tunewright.proto import api_pb2

    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName(api_pb2.Trial.DESCRIPTOR.full_name)
