"""Labels and annotations: Katib's, which clients and dashboards read, and ours."""

EXPERIMENT = "katib.kubeflow.org/experiment"
TRIAL = "katib.kubeflow.org/trial"
ATTEMPT = "tunewright.dev/attempt"
"""Which attempt of its trial an object belongs to."""

QUEUE = "kueue.x-k8s.io/queue-name"
"""Kueue's label of a workload that it manages."""

READS_LOGS = "tunewright.dev/reads-logs"
"""An annotation of an Experiment: `true` has standard output read from the pods' logs."""

WISHES = "tunewright.dev/wishes"
"""An annotation of an Experiment: what people asked for and nobody has answered, as JSON."""

AUTHORITY = "tunewright.dev/metrics-authority"
"""An annotation of pods: who signed the metrics service's certificate, in PEM."""

REPLICAS = "tunewright.dev/katib-replicas"
"""An annotation of Katib's controller: how many there were before it was scaled to 0."""

SERVED_AT = "tunewright.dev/served-at"
"""An annotation of our webhook configuration: the URL that the API server calls."""
