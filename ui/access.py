"""Ways to know who asks: by the token of a page that is one person's, or as a user of a cluster."""

import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from starlette.datastructures import Headers

from ..api.errors import Forbidden
from ..controller.kube.port import Document, Resource
from ..controller.kube.review import (
    ACCESS_REVIEWS,
    TOKEN_REVIEWS,
    ExpiringCache,
    Person,
    Right,
    access_review,
    is_allowed,
    person_of,
    token_review,
)

ALLOWED_SECONDS = 10.0
"""How long an answer to what a user may is believed."""
TOKEN_SECONDS = 30.0
"""How long an answer to whose a token is is believed."""
REFUSED_SECONDS = 5.0
"""How long a token stays nobody's: a page that is open goes on asking with one that has ended."""


class Asker(Protocol):
    def may(self, right: Right) -> bool: ...

    def check(self, right: Right) -> None:
        """Refuse what the asker may not.

        Raises:
            Forbidden: with who, what and where.
        """
        ...


@dataclass(frozen=True, slots=True)
class Door:
    """How a browser reaches the page, and where its token is.

    `cookie` is the name of the cookie that keeps the token; `hint` tells a person where to get
    one. `hosts` are the values of the Host header that are answered; None: any. With
    `in_address` a token may stand in the URL. With `framed` another page of the same origin
    may show this one in a frame.
    """

    cookie: str
    hint: str
    hosts: frozenset[str] | None = None
    in_address: bool = False
    framed: bool = False


class Access(Protocol):
    @property
    def door(self) -> Door: ...

    def introduced(self, headers: Headers) -> Asker | None:
        """Return the user that a trusted proxy names in a header; None without one."""
        ...

    def holder(self, token: str) -> Asker | None:
        """Return whose a token is; None where it is nobody's."""
        ...


class Owner:
    """The holder of a personal page's token, who may do all that its owner may."""

    def may(self, right: Right) -> bool:
        del right
        return True

    def check(self, right: Right) -> None:
        """Refuse nothing."""


OWNER = Owner()


@dataclass(frozen=True, slots=True)
class TokenAccess:
    """One token, for a page of this machine."""

    token: str
    door: Door

    @classmethod
    def of(cls, token: str, names: Iterable[str], port: int) -> "TokenAccess":
        """Allow names on a port. Cookies know no ports, so that each server needs its own."""
        hosts = {f"{name}:{port}" for name in names} | {name for name in names if port == 80}
        hint = "The address that <code>tunewright ui</code> printed contains one."
        return cls(token, Door(f"tunewright-{port}", hint, frozenset(hosts), in_address=True))

    def introduced(self, headers: Headers) -> Asker | None:
        del headers
        return None

    def holder(self, token: str) -> Asker | None:
        return OWNER if hmac.compare_digest(token.encode(), self.token.encode()) else None


@dataclass(frozen=True, slots=True)
class Proxy:
    """A trusted proxy: the header in which it names the user, a prefix to cut off, the groups.

    It must be the only one who can reach the page: anybody else could name any user.
    """

    user: str
    prefix: str = ""
    groups: str | None = None

    def person(self, headers: Headers) -> Person | None:
        user = headers.get(self.user, "").removeprefix(self.prefix).strip()
        listed = ",".join(headers.getlist(self.groups)) if self.groups else ""
        groups = tuple(name.strip() for name in listed.split(",") if name.strip())
        return Person(user, groups) if user else None


Ask = Callable[[Resource, None, Document], Document]
"""Creates a review, and returns it with its answer."""


class UserAccess:
    """Users of a cluster: named by a proxy, or holders of a token of the API server."""

    door = Door(
        cookie="tunewright-page",
        hint="Any token of the cluster will do: <code>kubectl create token ACCOUNT</code>.",
        framed=True,
    )

    def __init__(self, ask: Ask, proxy: Proxy | None, clock: Callable[[], float]) -> None:
        self._ask = ask
        self._proxy = proxy
        self._allowed: ExpiringCache[tuple[Person, Right], bool] = ExpiringCache(clock)
        self._holders: ExpiringCache[bytes, Person] = ExpiringCache(clock)
        self._refused: ExpiringCache[bytes, bool] = ExpiringCache(clock, most=1_000)

    def introduced(self, headers: Headers) -> Asker | None:
        person = self._proxy.person(headers) if self._proxy else None
        return None if person is None else User(self, person)

    def holder(self, token: str) -> Asker | None:
        digest = hashlib.sha256(token.encode()).digest()
        person = self._holders.get(digest)
        if person is None and not self._refused.get(digest):
            person = person_of(self._ask(TOKEN_REVIEWS, None, token_review(token)))
            if person is None:
                self._refused.keep(digest, value=True, seconds=REFUSED_SECONDS)
            else:
                self._holders.keep(digest, person, TOKEN_SECONDS)
        return None if person is None else User(self, person)

    def may(self, person: Person, right: Right) -> bool:
        allowed = self._allowed.get((person, right))
        if allowed is None:
            allowed = is_allowed(self._ask(ACCESS_REVIEWS, None, access_review(person, right)))
            self._allowed.keep((person, right), allowed, ALLOWED_SECONDS)
        return allowed


@dataclass(frozen=True, slots=True)
class User:
    access: UserAccess
    person: Person

    def may(self, right: Right) -> bool:
        return self.access.may(self.person, right)

    def check(self, right: Right) -> None:
        if not self.may(right):
            raise Forbidden(f"{self.person.user} may not {right}")
