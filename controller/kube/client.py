"""The port over the `kubernetes` package: its configuration, its credentials, its connections.

Nothing of its models or its watch: they drop fields that they do not know, and
know no custom resource. Only here is it imported.
"""

import asyncio
import math
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from ...api.errors import Fault, Forbidden, Invalid, ServerUnavailable, TunewrightError
from . import surroundings
from .answers import OURS, error_of, read_event, read_object, selecting, slim
from .port import (
    Document,
    Listing,
    Resource,
    Selection,
    WatchEvent,
    name_of,
    version_of,
)
from .resources import PODS

REQUEST_SECONDS = 30.0
FAREWELL_SECONDS = 0.25
DOUBT_SECONDS = 30.0
"""How long after the server was away a Forbidden is taken for temporary.

An API server that has just started has not loaded its roles yet.
"""

PAGE = 500
CONNECTIONS = 64
LINES, LIMIT = 2000, 1 << 22
"""How much is read of the end of a log; a server that is given bytes alone cuts at the end."""

_PIECE = 1 << 16
_FAILURES = (aiohttp.ClientError, asyncio.TimeoutError, ssl.SSLError, ConnectionError)


async def connect(*, kubeconfig: str | None = None, context: str | None = None) -> "KubeClient":
    """Return a client for the cluster that this process runs in, or that a kubeconfig names.

    Raises:
        Invalid: there is no such configuration.
    """
    settings = Configuration()
    try:
        if kubeconfig is None and context is None and surroundings.is_pod():
            config.load_incluster_config(client_configuration=settings)
        else:
            file = surroundings.kubeconfig(kubeconfig)
            await config.load_kube_config(
                config_file=file, context=context, client_configuration=settings
            )
    except config.ConfigException as error:
        message = f"no cluster can be reached: {error}"
        raise Invalid([Fault("", message, "name a kubeconfig with --kubeconfig")]) from error
    settings.connection_pool_maxsize = CONNECTIONS
    settings.proxy = settings.proxy or surroundings.proxy(settings.host)
    # Else a thread looks for a proxy, and another for a password, before each request.
    settings.client_session_kwargs = {"trust_env": False}
    return KubeClient(_PlainClient(settings))


class _PlainClient(ApiClient):
    """Sends what it is given, which is plain JSON, as it is: a copy takes as long as the rest."""

    def sanitize_for_serialization(self, obj: Any) -> Any:
        return obj


