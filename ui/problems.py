"""Errors as problem documents (RFC 9457), and as pages for people."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from ..api.errors import Fault, Invalid, Retryable, TunewrightError
from .paths import inner_path
from .render import page

MEDIA_TYPE = "application/problem+json"


def install(app: FastAPI) -> None:
    """Turn what this program raises on purpose into answers."""
    app.exception_handler(TunewrightError)(_of_error)
    app.exception_handler(RequestValidationError)(_of_request)
    app.exception_handler(HTTPException)(_of_status)


def problem(
    status: int,
    detail: str,
    faults: list[dict[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem document. `faults` name fields, lines and remedies."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if faults:
        body["faults"] = faults
    # Escaped, since what was sent may hold halves of characters, which no encoding can write.
    return Response(json.dumps(body), status, dict(headers or {}), MEDIA_TYPE)


def written(fault: Fault) -> dict[str, Any]:
    return {
        "path": fault.path,
        "message": fault.message,
        "remedy": fault.remedy,
        "line": fault.line,
    }


async def _of_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, TunewrightError)
    status = error.codes.http
    if is_page(request):
        return page(request, "error.html", status, title=HTTPStatus(status).phrase, detail=error)
    return of_error(error)


def of_error(error: TunewrightError) -> Response:
    faults = [written(each) for each in error.faults] if isinstance(error, Invalid) else None
    headers = {"Retry-After": f"{error.after:.0f}"} if isinstance(error, Retryable) else {}
    return problem(error.codes.http, str(error), faults, headers)


async def _of_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [
        {
            "path": ".".join(str(step) for step in each["loc"]),
            "message": each["msg"],
            "remedy": "",
            "line": None,
        }
        for each in error.errors()
    ]
    if is_page(request):
        title = HTTPStatus(422).phrase
        detail = "; ".join(f"{each['path']}: {each['message']}" for each in faults)
        return page(request, "error.html", 422, title=title, detail=detail)
    return problem(422, "the request does not match the API description", faults)


async def _of_status(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if is_page(request):
        title = HTTPStatus(error.status_code).phrase
        return page(request, "error.html", error.status_code, title=title, detail=error.detail)
    return problem(error.status_code, str(error.detail), headers=error.headers)


def is_page(request: Request) -> bool:
    """Say whether a person asks for a page, who is not to be answered with a document."""
    is_rest = inner_path(request.scope).startswith("/api/")
    return not is_rest and "text/html" in request.headers.get("accept", "")
