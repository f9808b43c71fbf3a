"""Who calls the metrics service on a cluster: pods, known by token or by address.

A collector shows a token of its pod, which the API server reviews. A caller without a
token, as Katib's own clients are, is taken for the pod that has its address. Either way
the pod's label says for which trial it may report. A caller that is neither is nobody.

TokenReviews are no namespaced resource, so a service that serves some namespaces only may not
create them. There every caller is known by address, the operator by the address of its pods.
"""

import asyncio
import base64
import contextlib
import hashlib
import ipaddress
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import TimeoutError as TookTooLong
from typing import Any
from urllib.parse import unquote

from ...api.errors import NotFound, ServerUnavailable
from ...db.authority import Caller
from . import labels
from .cache import Cache, Key
from .port import Document, Kube, Selection, name_of, namespace_of
from .reflector import Reflector
from .resources import PODS
from .review import TOKEN_REVIEWS, ExpiringCache, token_review
from .workloads.collector import AUDIENCE
from .workloads.pods import OVER

_POD = "authentication.kubernetes.io/pod-name"
_POD_UID = "authentication.kubernetes.io/pod-uid"
_ACCOUNT = "system:serviceaccount:"
_BY_ADDRESS = "address"

TOKEN_SECONDS = 120.0
"""How long a reviewed token is believed at most; its pod may be deleted meanwhile."""

REFUSED_SECONDS = 5.0
"""How long nobody stays nobody, unless it is seen as a trial's pod meanwhile: whoever calls again
and again asks nothing of the API server with each call."""

_MOST_REFUSED = 1_000
_PATIENCE = 20.0


class PodAuthority:
    """Implements `db.authority.Authority`, from other threads than its event loop's.

    `operator` is the user name of the operator's service account. `namespaces` are those of
    trials, empty for all. With `is_open` whoever is nobody may report and read all the same.
    `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        kube: Kube,
        operator: str,
        *,
        namespaces: Sequence[str] = (),
        is_open: bool = False,
        clock: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        """Take the running event loop as the one that `caller` waits for."""
        self._loop = asyncio.get_running_loop()
        self._kube = kube
        self._operator = operator
        self._is_open = is_open
        self._clock = clock
        self._pods = Cache(_little, {_BY_ADDRESS: _addresses})
        self._reviews = not namespaces
        self._selections = _selections(namespaces, operator)
        self._reflectors = [
            Reflector(kube, each, self._pods, lambda _before, _after: None, chance=chance)
            for each in self._selections
        ]
        self._believed: ExpiringCache[bytes, Caller] = ExpiringCache(clock)
        self._refused: ExpiringCache[bytes | str, Caller] = ExpiringCache(clock, _MOST_REFUSED)

    async def run(self) -> None:
        """Follow the pods of trials until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for each in self._reflectors:
                tasks.create_task(each.run())

    def caller(self, peer: str, token: str | None) -> Caller:
        if token is None or not self._reviews:
            return self._ask(self._by_address(_address(peer) or peer))
        digest = hashlib.sha256(token.encode()).digest()
        known = self._believed.get(digest) or self._refused.get(digest)
        return known or self._ask(self._by_token(token, digest))

    def _ask(self, question: Coroutine[Any, Any, Caller]) -> Caller:
        answer = asyncio.run_coroutine_threadsafe(question, self._loop)
        try:
            return answer.result(_PATIENCE)
        except TookTooLong:
            answer.cancel()
            raise ServerUnavailable("the API server does not say who calls") from None

    async def _by_token(self, token: str, digest: bytes) -> Caller:
        caller = await self._reviewed(token)
        if caller.namespace or caller.operates:
            left = _expiry(token) - self._clock()
            self._believed.keep(digest, caller, min(TOKEN_SECONDS, left))
        else:
            self._refused.keep(digest, caller, REFUSED_SECONDS)
        return caller

    async def _reviewed(self, token: str) -> Caller:
        review = await self._kube.create(TOKEN_REVIEWS, None, token_review(token, [AUDIENCE]))
        status = review.get("status") or {}
        if not status.get("authenticated") or AUDIENCE not in (status.get("audiences") or ()):
            why = status.get("error") or "it is not for this service"
            return self._nobody(f"a caller whose token is not valid ({why})")
        user = status["user"]
        return await self._named(user["username"], user.get("extra") or {})

    async def _named(self, user: str, extra: Mapping[str, Any]) -> Caller:
        """Return the operator, or the pod to which a token is bound."""
        if user == self._operator:
            return Caller(user, operates=True)
        (pod,), (uid,) = extra.get(_POD) or [""], extra.get(_POD_UID) or [""]
        if not user.startswith(_ACCOUNT) or not pod:
            return self._nobody(user)
        key = Key(user.removeprefix(_ACCOUNT).partition(":")[0], pod)
        found = self._pods.get(key)
        if found is None or found["metadata"]["uid"] != uid:
            # What is followed may not have come yet, where another had the name before.
            with contextlib.suppress(NotFound):
                found = _little(await self._kube.get(PODS, key.namespace, key.name))
        if found is None or found["metadata"]["uid"] != uid:
            return self._nobody(f"pod {key.namespace}/{key.name}, which is gone")
        return self._pod(found)

    async def _by_address(self, address: str) -> Caller:
        """Return the pod that has an address. A node's own is that of several, and says nothing."""
        found = self._pods.under(_BY_ADDRESS, Key("", address))
        if not found and (refused := self._refused.get(address)):
            return refused
        if not found and _is_address(address):
            found = await self._at(address)
        if len(found) != 1:
            nobody = self._nobody(f"{address}, which is no pod's address,")
            self._refused.keep(address, nobody, REFUSED_SECONDS)
            return nobody
        if not self._reviews and found[0]["account"] == self._operator:
            return Caller(self._operator, operates=True)
        return self._pod(found[0])

    async def _at(self, address: str) -> list[Document]:
        """Ask which pods have an address now."""
        fields = f"status.podIP={address}"
        listings = [
            await self._kube.list(Selection(PODS, each.namespace, fields=fields))
            for each in self._selections
        ]
        pods = (_little(pod) for listing in listings for pod in listing.documents)
        return [pod for pod in pods if list(_addresses(pod))]

    def _pod(self, pod: Document) -> Caller:
        namespace, name = namespace_of(pod), name_of(pod)
        trial = pod["metadata"]["labels"].get(labels.TRIAL, "")
        return Caller(f"pod {namespace}/{name}", namespace, trial, everywhere=self._is_open)

    def _nobody(self, name: str) -> Caller:
        return Caller(name, everywhere=self._is_open)


