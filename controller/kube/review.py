"""Who somebody is, and what they may: the API server's reviews, asked and read.

Whoever asks sends the document in its own way, and believes the answer for a while.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Generic, TypeVar

from .port import Document, Resource

ACCESS_REVIEWS = Resource("authorization.k8s.io", "v1", "subjectaccessreviews")
TOKEN_REVIEWS = Resource("authentication.k8s.io", "v1", "tokenreviews")

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Person:
    user: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Right:
    """A verb on a resource, which may have a subresource (`pods/log`); "" is every namespace."""

    verb: str
    resource: str
    group: str = "kubeflow.org"
    namespace: str = ""

    def __str__(self) -> str:
        what = f"{self.resource}.{self.group}" if self.group else self.resource
        where = f"in namespace {self.namespace}" if self.namespace else "in all namespaces"
        return f"{self.verb} {what} {where}"

    def within(self, namespace: str) -> "Right":
        return replace(self, namespace=namespace)


def access_review(person: Person, right: Right) -> Document:
    """Ask whether a person has a right."""
    resource, _, subresource = right.resource.partition("/")
    attributes = {
        "verb": right.verb,
        "group": right.group,
        "resource": resource,
        "subresource": subresource,
        "namespace": right.namespace,
    }
    return {
        "apiVersion": ACCESS_REVIEWS.api_version,
        "kind": "SubjectAccessReview",
        "spec": {
            "user": person.user,
            "groups": list(person.groups),
            "resourceAttributes": attributes,
        },
    }


def is_allowed(review: Document) -> bool:
    return bool((review.get("status") or {}).get("allowed"))


def token_review(token: str, audiences: Sequence[str] = ()) -> Document:
    """Ask whose a token is; without an audience, a token for the API server itself."""
    return {
        "apiVersion": TOKEN_REVIEWS.api_version,
        "kind": "TokenReview",
        "spec": {"token": token} | ({"audiences": list(audiences)} if audiences else {}),
    }


def person_of(review: Document) -> Person | None:
    """Return whose the token is; None where it is nobody's."""
    status = review.get("status") or {}
    if not status.get("authenticated"):
        return None
    user = status["user"]
    return Person(user["username"], tuple(user.get("groups") or ()))


class ExpiringCache(Generic[_Key, _Value]):
    """Answers that are believed for a while, the `most` latest. `clock` gives seconds.

    Several threads may use it.
    """

    def __init__(self, clock: Callable[[], float], most: int = 10_000) -> None:
        self._clock = clock
        self._most = most
        self._known: dict[_Key, tuple[float, _Value]] = {}  # those that were kept first, first
        self._lock = threading.Lock()

    def get(self, key: _Key) -> _Value | None:
        until, value = self._known.get(key, (0.0, None))
        return value if until > self._clock() else None

    def keep(self, key: _Key, value: _Value, seconds: float) -> None:
        """Keep an answer for so many seconds, and forget of the oldest two what is over."""
        now = self._clock()
        with self._lock:
            self._known.pop(key, None)
            for old, (until, _) in [*islice(self._known.items(), 2)]:
                if until <= now or len(self._known) >= self._most:
                    del self._known[old]
            self._known[key] = (now + seconds, value)
