"""Why a workload does not run: from what Kubernetes says of it to a reason with a remedy."""

import pytest
from tunewright.controller.kube.workloads.hindrance import hindrance
from tunewright.controller.plan import reasons

QUEUED = {"kueue.x-k8s.io/queue-name": "team"}


def job(labels=None, *, failed=0, **spec):
    metadata = {"name": "digits-x7k2", "labels": labels, "creationTimestamp": at(0)}
    return {"kind": "Job", "metadata": metadata, "spec": spec, "status": {"failed": failed}}


def at(second):
    return f"2026-11-25T10:00:{second:02}Z"


def pod(name="p", created=1, *, spec=None, deleted=False, **status):
    metadata = {"name": name, "creationTimestamp": at(created)}
    if deleted:
        metadata["deletionTimestamp"] = at(50)
    return {"metadata": metadata, "spec": spec or {}, "status": {"phase": "Pending", **status}}


def unplaced(message, reason="Unschedulable"):
    condition = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    return pod(conditions=[condition])


def waits(reason, message=None, key="containerStatuses"):
    state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
    return pod(**{key: [{"name": "main", "state": state}]})


def ended(code, reason="Error", **given):
    state = {"terminated": {"exitCode": code, "reason": reason, "message": "no such file"}}
    return pod(phase="Failed", containerStatuses=[{"name": "main", "state": state}], **given)


def event(reason, note, second=2, about="digits-x7k2"):
    """An event as the core API has it."""
    return {
        "reason": reason,
        "message": note,
        "lastTimestamp": at(second),
        "involvedObject": {"name": about},
    }


SECURITY = (
    'Error creating: pods "digits-x7k2-abcde" is forbidden: violates PodSecurity '
    '"restricted:latest": allowPrivilegeEscalation != false'
)
QUOTA = (
    'Error creating: pods "digits-x7k2-abcde" is forbidden: exceeded quota: team, requested: '
    "cpu=2, used: cpu=4, limited: cpu=4"
)
WEBHOOK = 'Error creating: admission webhook "policy.example.com" denied the request: no team label'
NO_CPU = "0/1 nodes are available: 1 Insufficient cpu."
NO_GPU = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
NO_SECRET = 'secret "token" not found'
BACK_OFF = 'Back-off pulling image "train:nope"'


@pytest.mark.parametrize(
    ("pods", "events", "reason", "message"),
    [
        ([unplaced(NO_CPU)], [], reasons.UNSCHEDULABLE, f"Trial waits for a node: {NO_CPU}"),
        ([unplaced(NO_GPU)], [], reasons.DEVICES_TAKEN,
         f"Trial waits for a device that is free on no node: {NO_GPU}"),
        ([waits("ImagePullBackOff", BACK_OFF)], [], reasons.IMAGE_UNAVAILABLE,
         f"Trial's image cannot be pulled: container main: {BACK_OFF}"),
        ([waits("ErrImagePull", "not found")], [], reasons.IMAGE_UNAVAILABLE,
         "Trial's image cannot be pulled: container main: not found"),
        ([waits("ErrImageNeverPull", key="initContainerStatuses")], [], reasons.IMAGE_UNAVAILABLE,
         "Trial's image cannot be pulled: container main: ErrImageNeverPull"),
        ([waits("InvalidImageName", "couldn't parse")], [], reasons.IMAGE_NAME_INVALID,
         "Trial's image has no valid name: container main: couldn't parse"),
        ([waits("CreateContainerConfigError", NO_SECRET)], [],
         reasons.CONFIG_MISSING,
         f"Trial's container lacks what its environment names: container main: {NO_SECRET}"),
        ([waits("ContainerCreating")],
         [event("FailedMount", 'configmap "data" not found', about="p")],
         reasons.VOLUME_UNAVAILABLE,
         "Trial's volume cannot be mounted: configmap \"data\" not found"),
        ([ended(128, "StartError")], [], reasons.CONTAINER_UNSTARTABLE,
         "Trial's container cannot start: container main of pod p: no such file"),
        ([], [event("FailedCreate", SECURITY)], reasons.POD_SECURITY,
         f"The namespace's Pod Security refuses the trial's pods: {SECURITY}"),
        ([], [event("FailedCreate", QUOTA)], reasons.QUOTA_EXCEEDED,
         f"Trial's pods exceed a quota of the namespace: {QUOTA}"),
        ([], [event("FailedCreatePod", WEBHOOK)], reasons.WEBHOOK_REFUSED,
         f"An admission webhook refuses the trial's pods: {WEBHOOK}"),
        ([], [event("FailedCreate", 'serviceaccount "a" not found')], reasons.PODS_REFUSED,
         "Trial's pods cannot be created: serviceaccount \"a\" not found"),
        ([ended(1)], [], reasons.POD_CRASHED,
         "Trial's pod crashed: container main of pod p exited with 1"),
        ([ended(137, "OOMKilled")], [], reasons.OUT_OF_MEMORY,
         "Trial was ended at its memory limit: container main of pod p exited with 137"),
        ([pod(phase="Failed", reason="Evicted", message="low on memory")], [],
         reasons.POD_EVICTED, "Trial's pod had to leave its node: pod p: Evicted: low on memory"),
    ],
)  # fmt: skip
def test_what_kubernetes_says_becomes_a_reason(pods, events, reason, message):
    found = hindrance(job(), pods, events)
    assert (found.reason, found.message) == (reason, message)
    assert reason.remedy


