"""How an answer is written: strict JSON with an ETag, and nothing where the asker has it."""

import hashlib
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from ...sdk.plain import encoded
from ..board import Board
from ..needs import asker_of
from .models import Problem

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "model": Problem,
        "description": said,
        "content": {"application/problem+json": {}},
    }
    for status, said in (
        (400, "The request cannot be read."),
        (401, "The token is missing or wrong."),
        (403, "The caller may not do this, or the request comes from another site."),
        (404, "Nothing has that name."),
        (409, "It is refused in the current state; the message says why."),
        (422, "The input is wrong; each fault names its field."),
        (500, "It could not be carried out; the message says why."),
        (503, "The store or cluster does not answer; try again later."),
    )
}


def board_of(request: Request) -> Board:
    board: Board = request.app.state.board
    return board.seen_by(asker_of(request))


def answer(request: Request, data: object, status: int = 200) -> Response:
    """Return data as JSON; 304 without a body where the asker's ETag is this one's."""
    return tagged(request, encoded(data), "application/json", status)


def tagged(request: Request, body: bytes, media: str, status: int = 200) -> Response:
    tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    asked = request.headers.get("if-none-match", "").split(",")
    known = {each.strip().removeprefix("W/") for each in asked}  # a proxy that packs weakens it
    if tag in known:
        return Response(status_code=304, headers=headers)
    return Response(body, status, headers, media)
