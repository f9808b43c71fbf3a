"""The algorithms and early-stopping rules that are installed."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from ...sdk.algorithms import every_algorithm, every_rule
from . import models
from .answers import PROBLEMS, answer

router = APIRouter(tags=["algorithms"], responses=PROBLEMS)


@router.get("/algorithms", response_model=list[models.Algorithm])
def list_algorithms(request: Request) -> Response:
    """List the algorithms with their settings."""
    return answer(request, every_algorithm())


@router.get("/early-stopping", response_model=list[models.Algorithm])
def list_rules(request: Request) -> Response:
    """List the early-stopping rules with their settings."""
    return answer(request, every_rule())
