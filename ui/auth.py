"""The door: who asks is known before anything is answered, and foreign pages are sent away.

A browser keeps its token in a cookie that no script can read, programs send it as a bearer
token, and a proxy that is believed names the user itself. A page of elsewhere can use none of
them: a name that is not this server's is refused (so that a foreign name that resolves to this
machine shows nothing), and so is whatever changes something and comes from another origin.
"""

from urllib.parse import parse_qsl, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ..api.errors import TunewrightError
from .access import Access, Asker
from .paths import base_of, inner_path
from .problems import is_page, of_error, problem
from .render import rendered

_SAFE = {"GET", "HEAD", "OPTIONS"}
_FORM = "application/x-www-form-urlencoded"
_LONGEST = 1 << 14  # bytes of a form with a token


class Guard:
    """Middleware around everything, the styles of the entry page excepted."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access
        self._door = access.door
        self._headers = _headers(framed=access.door.framed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            instead = await self._answer(Request(scope, receive))
        except TunewrightError as error:
            instead = of_error(error)
        if instead is not None:
            instead.headers.update(self._headers)
            await instead(scope, receive, send)
            return

        async def sending(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                raw = [(k.lower().encode(), v.encode()) for k, v in self._headers.items()]
                message["headers"] = [*message["headers"], *raw]  # type: ignore[misc]  # ASGI's is a list
            await send(message)

        await self._app(scope, receive, sending)  # type: ignore[arg-type]  # messages are dicts here

    async def _answer(self, request: Request) -> Response | None:
        """Return what is answered in place of the page; None to let the request pass."""
        path, base = request.scope["path"], base_of(request.scope)
        if inner_path(request.scope) == "/healthz":
            return PlainTextResponse("ok\n")
        host = request.headers.get("host", "").lower()
        if self._door.hosts is not None and host not in self._door.hosts:
            said = f"this server is not called {host or 'nothing'} (--allow-host names more)"
            return problem(421, said)
        if base and path == base:
            return RedirectResponse(f"{base}/")
        if inner_path(request.scope).startswith("/static/"):
            return None
        return await self._identify(request, host)

    async def _identify(self, request: Request, host: str) -> Response | None:
        """Find out who asks; return what strangers are answered, None for those who are known."""
        bearer = _bearer(request.headers)
        if request.method not in _SAFE and bearer is None and not _is_own(request.headers, host):
            return problem(403, "the request comes from another site")
        asker = await run_in_threadpool(self._asker, request.headers, bearer)
        if asker is None:
            return await self._entry(request)
        request.state.asker = asker
        return None

    def _asker(self, headers: Headers, bearer: str | None) -> Asker | None:
        introduced = self._access.introduced(headers)
        token = bearer or _cookie(headers, self._door.cookie)
        return introduced or (self._access.holder(token) if token else None)

    async def _entry(self, request: Request) -> Response:
        """Let in those who bring a token, and ask the others for one."""
        query = dict(parse_qsl(request.url.query))
        if request.method == "GET" and self._door.in_address:
            token = query.pop("token", "")
        elif request.headers.get("content-type") == _FORM and is_page(request):
            token = await _sent(request)
        else:
            token = ""
        holder = await run_in_threadpool(self._access.holder, token) if token else None
        if holder is not None:
            return self._entered(request, token, urlencode(query))
        if is_page(request):
            shown = {"base": base_of(request.scope), "hint": self._door.hint, "wrong": token != ""}
            return HTMLResponse(rendered("entry.html", **shown), 401)
        response = problem(401, "the token is missing or wrong: Authorization: Bearer TOKEN")
        response.headers["WWW-Authenticate"] = "Bearer"
        return response

    def _entered(self, request: Request, token: str, query: str) -> Response:
        """Show what was asked for, now that a browser has its cookie."""
        place = f"{base_of(request.scope)}/{inner_path(request.scope).lstrip('/')}"
        entered = RedirectResponse(f"{place}?{query}" if query else place, 303)
        secure = "https" in {request.url.scheme, request.headers.get("x-forwarded-proto")}
        entered.set_cookie(
            *(self._door.cookie, token),
            httponly=True,
            samesite="lax",
            path=base_of(request.scope) + "/",
            secure=secure,
        )
        return entered


def _headers(*, framed: bool) -> dict[str, str]:
    ancestors = "'self'" if framed else "'none'"
    return {
        "Content-Security-Policy": (
            "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
            "object-src 'none'; base-uri 'none'; form-action 'self'; "
            f"frame-ancestors {ancestors}"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }


async def _sent(request: Request) -> str:
    """Return the token that a form holds."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST:
            return ""
    return dict(parse_qsl(body.decode("latin-1"))).get("token", "")


def _bearer(headers: Headers) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def _is_own(headers: Headers, host: str) -> bool:
    """Say whether a browser sent it from a page of this server; a program says nothing of it.

    What a browser says itself holds also where a proxy calls us by another name than it does.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2].lower() == host


def _cookie(headers: Headers, name: str) -> str | None:
    """Return a cookie. Those beside it are other programs', for cookies know no ports.

    The standard library's parser finds none where one of them is not as it should be.
    """
    return cookie_parser(headers.get("cookie", "")).get(name)
