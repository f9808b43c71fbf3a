"""Single values of trials, served through the API server to whoever may read the trial.

The API server is the only caller: it has asked who a person is, and shows the
certificate of its proxy. Only behind that certificate the names in the request
are believed. What that person may is asked of the API server, too.
"""

import asyncio
import contextlib
import json
import logging
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from aiohttp import web

from ...api.errors import Forbidden, NotFound, Retryable, TunewrightError, Unsupported
from ...api.identity import ExperimentKey
from ...db.archive import STREAM
from ...db.records import TrialRecord
from ...db.store import Store
from .aggregation import host_of, trust
from .certificates import certificate
from .observations import API_VERSION, GROUP, VERSION, Cursor, Question, page
from .port import Document, Kube
from .resources import CONFIG_MAPS
from .review import ACCESS_REVIEWS, ExpiringCache, Person, Right, access_review, is_allowed
from .serving import serving

_READ = Right("get", "trials")

log = logging.getLogger(__name__)

AGAIN_SECONDS = 10.0
"""How often the APIService is looked after, and looked for where there is none."""

ALLOWED_SECONDS = 10.0
"""How long an answer to whether somebody may read a namespace's trials is believed."""

_AT_ONCE = 100
"""How many trials are read from the store for a page of values, and again when they are few."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """How the API server's proxy is known, and in which headers it says who asks."""

    authority: str
    names: Sequence[str]
    user: Sequence[str]
    group: Sequence[str]

    def caller(self, request: web.Request) -> Person:
        """Return who asks.

        Raises:
            Forbidden: the request is not the API server's, or names nobody.
        """
        certificate = request.get_extra_info("peercert")
        subject = dict(pair for part in (certificate or {}).get("subject", ()) for pair in part)
        known = certificate and (not self.names or subject.get("commonName") in self.names)
        user = next((request.headers[name] for name in self.user if name in request.headers), "")
        if not known or not user:
            raise Forbidden("ask through the API server")
        groups = [text for name in self.group for text in request.headers.getall(name, ())]
        return Person(user, tuple(groups))


async def read_proxy(kube: Kube) -> Proxy:
    """Read what every API server tells those that stand behind it.

    Raises:
        NotFound: this one proxies for nobody.
    """
    found = await kube.get(CONFIG_MAPS, "kube-system", "extension-apiserver-authentication")
    data = found.get("data") or {}
    authority = data.get("requestheader-client-ca-file")
    if not authority:
        raise NotFound("the API server has no requestheader-client-ca-file: it cannot aggregate")

    def names(key: str) -> list[str]:
        return [str(each) for each in json.loads(data.get(key) or "[]")]

    return Proxy(
        authority,
        names("requestheader-allowed-names"),
        names("requestheader-username-headers"),
        names("requestheader-group-headers"),
    )


