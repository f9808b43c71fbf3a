"""The search algorithms that are installed."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from ...sdk.algorithms import every_algorithm
from . import models
from .answers import PROBLEMS, answer

router = APIRouter(tags=["algorithms"], responses=PROBLEMS)


@router.get("/algorithms", response_model=list[models.Algorithm])
def list_algorithms(request: Request) -> Response:
    """List the algorithms with their settings."""
    return answer(request, every_algorithm())
