"""The admission webhook for pods that other controllers make: what is added to them.

A pod of a trial gets what it would have had from a pod template that we instrumented. Any other
pod, and one whose trial cannot be found, is let through unchanged: its log is read instead.
"""

import asyncio
import base64
import contextlib
import json
import logging
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from aiohttp import web

from ...api.errors import NotFound, Retryable, TunewrightError
from ..brief import brief_of
from . import labels
from .cache import Cache, Key
from .certificates import certificate
from .experiments import experiment_record
from .informers import Informers
from .jobs import attempt_of, injection_of
from .pod_webhook import PodWebhook, segment
from .port import Document, Kube, Resource
from .resources import EXPERIMENTS, TRIALS
from .serving import serving
from .templates import with_template
from .trials import is_ours, page_of, slim_trial
from .workloads.collector import Settings
from .workloads.elsewhere import ELSEWHERE
from .workloads.injection import Injection, instrument_pod

AGAIN_SECONDS = 30.0
"""How often the configuration is looked after, and looked for where it is not installed."""

_LARGEST = 8 << 20  # bytes of a question: the API server takes objects of 3 MiB at most

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Admission:
    """Finds the trial of a pod. `template_namespaces` as in `World`."""

    kube: Kube
    informers: Informers
    settings: Settings
    template_namespaces: Sequence[str] = ()

    async def added(self, kind: str, namespace: str, pod: Document) -> list[dict[str, Any]]:
        """Return what is to be added to a pod of a trial of that kind, as a JSON patch."""
        name = (pod["metadata"].get("labels") or {}).get(ELSEWHERE[kind].label)
        if not name:
            return []
        try:
            injection = await self._injection(kind, Key(namespace, name))
        except NotFound:
            return []
        return [] if injection is None else _patch(pod, instrument_pod(pod, injection))

    async def _injection(self, kind: str, key: Key) -> Injection | None:
        """Return what the pods of a trial get; None where the name is somebody else's.

        A cache may lag behind: what it lacks is asked for, and always the workload, which
        says the attempt.

        Raises:
            NotFound: there is no such trial.
        """
        trial = slim_trial(await self._find(TRIALS, self.informers.trials, key))
        name = (trial["metadata"].get("labels") or {}).get(labels.EXPERIMENT, "")
        found = await self._find(EXPERIMENTS, self.informers.experiments, Key(key.namespace, name))
        if not is_ours(trial, found["metadata"]["uid"]):
            return None
        record, _ = experiment_record(
            await with_template(self.kube, found, self.template_namespaces)
        )
        brief = brief_of(record)
        source = brief.template.source
        if source["kind"] != kind:
            return None
        resource = await self.informers.resource(source["apiVersion"], kind)
        workload = await self.kube.get(resource, *key)
        owners = {each["uid"] for each in workload["metadata"].get("ownerReferences") or ()}
        if trial["metadata"]["uid"] not in owners:
            return None
        page = page_of(trial, brief.objective, brief.problem.space)
        injection = injection_of(record, brief, page.record, self.settings)
        return replace(injection, attempt=attempt_of(workload))

    async def _find(self, resource: Resource, cache: Cache, key: Key) -> Document:
        return cache.get(key) or await self.kube.get(resource, *key)


def _patch(before: Document, after: Document) -> list[dict[str, Any]]:
    return [
        {"op": "add", "path": f"/{part}/{key}", "value": value}
        for part in ("metadata", "spec")
        for key, value in after[part].items()
        if before[part].get(key) != value
    ]


def app(webhook: PodWebhook, admission: Callable[[], Admission | None]) -> web.Application:
    """Answer reviews at the address that the configuration has."""
    kinds = {segment(kind): kind for kind in ELSEWHERE}

    async def review(request: web.Request) -> web.Response:
        kind = kinds.get(request.match_info["kind"])
        if request.match_info["uid"] != webhook.uid or kind is None:
            raise web.HTTPNotFound
        asked = (await request.json())["request"]
        response: dict[str, Any] = {"uid": asked["uid"], "allowed": True}
        patch = await _answer(admission(), kind, asked)
        if patch:
            written = base64.b64encode(json.dumps(patch).encode()).decode()
            response |= {"patchType": "JSONPatch", "patch": written}
        told = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
        return web.json_response({**told, "response": response})

    served = web.Application(client_max_size=_LARGEST)
    served.add_routes([web.post("/{uid}/{kind}", review)])
    return served


async def _answer(admission: Admission | None, kind: str, asked: Document) -> list[dict[str, Any]]:
    if admission is None:
        return []  # the cluster has not been seen yet
    try:
        return await admission.added(kind, asked["namespace"], asked["object"])
    except TunewrightError as error:
        log.warning("a pod of %s comes without a collector: %s", asked["namespace"], error)
    except Exception:
        log.exception("a pod of %s comes without a collector: a bug", asked["namespace"])
    return []


async def serve(
    webhook: PodWebhook, admission: Callable[[], Admission | None], host: str, port: int
) -> NoReturn:
    """Serve until cancelled, from when a configuration asks for it."""
    while True:
        try:
            await _serve(webhook, admission, host, port)
        except (TunewrightError, OSError) as error:
            log.warning("no collector is added to pods of other controllers now: %s", error)
        await asyncio.sleep(AGAIN_SECONDS)


async def _serve(
    webhook: PodWebhook, admission: Callable[[], Admission | None], host: str, port: int
) -> None:
    """Serve until cancelled.

    Raises:
        NotFound: there is no configuration, or no more.
    """
    name = await webhook.host()
    with certificate(name) as (text, chain, key):
        secured = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        secured.load_cert_chain(chain, key)
        async with serving(app(webhook, admission), host, port, secured=secured):
            while True:
                with contextlib.suppress(Retryable):  # the API server is away: nobody asks
                    await webhook.trust(text)
                await asyncio.sleep(AGAIN_SECONDS)
