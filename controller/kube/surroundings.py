"""What a process's surroundings say of the cluster that is meant."""

import os


def is_pod() -> bool:
    return "KUBERNETES_SERVICE_HOST" in os.environ


def kubeconfig(named: str | None) -> str | None:
    """Return the kubeconfig that is named, else that of the environment; None for the usual one.

    The library looks at the environment once, when it is imported.
    """
    return named or os.environ.get("KUBECONFIG") or None
