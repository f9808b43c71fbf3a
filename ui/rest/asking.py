"""Ask and tell: experiments whose trials people run themselves, from whatever machine."""

from dataclasses import asdict

from fastapi import APIRouter, Request
from fastapi.responses import Response

from . import models
from .answers import PROBLEMS, answer
from .experiments import Found, FromBoard

router = APIRouter(tags=["ask and tell"], responses=PROBLEMS)


@router.post("/experiments/{namespace}/{name}/ask", response_model=models.Answer)
def ask(request: Request, board: FromBoard, record: Found) -> Response:
    """Give a point out, or say why there is none now; it does not wait for one."""
    found = board.ask(record)
    point = None if found.point is None else asdict(found.point)
    return answer(request, {"point": point, "over": found.over, "why": list(found.why)})


@router.post("/experiments/{namespace}/{name}/tell", response_model=models.Told)
def tell(request: Request, board: FromBoard, record: Found, told: models.Telling) -> Response:
    """Take what came of a point: metrics, or why it failed. Telling twice is telling once."""
    metrics = {name: float(value) for name, value in told.metrics.items()}
    counts = board.tell(record, told.index, told.token, metrics, told.failed)
    return answer(request, {"counts": counts})
