"""Who may ask: those who have the token, of this server by its own name, from its own pages.

A browser is given the token once, in the URL that the command prints, and keeps it in a
cookie that no script can read. Programs send it as a bearer token. A page of elsewhere can
use neither: a name that is not this server's is refused (so that a foreign name that
resolves to this machine shows nothing), and so is whatever changes something and comes
from another origin.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from .problems import problem
from .render import rendered

_SAFE = {"GET", "HEAD", "OPTIONS"}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class Access:
    """`hosts` are the names, with ports, by which the server may be called."""

    token: str
    hosts: frozenset[str]
    cookie: str

    @classmethod
    def of(cls, token: str, names: Iterable[str], port: int) -> "Access":
        """Allow names on a port. Cookies know no ports, so that each server needs its own."""
        hosts = {f"{name}:{port}" for name in names} | {name for name in names if port == 80}
        return cls(token, frozenset(hosts), f"tunewright-{port}")

    def knows(self, token: str | None) -> bool:
        return token is not None and hmac.compare_digest(token.encode(), self.token.encode())


class Guard:
    """Middleware around everything, the styles of the entry page excepted."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            refusal.headers.update(_HEADERS)
            await refusal(scope, receive, send)
            return

        async def sending(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                raw = [(k.lower().encode(), v.encode()) for k, v in _HEADERS.items()]
                message["headers"] = [*message["headers"], *raw]  # type: ignore[misc]  # ASGI's is a list
            await send(message)

        await self._app(scope, receive, sending)  # type: ignore[arg-type]  # messages are dicts here

    def _refusal(self, scope: Scope) -> Response | None:
        """Return what is answered instead, None for those who may."""
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        if host not in self._access.hosts:
            said = f"this server is not called {host or 'nothing'} (--allow-host names more)"
            return problem(421, said)
        if scope["path"].startswith("/static/"):
            return None
        if self._is_bearer(headers):
            return None
        if scope["method"] not in _SAFE and not _is_own(headers, host):
            return problem(403, "the request comes from a page of elsewhere")
        if self._access.knows(_cookie(headers, self._access.cookie)):
            return None
        return self._entry(scope, headers)

    def _is_bearer(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self._access.knows(token.strip())

    def _entry(self, scope: Scope, headers: Headers) -> Response:
        """Let in those who bring the token in the URL, and ask the others for it."""
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        if scope["method"] == "GET" and self._access.knows(query.pop("token", None)):
            rest = f"?{urlencode(query)}" if query else ""
            entered = RedirectResponse("/" + scope["path"].lstrip("/") + rest, 303)
            entered.set_cookie(
                self._access.cookie, self._access.token, httponly=True, samesite="lax", path="/"
            )
            return entered
        if "text/html" in headers.get("accept", "") and not scope["path"].startswith("/api/"):
            return HTMLResponse(rendered("entry.html"), 401)
        response = problem(401, "the token is missing or wrong: Authorization: Bearer TOKEN")
        response.headers["WWW-Authenticate"] = "Bearer"
        return response


def _is_own(headers: Headers, host: str) -> bool:
    """Say whether a browser sent it from a page of this server; a program sends no Origin."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "same-origin") in {"same-origin", "none"}
    return origin.partition("://")[2].lower() == host


def _cookie(headers: Headers, name: str) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return None
    return found.value if found else None