class KubeClient:
    """Implements `port.Kube`. Closed by whoever made it."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._silent_at = -math.inf

    async def close(self) -> None:
        await self._client.close()
        # Connections that were being made take their leave first, as aiohttp's manual has it.
        await asyncio.sleep(FAREWELL_SECONDS)

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Document:
        return await self._ask("GET", resource.path(namespace, name))

    async def list(self, selection: Selection) -> Listing:
        path = selection.resource.path(selection.namespace)
        query = selecting(selection) | {"limit": str(PAGE)}
        found: list[Document] = []
        while True:
            page = await self._ask("GET", path, query)
            found += map(slim, page.get("items") or ())
            rest = page["metadata"].get("continue")
            if not rest:
                return Listing(found, version_of(page))
            query["continue"] = rest

    @asynccontextmanager
    async def watch(
        self, selection: Selection, *, since: str | None, seconds: int, silence: float
    ) -> AsyncIterator[AsyncIterator[WatchEvent]]:
        query = selecting(selection) | {"watch": "true", "allowWatchBookmarks": "true"}
        query["timeoutSeconds"] = str(seconds)
        if since is None:
            query |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        else:
            query["resourceVersion"] = since
        path = selection.resource.path(selection.namespace)
        async with self._stream(path, query, silence) as answer:
            yield self._events(answer)

    @asynccontextmanager
    async def log(
        self, namespace: str, pod: str, container: str, *, silence: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        path = PODS.path(namespace, pod, "log")
        query = {"container": container, "follow": "true", "timestamps": "true"}
        async with self._stream(path, query, silence) as answer:
            yield self._lines(answer)

    async def log_end(
        self, namespace: str, pod: str, container: str, *, previous: bool = False
    ) -> bytes:
        path = PODS.path(namespace, pod, "log")
        query = {"container": container, "tailLines": str(LINES), "limitBytes": str(LIMIT)}
        query |= {"previous": "true"} if previous else {}
        patience = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        answer = await self._send("GET", path, query, patience=patience)
        try:
            if answer.status != 200:
                raise self._error(answer, await _text(answer))
            return await answer.read()
        except _FAILURES as error:
            raise self._away(error) from error

    async def create(
        self,
        resource: Resource,
        namespace: str | None,
        document: Document,
        *,
        dry: bool = False,
        user: str | None = None,
    ) -> Document:
        query = OURS | {"fieldValidation": "Strict"} | ({"dryRun": "All"} if dry else {})
        return await self._ask("POST", resource.path(namespace), query, document, user=user)

    async def replace(
        self, resource: Resource, namespace: str | None, document: Document, subresource: str = ""
    ) -> Document:
        path = resource.path(namespace, name_of(document), subresource)
        return await self._ask("PUT", path, OURS, document)

    async def apply(
        self,
        resource: Resource,
        namespace: str | None,
        document: Document,
        *,
        manager: str,
        subresource: str = "",
    ) -> Document:
        path = resource.path(namespace, name_of(document), subresource)
        query = {"fieldManager": manager, "force": "true"}
        return await self._ask("PATCH", path, query, document, kind="application/apply-patch+yaml")

    async def merge(
        self, resource: Resource, namespace: str | None, name: str, patch: Document
    ) -> Document:
        path = resource.path(namespace, name)
        return await self._ask("PATCH", path, OURS, patch, kind="application/merge-patch+json")

    async def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        foreground: bool = False,
    ) -> None:
        policy = "Foreground" if foreground else "Background"
        options: dict[str, Any] = {"propagationPolicy": policy}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        await self._ask("DELETE", resource.path(namespace, name), {}, options)

    async def kinds(self, api_version: str) -> Mapping[str, Resource]:
        group, _, version = api_version.rpartition("/")
        served = await self._ask("GET", f"/apis/{api_version}" if group else f"/api/{api_version}")
        return {
            each["kind"]: Resource(group, version, each["name"])
            for each in served["resources"]
            if each["namespaced"] and "/" not in each["name"]  # a subresource
        }

    async def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Document | None = None,
        *,
        kind: str = "application/json",
        user: str | None = None,
    ) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        answer = await self._send(
            method, path, query or {}, body, kind=kind, user=user, patience=timeout
        )
        try:
            text = await _text(answer)
        except _FAILURES as error:
            raise self._away(error) from error
        if answer.status >= 300:
            raise self._error(answer, text)
        try:
            return read_object(text)
        except ValueError as error:
            raise self._away(error) from error

    @asynccontextmanager
    async def _stream(
        self, path: str, query: Mapping[str, str], silence: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask for what comes bit by bit; after so many seconds of silence it is given up."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=REQUEST_SECONDS, sock_read=silence)
        answer = await self._send("GET", path, query, patience=timeout)
        try:
            if answer.status != 200:
                raise self._error(answer, await _text(answer))
            yield answer
        finally:
            _hang_up(answer)

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Document | None = None,
        *,
        patience: aiohttp.ClientTimeout,
        kind: str = "application/json",
        user: str | None = None,
    ) -> aiohttp.ClientResponse:
        given = {"Content-Type": kind, "Accept": "application/json"}
        if user is not None:
            given["Impersonate-User"] = user
        resource_path = f"{path}?{urlencode(query)}" if query else path
        try:
            _, url, headers, sent, _ = await self._client.param_serialize(
                method,
                resource_path,
                header_params=given,
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = await self._client.call_api(
                method, url, headers, sent, _request_timeout=patience
            )
        except _FAILURES as error:
            if isinstance(error, aiohttp.ClientConnectorCertificateError):
                self._trust_anew()
            raise self._away(error) from error
        response: aiohttp.ClientResponse = answer.response
        return response

    def _trust_anew(self) -> None:
        """Trust whom the file names now, too: a cluster's authority changes while pods run."""
        rest = self._client.rest_client
        if file := rest.configuration.ssl_ca_cert:
            with suppress(OSError):  # it is being written
                rest.ssl_context.load_verify_locations(file)

    async def _events(self, answer: aiohttp.ClientResponse) -> AsyncIterator[WatchEvent]:
        """Read one event a line; an error in the stream is raised as what it is."""
        try:
            async for line in answer.content:
                yield read_event(line)
        except (*_FAILURES, ValueError) as error:
            raise self._away(error) from error

    async def _lines(self, answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        """Yield lines with their ends; of one that has none yet no more than a piece is held."""
        rest = b""
        try:
            async for piece in answer.content.iter_chunked(_PIECE):
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    yield line + b"\n"
                if len(rest) > _PIECE:
                    yield rest
                    rest = b""
        except _FAILURES as error:
            raise self._away(error) from error
        if rest:
            yield rest

    def _error(self, answer: aiohttp.ClientResponse, text: str) -> TunewrightError:
        error = error_of(answer.status, answer.headers, text)
        doubted = (
            isinstance(error, Forbidden) and time.monotonic() < self._silent_at + DOUBT_SECONDS
        )
        return ServerUnavailable(f"after a silence {error}") if doubted else error

    def _away(self, error: BaseException) -> ServerUnavailable:
        self._silent_at = time.monotonic()
        return ServerUnavailable(f"the API server does not answer: {error or type(error).__name__}")


async def _text(answer: aiohttp.ClientResponse) -> str:
    return (await answer.read()).decode(errors="replace")


def _hang_up(answer: aiohttp.ClientResponse) -> None:
    """Close a connection at once: a server that is silent would not take part in a farewell."""
    connection = answer.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
    answer.close()
