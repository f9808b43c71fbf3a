"""A person's connection to an API server, with what a kubeconfig says and nothing else.

It speaks the server's REST itself, one request after the other: of the
`kubernetes` package it takes the kubeconfig and its credentials alone, which
every release of it reads alike.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from ...api.errors import (
    Fault,
    Forbidden,
    Invalid,
    MissingExtra,
    NotFound,
    ServerUnavailable,
    Unsupported,
)
from . import surroundings
from .answers import OURS, error_of, read_event, read_object, selecting, slim
from .port import Document, Resource, Selection, WatchEvent, name_of, version_of
from .reflector import SILENCE

try:
    import urllib3
    from kubernetes import client, config
except ImportError as missing:
    raise MissingExtra("--cluster", "cluster") from missing

_PAGE = 500
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 60.0
_CONNECTIONS = 16
"""How many are kept open: a page asks from several threads."""
_CREDENTIALS = "check the user of the context in the kubeconfig"
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_NOT_INSTALLED = "Tunewright is not installed in this cluster: kubectl apply -k deploy/crds"


@dataclass(frozen=True, slots=True)
class Context:
    """Which cluster is meant: a context of a kubeconfig, by default the current one.

    Where there is no kubeconfig, a pod means the cluster that it runs in.
    """

    kubeconfig: str | None = None
    name: str | None = None

    @property
    def is_inside(self) -> bool:
        named = surroundings.kubeconfig(self.kubeconfig) or self.name
        return (
            surroundings.is_pod() and not named and not (Path.home() / ".kube" / "config").exists()
        )


def connect(context: Context) -> "Session":
    """Read the kubeconfig, or what a pod is given.

    Raises:
        Invalid: there is none, or it lacks the context.
    """
    settings = client.Configuration()
    if context.is_inside:
        return _connect_inside(settings)
    remedy = "name one with --kubeconfig or KUBECONFIG, or another --context"
    if context.kubeconfig is not None and not Path(context.kubeconfig).is_file():
        message = f"no cluster is configured: there is no file {context.kubeconfig}"
        raise Invalid([Fault("--cluster", message, remedy)])
    file = surroundings.kubeconfig(context.kubeconfig)
    try:
        config.load_kube_config(
            config_file=file, context=context.name, client_configuration=settings
        )
        known, current = config.list_kube_config_contexts(config_file=file)
    except (config.ConfigException, OSError, TypeError) as error:
        # A user that is missing altogether is a TypeError in some releases.
        message = f"no cluster is configured: {error}"
        raise Invalid([Fault("--cluster", message, remedy)]) from error
    chosen = next((each for each in known if each["name"] == context.name), current)
    namespace = str(chosen["context"].get("namespace") or "default")
    return Session(settings, str(chosen["name"]), namespace)


def _connect_inside(settings: Any) -> "Session":
    try:
        config.load_incluster_config(client_configuration=settings)
        namespace = (_ACCOUNT / "namespace").read_text().strip()
    except (config.ConfigException, OSError) as error:
        message = f"the cluster of this pod cannot be reached: {error}"
        remedy = "give the pod a service account's token, or name a --kubeconfig"
        raise Invalid([Fault("--cluster", message, remedy)]) from error
    return Session(settings, "this one", namespace)


class Session:
    """One API server. `namespace` is the context's, where people name none."""

    def __init__(self, settings: Any, context: str, namespace: str) -> None:
        self.context = context
        self.namespace = namespace
        self._settings = settings
        certificates = {
            "cert_file": settings.cert_file,
            "key_file": settings.key_file,
            "ca_certs": settings.ssl_ca_cert,
            "cert_reqs": "CERT_REQUIRED" if settings.verify_ssl else "CERT_NONE",
        }
        given = {name: value for name, value in certificates.items() if value}
        given["maxsize"] = _CONNECTIONS
        if getattr(settings, "tls_server_name", None):
            given["server_hostname"] = given["assert_hostname"] = settings.tls_server_name
        proxy = settings.proxy or surroundings.proxy(settings.host)
        self._pool = urllib3.ProxyManager(proxy, **given) if proxy else urllib3.PoolManager(**given)

    def __str__(self) -> str:
        return f"{self.context} ({self._settings.host})"

    def get(self, resource: Resource, namespace: str | None, name: str) -> Document:
        return self._ask("GET", resource.path(namespace, name))

    def list(self, selection: Selection) -> Iterator[Document]:
        """Yield all of them, a page at a time."""
        for page in self._pages(selection):
            yield from map(slim, page.get("items") or ())

    def list_at(self, selection: Selection) -> tuple[Iterable[Document], str]:
        """Return all of them, and the version at which they were so."""
        found: list[Document] = []
        version = ""
        for page in self._pages(selection):
            found += map(slim, page.get("items") or ())
            version = version_of(page)
        return found, version

    def watch(self, selection: Selection, since: str, seconds: int) -> Iterator[WatchEvent]:
        """Yield what changes within some seconds.

        Raises:
            Expired: the server has forgotten that version.
        """
        query = selecting(selection) | {"watch": "true", "allowWatchBookmarks": "true"}
        query |= {"resourceVersion": since, "timeoutSeconds": str(seconds)}
        path = selection.resource.path(selection.namespace)
        for line in self._lines(path, query, silence=SILENCE):
            try:
                event = read_event(line)
            except ValueError as error:
                raise _away(error) from error
            yield event

    def stream(
        self, path: str, query: Mapping[str, str], *, silence: float | None = None
    ) -> Iterator[bytes]:
        """Yield what comes, as it comes, until the server ends it.

        After `silence` seconds without a byte it is taken for away: a machine that slept
        hears of no end. A log may be silent for ever.
        """
        with closing(self._send("GET", path, query, stream=True, silence=silence)) as answer:
            try:
                yield from answer.stream(1 << 16)
            except urllib3.exceptions.HTTPError as error:
                raise _away(error) from error

    def create(
        self, resource: Resource, namespace: str | None, document: Document, *, dry: bool = False
    ) -> Document:
        """Create it; unknown fields are refused. `dry` only says what would become of it."""
        query = OURS | {"fieldValidation": "Strict"} | ({"dryRun": "All"} if dry else {})
        return self._ask("POST", resource.path(namespace), query, document)

    def merge(
        self,
        resource: Resource,
        document: Document,
        patch: Mapping[str, Any],
        subresource: str = "",
    ) -> Document:
        """Change what the patch says in the object that is given, as it was read.

        Raises:
            Conflict: it is no longer as it was read.
        """
        metadata = {**(patch.get("metadata") or {}), "resourceVersion": version_of(document)}
        namespace = document["metadata"].get("namespace")
        path = resource.path(namespace, name_of(document), subresource)
        kind = "application/merge-patch+json"
        return self._ask("PATCH", path, OURS, {**patch, "metadata": metadata}, kind=kind)

    def delete(self, resource: Resource, namespace: str | None, name: str, uid: str) -> None:
        options = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        self._ask("DELETE", resource.path(namespace, name), {}, options)

    def read(self, path: str, query: Mapping[str, str]) -> Document:
        """Return what is served under a path."""
        return self._ask("GET", path, query)

    def serves(self, api_version: str) -> bool:
        """Whether a group's version is served."""
        try:
            self._ask("GET", f"/apis/{api_version}")
        except (NotFound, Unsupported):
            return False
        return True

    def _pages(self, selection: Selection) -> Iterator[dict[str, Any]]:
        query = selecting(selection) | {"limit": str(_PAGE)}
        path = selection.resource.path(selection.namespace)
        while True:
            page = self._ask("GET", path, query)
            yield page
            query["continue"] = page["metadata"].get("continue") or ""
            if not query["continue"]:
                return

    def _lines(self, path: str, query: Mapping[str, str], *, silence: float) -> Iterator[bytes]:
        rest = b""
        for part in self.stream(path, query, silence=silence):
            *lines, rest = (rest + part).split(b"\n")
            yield from lines
        if rest:
            yield rest

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        *,
        kind: str = "application/json",
    ) -> dict[str, Any]:
        answer = self._send(method, path, query or {}, body, kind=kind)
        try:
            return read_object(answer.data)
        except ValueError as error:
            raise _away(error) from error

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Any = None,
        *,
        kind: str = "application/json",
        stream: bool = False,
        silence: float | None = _READ_SECONDS,
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Content-Type": kind, "Accept": "application/json, */*"}
        # Asked for each request: a credential may be renewed meanwhile.
        for each in self._settings.auth_settings().values():
            headers[each["key"]] = each["value"]
        try:
            answer = self._pool.request(
                method,
                f"{self._settings.host}{path}?{urlencode(query)}",
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                preload_content=not stream,
                retries=False,
                timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=silence),
            )
        except urllib3.exceptions.HTTPError as error:
            raise _away(error) from error
        if answer.status >= 300:
            raise _error(
                method, answer.status, answer.headers, answer.data.decode(errors="replace")
            )
        return answer


def _away(error: Exception) -> ServerUnavailable:
    return ServerUnavailable(
        f"the API server cannot be reached: {error}"
        " (is the cluster up, and is this its context? --context and --kubeconfig name another)"
    )


def _error(method: str, status: int, headers: Mapping[str, str], text: str) -> Exception:
    """Return what a person can do about an answer that is none."""
    error = error_of(status, headers, text)
    if status == 404 and not text.startswith("{"):
        return Unsupported(_NOT_INSTALLED)
    if status == 401:
        return Forbidden(f"{error} ({_CREDENTIALS})")
    if status == 403:
        role = "tunewright-view" if method == "GET" else "tunewright-edit"
        return Forbidden(f"{error} (ask for the role {role})")
    return error
