"""Ask and tell over REST: points for those who run trials on other machines."""

import math
from threading import Thread

import pytest
from tunewright.api.errors import Forbidden, Invalid, NotFound, ServerUnavailable, Unsupported
from tunewright.sdk.remote import Remote

pytestmark = pytest.mark.xdist_group("page")
TOKEN = "of-the-tests"
ASKED = """\
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {{name: {name}}}
spec:
  objective: {{type: minimize, objectiveMetricName: loss}}
  algorithm: {{algorithmName: random}}
  maxTrialCount: {trials}
  askTell: {{leaseSeconds: {lease}}}
  parameters:
    - {{name: x, parameterType: double, feasibleSpace: {{min: "0", max: "1"}}}}
"""


@pytest.fixture
def asked(server):
    """Begin an experiment whose trials are asked for; return the way to it."""

    def begin(name, *, trials=6, lease=60):
        text = ASKED.format(name=name, trials=trials, lease=lease)
        with server.client() as client:
            begun = client.post(server.api("/experiments"), json={"text": text})
        assert begun.status_code == 201, begun.text
        return Remote(server.url, TOKEN)

    return begin


def test_two_who_ask_at_once_try_each_point_once(asked):
    remote = asked("at-once", trials=10)
    tried = []

    def work():
        while (point := remote.ask("at-once", timeout=30)) is not None:
            tried.append(point.index)
            assert remote.tell("at-once", point, loss=point.parameters["x"])

    workers = [Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(tried) == list(range(10))


def test_a_point_whose_lease_is_over_is_given_to_another(asked):
    remote = asked("leased", trials=1, lease=1)
    late = remote.ask("leased", timeout=10)
    again = remote.ask("leased", timeout=10)
    assert (again.index, again.attempt) == (late.index, late.attempt + 1)
    assert not remote.tell("leased", late, loss=1.0)
    assert remote.tell("leased", again, loss=0.5)
    assert remote.ask("leased", timeout=10) is None


def test_a_failure_and_a_value_that_is_no_number_are_told_as_such(asked, server):
    remote = asked("told-so", trials=2)
    remote.tell("told-so", remote.ask("told-so", timeout=10), failed="the pump leaks")
    remote.tell("told-so", remote.ask("told-so", timeout=10), loss=math.nan)
    with server.client() as client:
        found = client.get(server.api("/experiments/default/told-so/trials")).json()["items"]
    assert [(each["state"], each["value"]) for each in found] == [
        ("Failed", None),
        ("Succeeded", "NaN"),
    ]


def test_what_is_refused_raises_what_it_would_here(asked, server):
    remote = asked("refuses")
    point = remote.ask("refuses", timeout=10)
    with pytest.raises(Invalid, match="loss"):
        remote.tell("refuses", point, accuracy=1.0)
    with pytest.raises(NotFound, match="nobody"):
        remote.ask("nobody")
    with pytest.raises(Unsupported):
        remote.ask("done")
    with pytest.raises(Forbidden):
        Remote(server.url, "of-somebody-else").ask("refuses")
    with pytest.raises(ServerUnavailable):
        Remote("http://127.0.0.1:9", TOKEN).ask("refuses")