@pytest.mark.parametrize(
    ("pods", "events"),
    [
        ([], []),
        ([pod()], []),
        ([pod(phase="Running")], []),
        ([pod(phase="Succeeded")], []),
        ([waits("ContainerCreating")], []),
        ([ended(0, "Completed")], []),
        ([ended(143, deleted=True)], []),
        ([pod(phase="Running")], [event("FailedMount", "timed out", about="p")]),
        ([pod()], [event("FailedMount", "timed out", about="another")]),
        ([], [event("SuccessfulCreate", "Created pod")]),
    ],
)
def test_what_is_on_its_way_is_not_hindered(pods, events):
    assert hindrance(job(), pods, events) is None


def test_a_refusal_that_a_pod_came_after_is_over():
    refused = event("FailedCreate", QUOTA, second=5)
    assert hindrance(job(), [pod(created=3, phase="Running")], [refused]) is not None
    assert hindrance(job(), [pod(created=6, phase="Running")], [refused]) is None


def test_a_refusal_is_seen_although_the_clock_of_who_tells_it_is_slow():
    made = job()
    made["metadata"]["creationTimestamp"] = at(30)
    refused = event("FailedCreate", QUOTA, second=5)
    assert hindrance(made, [], [refused]).reason is reasons.QUOTA_EXCEEDED


def test_events_of_either_api_are_read():
    newer = {
        "reason": "FailedCreate",
        "note": SECURITY,
        "eventTime": "2026-11-25T10:00:02.000000Z",
        "series": {"lastObservedTime": "2026-11-25T10:00:09.000000Z"},
        "regarding": {"name": "digits-x7k2"},
    }
    older = event("FailedCreate", QUOTA, second=4)
    assert hindrance(job(), [], [newer, older]).reason is reasons.POD_SECURITY


def test_a_crash_shows_while_the_job_tries_again():
    again = pod("second", 9, phase="Running")
    found = hindrance(job(failed=1), [ended(1, name="first"), again], [])
    assert found.message == (
        "Trial's pod crashed: container main of pod first (1 of 7 failed) exited with 1"
    )
    found = hindrance(job(failed=1, backoffLimit=0), [ended(1)], [])
    assert "pod p (1 of 1 failed)" in found.message


def test_the_newest_pod_is_asked_first():
    newest = {**unplaced(NO_CPU), "metadata": {"name": "q", "creationTimestamp": at(9)}}
    assert hindrance(job(), [ended(1), newest], []).reason is reasons.UNSCHEDULABLE


def test_a_container_that_is_started_again_and_again_tells_how_it_ends():
    status = {
        "name": "main",
        "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
        "lastState": {"terminated": {"exitCode": 2, "reason": "Error"}},
    }
    found = hindrance(job(), [pod(phase="Running", containerStatuses=[status])], [])
    assert found.message == (
        "Trial's pod crashed: container main of pod p exited with 2, restarted 3 times"
    )


def test_an_init_container_that_fails_is_named_and_a_sidecar_that_ends_is_not():
    def statuses(name):
        state = {"terminated": {"exitCode": 143, "reason": "Error"}}
        return {"initContainerStatuses": [{"name": name, "state": state}]}

    spec = {"initContainers": [{"name": "beside", "restartPolicy": "Always"}, {"name": "fetch"}]}
    found = hindrance(job(), [pod(spec=spec, **statuses("fetch"))], [])
    assert found.message == "Trial's pod crashed: container fetch of pod p exited with 143"
    assert hindrance(job(), [pod(spec=spec, **statuses("beside"))], []) is None


def test_a_disrupted_pod_is_evicted_and_not_crashed():
    gone = ended(143)
    gone["status"]["conditions"] = [
        {"type": "DisruptionTarget", "status": "True", "message": "preempted by another"}
    ]
    found = hindrance(job(), [gone], [])
    assert (found.reason, found.detail) == (reasons.POD_EVICTED, "pod p: preempted by another")


TRAINING = {
    "kind": "PyTorchJob",
    "metadata": {"name": "a", "labels": QUEUED},
    "spec": {"runPolicy": {"suspend": True}},
}


@pytest.mark.parametrize(
    ("workload", "pods", "message"),
    [
        (job(QUEUED, suspend=True), [], "Trial waits for Kueue to admit it: queue team"),
        (TRAINING, [], "Trial waits for Kueue to admit it: queue team"),
        (job(QUEUED), [unplaced("gated", "SchedulingGated")],
         "Trial waits for Kueue to admit it: queue team"),
        (job(suspend=True), [],
         "Trial's workload is suspended: Job digits-x7k2 has suspend: true"),
    ],
)  # fmt: skip
def test_who_is_suspended_waits_for_kueue_or_for_a_person(workload, pods, message):
    assert hindrance(workload, pods, []).message == message


def test_a_long_message_is_cut():
    found = hindrance(job(), [unplaced("x" * 2000)], [])
    assert len(found.detail) == 500
    assert found.detail.endswith("…")
