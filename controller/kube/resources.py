"""The kinds of object that several modules read or write, by where the API server serves them.

Of an Experiment its spec is people's, its status ours (`experiments`); a Trial is ours
(`trials`), and so is a Suggestion (`suggestions`). The others are Kubernetes' own.
"""

from .port import Resource

EXPERIMENTS = Resource("kubeflow.org", "v1beta1", "experiments")
TRIALS = Resource("kubeflow.org", "v1beta1", "trials")
SUGGESTIONS = Resource("kubeflow.org", "v1beta1", "suggestions")

PODS = Resource("", "v1", "pods")
SERVICES = Resource("", "v1", "services")
CLAIMS = Resource("", "v1", "persistentvolumeclaims")
CONFIG_MAPS = Resource("", "v1", "configmaps")
DEPLOYMENTS = Resource("apps", "v1", "deployments")

EVENTS = Resource("", "v1", "events")
"""The older of the two kinds: those of `events.k8s.io` lack the first time, which clients read."""
