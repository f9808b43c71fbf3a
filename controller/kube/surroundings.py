"""What a process's surroundings say of the cluster that is meant."""

import os
from contextlib import suppress
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass


def is_pod() -> bool:
    return "KUBERNETES_SERVICE_HOST" in os.environ


def kubeconfig(named: str | None) -> str | None:
    """Return the kubeconfig that is named, else that of the environment; None for the usual one.

    The library looks at the environment once, when it is imported.
    """
    return named or os.environ.get("KUBECONFIG") or None


def proxy(server: str) -> str | None:
    """Return the proxy that the environment names for a server, as kubectl understands it.

    There is none to this machine, and NO_PROXY may name networks, such as a cluster's services.
    """
    parts, proxies = urlsplit(server), getproxies_environment()
    host = parts.hostname or ""
    direct = ("127.0.0.0/8", "::1/128", *proxies.get("no", "").split(","))
    if host == "localhost" or proxy_bypass(host) or any(_is_in(each, host) for each in direct):
        return None
    return proxies.get(parts.scheme)


def _is_in(network: str, host: str) -> bool:
    with suppress(ValueError):  # a name, of either
        return ip_address(host) in ip_network(network.strip(), strict=False)
    return False
