"""Why a thing is as it is: every reason with its message and what a person can do.

One table for conditions, events, `explain` and the documentation. A message may
have a `{}` for what is only known on the spot.
"""

from typing import NamedTuple


class Reason(NamedTuple):
    name: str
    message: str
    remedy: str = ""

    def about(self, detail: str) -> str:
        """Return the message, with what is only known on the spot."""
        return self.message.format(detail) if "{}" in self.message else self.message


# Of experiments.
CREATED = Reason("ExperimentCreated", "Experiment is created")
RUNNING = Reason("ExperimentRunning", "Experiment is running")
RESTARTING = Reason("ExperimentRestarting", "Experiment is restarted")
GOAL_REACHED = Reason(
    "ExperimentGoalReached",
    "Experiment has succeeded because Objective goal has reached",
)
MAX_TRIALS_REACHED = Reason(
    "ExperimentMaxTrialsReached",
    "Experiment has succeeded because max trial count has reached",
    "raise maxTrialCount to continue",
)
SEARCH_EXHAUSTED = Reason(
    "ExperimentSuggestionEndReached",
    "Experiment has succeeded because suggestion service has reached the end",
    "the search space has no more points: widen it, or take a finer step",
)
NO_IMPROVEMENT = Reason(
    "NoImprovement",
    "Experiment has succeeded because the last {} brought no improvement",
    "raise stopWhen.noImprovement.trials to continue",
)
MAX_DURATION_REACHED = Reason(
    "MaxDurationReached",
    "Experiment has succeeded because maxDuration is used up",
    "raise maxDuration to continue",
)
STOPPED = Reason(
    "ExperimentStopped", "Experiment has ended because a person stopped it", "resume continues it"
)
MAX_FAILED_REACHED = Reason(
    "ExperimentFailed",
    "Experiment has failed because max failed count has reached",
    "look at the logs of a failed trial; raise maxFailedTrialCount to tolerate more",
)
EVERYTHING_FAILED = Reason(
    "EverythingFailed",
    "Experiment has failed because all of its {} trials failed",
    "look at the logs of a trial; set maxFailedTrialCount to continue despite failures",
)
NO_OBSERVATION = Reason(
    "NoObservation",
    "Experiment has failed because no trial reported the objective metric {}",
    "check objectiveMetricName and the metrics collector against the logs of a trial",
)
NO_OBSERVATION_IN_SPACE = Reason(
    "NoObservationInSpace",
    "Experiment has failed because its space has no more points,"
    " and no trial reported the objective metric {}",
    "check objectiveMetricName and the metrics collector against the logs of a trial",
)
SEARCH_FAILED = Reason(
    "SuggestionFailed",
    "Suggestion has failed: {}",
    "fix what the message names, then resume",
)
SEARCH_STALLED = Reason(
    "SuggestionStalled",
    "Experiment has failed because the algorithm gives no points although nothing runs",
    "this is a defect of the algorithm; resume asks it again",
)
PLUGIN_FORGOT = Reason(
    "PluginForgot",
    "The algorithm's plug-in was restarted or reconnected: it continues without {} "
    "that it does not know",
    "declare a plug-in that needs no memory as ADDRESS?stateless; it is shown all trials",
)

# Of what an administrator grants a namespace.
EXPERIMENTS_LIMITED = Reason(
    "ExperimentsLimited",
    "Experiment waits for a place in its namespace: {}",
    "wait until one of them ends, pause or stop one, or ask the operator's administrator for more",
)
PARALLEL_LIMITED = Reason(
    "ParallelTrialsLimited",
    "The operator's settings let fewer trials run at once in this namespace: {}",
    "ask the operator's administrator for more",
)
EXPIRED = Reason(
    "ExperimentExpired",
    "Experiment is deleted: its time to live after the end has passed",
    "ttlSecondsAfterFinished, or the limit of its namespace, says how long it stays",
)

SEARCHES = Reason("SuggestionNote", "{}")  # what the algorithm says of its answers

CODE_CHANGED = Reason(
    "CodeChanged",
    "The code changed while the experiment was running: {}",
    "earlier trials ran other code; `run --again` starts a fair comparison",
)

# Of trials.
TRIAL_CREATED = Reason("TrialCreated", "Trial is created")
TRIAL_RUNNING = Reason("TrialRunning", "Trial is running")
TRIAL_DROPPED = Reason("TrialDropped", "Trial was dropped by a person")
TRIAL_SUCCEEDED = Reason("TrialSucceeded", "Trial has succeeded")
CONSTRAINT_BROKEN = Reason(
    "ConstraintBroken",
    "Trial has succeeded, and cannot be the best: {}",
    "widen spec.constraints, or the search space; the algorithm learns that the point is bad",
)
TRIAL_KNOWN = Reason("KnownResult", "Trial was given with its result and did not run")
TRIAL_FAILED = Reason("TrialFailed", "Trial has failed: {}", "look at its logs")
OUT_OF_MEMORY = Reason(
    "OutOfMemory", "Trial was ended at its memory limit: {}", "raise the memory limit"
)
TRIAL_REFUSED = Reason("TrialRefused", "Trial cannot run here: {}")
TRIAL_LOST = Reason(
    "TrialLost", "Trial's workload vanished: {}", "trialPolicy.onLost: Retry runs it again"
)
DEADLINE_EXCEEDED = Reason(
    "DeadlineExceeded",
    "Trial ran longer than trialPolicy.activeDeadlineSeconds ({} s)",
    "raise the deadline",
)
PENDING_DEADLINE_EXCEEDED = Reason(
    "PendingDeadlineExceeded",
    "Trial could not start within trialPolicy.pendingDeadlineSeconds ({} s)",
    "free what it waits for, or raise the deadline",
)
METRICS_UNAVAILABLE = Reason(
    "MetricsUnavailable",
    "Metrics are not available: the objective metric {} was never reported",
    "print it as `name=value`, or tell metricsCollectorSpec where it is",
)
EARLY_STOPPED = Reason("TrialEarlyStopped", "Trial is early stopped: {}")
TRIAL_KILLED = Reason("TrialKilled", "Trial was stopped by a person")
EXPERIMENT_ENDED = Reason("ExperimentEnded", "Trial was stopped because its experiment ended: {}")

