"""The algorithms and early-stopping rules: what each is, and its settings."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from ...sdk.algorithms import every_algorithm, every_rule
from ..render import page

router = APIRouter()


@router.get("/algorithms")
def show(request: Request) -> Response:
    return page(
        request,
        "algorithms.html",
        title="Algorithms",
        algorithms=every_algorithm(),
        rules=every_rule(),
    )