def _selections(namespaces: Sequence[str], operator: str) -> Sequence[Selection]:
    """Return which pods are followed: those of trials, and the operator's where it is known by."""
    if not namespaces:
        return (Selection(PODS, labels=labels.TRIAL),)
    own = operator.removeprefix(_ACCOUNT).partition(":")[0]
    found = {each: Selection(PODS, each, labels.TRIAL) for each in namespaces}
    return tuple((found | ({own: Selection(PODS, own)} if own else {})).values())


def _little(pod: Document) -> Document:
    """Keep of a pod what tells who it is."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    kept = {name: metadata.get(name) for name in ("name", "namespace", "uid", "resourceVersion")}
    trial = (metadata.get("labels") or {}).get(labels.TRIAL)
    spec = pod.get("spec") or {}
    addresses = [each["ip"] for each in status.get("podIPs") or ()]
    # A pod that is over has given its address back; one on its node's network never had one.
    if status.get("phase") in OVER or spec.get("hostNetwork"):
        addresses = []
    kept["labels"] = {labels.TRIAL: trial} if trial else {}
    account = f"{_ACCOUNT}{namespace_of(pod)}:{spec.get('serviceAccountName')}"
    return {"metadata": kept, "addresses": addresses, "account": account}


def _addresses(pod: Document) -> list[Key]:
    return [Key("", address) for address in pod["addresses"]]


def _address(peer: str) -> str | None:
    """Read gRPC's name of a peer: `ipv4:10.0.0.7:40312`, `ipv6:%5B::1%5D:40312`."""
    kind, _, rest = unquote(peer).partition(":")
    if kind not in {"ipv4", "ipv6"}:
        return None
    address = ipaddress.ip_address(rest.rpartition(":")[0].strip("[]").partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _expiry(token: str) -> float:
    """Return when a token that was found valid ends, by its own claim; 0 where it has none."""
    parts = token.split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return float(claims["exp"])
    except (IndexError, KeyError, ValueError, TypeError):
        return 0.0
