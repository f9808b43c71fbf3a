"""Points for those who run trials themselves, from any machine."""

from dataclasses import asdict

from fastapi import APIRouter, Request
from fastapi.responses import Response

from . import models
from .answers import PROBLEMS, answer
from .experiments import Found, FromBoard

router = APIRouter(
    prefix="/experiments/{namespace}/{name}", tags=["ask and tell"], responses=PROBLEMS
)


@router.post("/ask", response_model=models.Answer)
def ask(request: Request, board: FromBoard, record: Found) -> Response:
    """Give out a point, or say why there is none now; it is told within its lease, or lost."""
    return answer(request, asdict(board.ask(record)))


@router.post("/trials/{index}/tell", response_model=models.Counts)
def tell(
    request: Request, board: FromBoard, record: Found, index: int, told: models.Told
) -> Response:
    """Take what came of a point."""
    return answer(request, {"counts": board.told(record, index, told.token, told.model_dump())})