TRIAL_DELETED = Reason("TrialDeleted", "Trial's resource was deleted")
STORE_AWAY = Reason(
    "MetricsServiceUnavailable",
    "Trial waits for the metrics service: {}",
    "running trials continue, and their reports are kept until it is back",
)
REFUSED_BY_CLUSTER = Reason(
    "RefusedByCluster",
    "The cluster refuses the trial's workload: {}",
    "a quota, a policy or a webhook refuses it; the operator tries again",
)
INVALID_SPEC = Reason("InvalidSpec", "{}", "fix what the message names, in a new experiment")

# Of attempts that another one follows.
RETRYING = Reason("Retrying", "Attempt failed and is tried again: {}")
LOST_RETRYING = Reason("LostRetrying", "Attempt was lost and runs again: {}")
INTERRUPTED = Reason("Interrupted", "Attempt was interrupted and runs again")
PAUSED = Reason("Paused", "Attempt was stopped by a pause and runs again at resume")
LEASE_OVER = Reason(
    "LeaseOver", "The point's result was not told within its lease: it is given out again"
)
REPEATING = Reason("Repeating", "Run {} is done; the point runs again")
REPEATED = Reason("RepeatAsked", "Attempt was stopped by a person to run again")

# Of workloads on a cluster: why one does not run, or does not end.
UNSCHEDULABLE = Reason(
    "Unschedulable",
    "Trial waits for a node: {}",
    "free what it requests, or request less; trialPolicy.pendingDeadlineSeconds limits the wait",
)
DEVICES_TAKEN = Reason(
    "InsufficientDevices",
    "Trial waits for a device that is free on no node: {}",
    "wait until one is; where no node has any, check the device plug-in, or request less",
)
IMAGE_UNAVAILABLE = Reason(
    "ImageUnavailable",
    "Trial's image cannot be pulled: {}",
    "check its name and tag, and imagePullSecrets for a private registry",
)
IMAGE_NAME_INVALID = Reason(
    "InvalidImageName", "Trial's image has no valid name: {}", "write it as REGISTRY/NAME:TAG"
)
CONFIG_MISSING = Reason(
    "ContainerConfigMissing",
    "Trial's container lacks what its environment names: {}",
    "create the Secret or ConfigMap in the trial's namespace, or mark the reference optional",
)
VOLUME_UNAVAILABLE = Reason(
    "VolumeUnavailable",
    "Trial's volume cannot be mounted: {}",
    "create what the volume names in the trial's namespace",
)
CONTAINER_UNSTARTABLE = Reason(
    "ContainerCannotStart",
    "Trial's container cannot start: {}",
    "check its command, and that the image is built for the node's processor",
)
QUOTA_EXCEEDED = Reason(
    "QuotaExceeded",
    "Trial's pods exceed a quota of the namespace: {}",
    "wait until others end, lower parallelTrialCount, or raise the ResourceQuota",
)
POD_SECURITY = Reason(
    "PodSecurityViolated",
    "The namespace's Pod Security refuses the trial's pods: {}",
    "set what the message names in the template's securityContext",
)
WEBHOOK_REFUSED = Reason(
    "WebhookRefused",
    "An admission webhook refuses the trial's pods: {}",
    "do as its message says, or ask who runs the webhook",
)
PODS_REFUSED = Reason(
    "PodsRefused", "Trial's pods cannot be created: {}", "fix what the message names"
)
QUEUED = Reason(
    "Queued",
    "Trial waits for Kueue to admit it: {}",
    "look at the LocalQueue and its ClusterQueue's quota",
)
WORKLOAD_SUSPENDED = Reason(
    "WorkloadSuspended",
    "Trial's workload is suspended: {}",
    "remove suspend from the template, or set it to false in the object",
)
POD_EVICTED = Reason(
    "PodEvicted",
    "Trial's pod had to leave its node: {}",
    "its controller makes another; let podFailurePolicy ignore DisruptionTarget",
)
POD_CRASHED = Reason(
    "PodCrashed",
    "Trial's pod crashed: {}",
    "look at its logs; backoffLimit: 0 ends the trial at its first failure",
)

# Of wishes.
WISH_REFUSED = Reason("WishRefused", "{}")

ALL = tuple(value for value in tuple(globals().values()) if isinstance(value, Reason))
BY_NAME = {reason.name: reason for reason in ALL}