class ObservationsApi:
    """Answers over a store. `clock` gives seconds."""

    def __init__(
        self, kube: Kube, store: Store, proxy: Proxy, *, clock: Callable[[], float]
    ) -> None:
        self._kube = kube
        self._store = store
        self._proxy = proxy
        self._allowed: ExpiringCache[tuple[Person, Right], bool] = ExpiringCache(clock)

    def app(self) -> web.Application:
        app = web.Application(middlewares=[_told])
        base = f"/apis/{GROUP}"
        below = f"{base}/{VERSION}/namespaces/{{namespace}}"
        app.add_routes(
            [
                web.get(base, self._group),
                web.get(f"{base}/{VERSION}", self._resources),
                web.get(f"{below}/trials/{{name}}/metrics", self._trial),
                web.get(f"{below}/trials/{{name}}/output", self._output),
                web.get(f"{below}/experiments/{{name}}/metrics", self._experiment),
            ]
        )
        return app

    # What is served, for whoever explores the API.

    async def _group(self, _request: web.Request) -> web.Response:
        version = {"groupVersion": API_VERSION, "version": VERSION}
        return web.json_response(
            {
                "kind": "APIGroup",
                "apiVersion": "v1",
                "name": GROUP,
                "versions": [version],
                "preferredVersion": version,
            }
        )

    async def _resources(self, _request: web.Request) -> web.Response:
        served = [
            {"name": f"{kind}/metrics", "singularName": "", "namespaced": True}
            | {"kind": "MetricList", "verbs": ["get"]}
            for kind in ("experiments", "trials")
        ]
        output = {"name": "trials/output", "singularName": "", "namespaced": True}
        served.append(output | {"kind": "Output", "verbs": ["get"]})
        return web.json_response(
            {
                "kind": "APIResourceList",
                "apiVersion": "v1",
                "groupVersion": API_VERSION,
                "resources": served,
            }
        )

    # Values.

    async def _trial(self, request: web.Request) -> web.Response:
        namespace, name = await self._permitted(request)
        question = Question.read(request.query)

        def read() -> Document:
            uid, index = self._store.find_trial(name, namespace)
            return _listed(*page(self._store, uid, [self._store.trial(uid, index)], question))

        return web.json_response(await asyncio.to_thread(read))

    async def _experiment(self, request: web.Request) -> web.Response:
        namespace, name = await self._permitted(request)
        question = Question.read(request.query)

        def read() -> Document:
            uid = self._store.experiment(ExperimentKey(namespace, name)).uid
            first = question.after.index if question.after else 0
            return _listed(*page(self._store, uid, _trials(self._store, uid, first), question))

        return web.json_response(await asyncio.to_thread(read))

    async def _output(self, request: web.Request) -> web.Response:
        namespace, name = await self._permitted(request)

        def read() -> Document:
            uid, index = self._store.find_trial(name, namespace)
            attempt = self._store.trial(uid, index).attempt
            number = attempt.attempt if attempt else 1
            kept = self._store.output(uid, index, number, STREAM).decode(errors="replace")
            return {"kind": "Output", "apiVersion": API_VERSION, "output": kept}

        return web.json_response(await asyncio.to_thread(read))

    async def _permitted(self, request: web.Request) -> tuple[str, str]:
        """Return namespace and name that are asked for, if who asks may read trials there."""
        caller = self._proxy.caller(request)
        namespace = request.match_info["namespace"]
        if not await self._may(caller, _READ.within(namespace)):
            raise Forbidden(f"{caller.user} may not get trials in namespace {namespace}")
        return namespace, request.match_info["name"]

    async def _may(self, caller: Person, right: Right) -> bool:
        allowed = self._allowed.get((caller, right))
        if allowed is None:
            review = access_review(caller, right)
            allowed = is_allowed(await self._kube.create(ACCESS_REVIEWS, None, review))
            self._allowed.keep((caller, right), allowed, ALLOWED_SECONDS)
        return allowed


def _trials(store: Store, uid: str, first: int) -> Iterator[TrialRecord]:
    """Yield trials from an index on, read as far as a page goes."""
    while found := store.trials(uid, after=first - 1, limit=_AT_ONCE):
        yield from found
        first = found[-1].index + 1


def _listed(items: Sequence[Mapping[str, Any]], end: Cursor | None) -> Document:
    metadata = {} if end is None else {"continue": str(end)}
    return {"kind": "MetricList", "apiVersion": API_VERSION, "metadata": metadata, "items": items}


@web.middleware
async def _told(request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
    """Answer an error as the API server does."""
    try:
        answer: web.StreamResponse = await handler(request)
    except TunewrightError as error:
        code = error.codes.http
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
        return web.json_response({**status, "message": str(error)}, status=code)
    return answer


async def serve(
    kube: Kube, store: Store, host: str, port: int, *, clock: Callable[[], float]
) -> NoReturn:
    """Serve until cancelled, from when an APIService asks for it."""
    while True:
        try:
            await _serve(kube, store, host, port, clock)
        except (Unsupported, OSError) as error:  # another program has the port, the disk is full
            log.warning("single values are not served now: %s", error)
        except TunewrightError as error:
            log.info("single values are not served now: %s", error)
        await asyncio.sleep(AGAIN_SECONDS)


async def _serve(
    kube: Kube, store: Store, host: str, port: int, clock: Callable[[], float]
) -> None:
    """Serve until cancelled, or until the API server's proxy is known by something else.

    Raises:
        NotFound: no APIService asks for it, or none any more.
    """
    proxy, name = await read_proxy(kube), await host_of(kube)
    app = ObservationsApi(kube, store, proxy, clock=clock).app()
    with certificate(name) as (text, *files):
        async with serving(app, host, port, secured=_secured(proxy, *files)) as found:
            log.info("single values are served on port %d", found)
            while True:
                with contextlib.suppress(Retryable):  # the API server is away: nobody asks
                    await trust(kube, text)  # the APIService may have been made anew
                    if await read_proxy(kube) != proxy:
                        return
                await asyncio.sleep(AGAIN_SECONDS)


def _secured(proxy: Proxy, chain: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    context.load_verify_locations(cadata=proxy.authority)
    context.verify_mode = ssl.CERT_OPTIONAL  # discovery is for everybody
    return context
