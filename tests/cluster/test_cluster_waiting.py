"""Trials that cannot run say why, and wait no longer than they may."""

import pytest
from cluster.experiments import experiment, job, message, shell, state
from support.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300, func_only=True)]

DEADLINE = {"trialPolicy": {"pendingDeadlineSeconds": 25}}
WAITS = shell("echo loss=1")


def restricted(namespace):
    enforced = "pod-security.kubernetes.io/enforce=restricted"
    namespace.kubectl("label", "namespace", namespace.name, enforced)


def without_room(namespace):
    namespace.kubectl("create", "quota", "team", "--hard=pods=0")


@pytest.mark.parametrize(
    ("workload", "prepare", "reason", "why"),
    [
        (job(["true"], image="localhost/nowhere:1"), None, "ImageUnavailable", "cannot be pulled"),
        (WAITS, restricted, "PodSecurityViolated", "violates PodSecurity"),
        (WAITS, without_room, "QuotaExceeded", "exceeded quota"),
    ],
    ids=["image", "security", "quota"],
)
def test_a_trial_that_cannot_start_says_why_within_seconds_and_ends_at_its_deadline(
    experiments, workload, prepare, reason, why
):
    if prepare is not None:
        prepare(experiments.namespace)
    experiments.start(experiment("waits", workload, **DEADLINE))
    until(lambda: experiments.trials("waits"), seconds=60)

    until(lambda: reason in str(experiments.trials("waits")[0].get("status")), seconds=25)

    trial = experiments.trial("waits")
    assert state(trial) == "Failed"
    assert message(trial).startswith("PendingDeadlineExceeded")
    assert why in message(trial)


def test_no_more_trials_run_than_there_are_devices_and_the_others_say_so(experiments, one_device):
    asks = {"limits": {"nvidia.com/gpu": "1"}}
    experiments.start(experiment("search", shell("echo loss=1; sleep 3", resources=asks), trials=3))
    most, reasons = 0, set()

    def ended() -> bool:
        nonlocal most
        phases = [pod["status"].get("phase") for pod in experiments.pods("search")]
        most = max(most, phases.count("Running"))
        reasons.update(
            condition["reason"]
            for trial in experiments.trials("search")
            for condition in trial.get("status", {}).get("conditions", ())
        )
        return bool(experiments.status("search").get("completionTime"))

    until(ended, seconds=120)
    assert (most, "InsufficientDevices" in reasons) == (1, True)
    assert experiments.status("search")["trialsSucceeded"] == 3
