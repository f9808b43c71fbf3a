"""Putting an operator together, for a process of its own or one with its services."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import time
from dataclasses import replace

from ..controller.kube import admission
from ..controller.kube.archive import Archive
from ..controller.kube.config import Config
from ..controller.kube.figures import Figures
from ..controller.kube.http import answering
from ..controller.kube.lease import Elector
from ..controller.kube.operator import Operator
from ..controller.kube.pod_webhook import PodWebhook
from ..controller.kube.port import Kube
from ..controller.kube.world import OpenSuggester, Parts
from ..controller.ports import WallClock
from . import console
from .alongside import alongside
from .serving import address_of

LEASE = "tunewright-operator"


def parts(kube: Kube, archive: Archive, open_suggester: OpenSuggester, settled: Config) -> Parts:
    return Parts(
        kube=kube,
        archive=archive,
        open_suggester=open_suggester,
        settings=settled.settings(),
        clock=WallClock(),
        chance=random.random,
        namespaces=settled.namespaces or (None,),
        katib_configs=settled.katib_config_namespaces,
        template_namespaces=settled.template_namespaces,
        impersonates=settled.impersonate_trials,
        limits=settled.limits_of,
    )


async def drive(
    parts: Parts, *, http: str, lease_namespace: str | None, webhook_port: int | None
) -> None:
    """Run an operator until this process is told to end.

    Raises:
        Unsupported: nothing can listen at `http`.
    """
    host, port = address_of(http)
    webhook = None if webhook_port is None else PodWebhook(parts.kube)
    parts = replace(parts, pod_webhook=webhook)
    operator = Operator(parts, Figures())
    async with contextlib.AsyncExitStack() as held:
        bound = await held.enter_async_context(answering(operator, host, port))
        console.note(f"operator: http://{host}:{bound}/readyz")
        running = asyncio.ensure_future(operator.run(_elector(parts, lease_namespace)))
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
        if webhook is not None and webhook_port is not None:
            answers = admission.serve(webhook, operator.admission, host, webhook_port)
            await held.enter_async_context(alongside(answers))
        with contextlib.suppress(asyncio.CancelledError):
            await running


def _elector(parts: Parts, namespace: str | None) -> Elector | None:
    if namespace is None:
        return None
    me = f"{socket.gethostname()}-{os.getpid()}"
    return Elector(parts.kube, namespace, LEASE, me, clock=time.monotonic, wall=time.time)
