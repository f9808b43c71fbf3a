"""The table of experiments."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from ...db.records import ExperimentRecord
from ...sdk import shapes
from ..board import Board
from ..render import page
from ..rest.experiments import FromBoard, Order, matching, shown_state

router = APIRouter()
_PAGE = 50
STATES = ("Created", "Running", "Paused", "Succeeded", "Failed")


@router.get("/")
def show(
    request: Request,
    board: FromBoard,
    search: str = "",
    state: str = "",
    order: Order = Order.NEWEST,
    number: Annotated[int, Query(alias="page", ge=1)] = 1,
) -> Response:
    found = matching(board, search, state or None, order)
    last = max(1, -(-len(found) // _PAGE))
    number = min(number, last)
    shown = found[(number - 1) * _PAGE : number * _PAGE]
    return page(
        request,
        "experiments.html",
        title="Experiments",
        rows=[_row(board, record) for record in shown],
        search=search,
        state=state,
        order=order,
        orders=list(Order),
        states=STATES,
        page=number,
        last=last,
        total=len(found),
        any=bool(found or search or state),
    )


def _row(board: Board, record: ExperimentRecord) -> dict[str, Any]:
    record = board.experiment(record.key.namespace, record.key.name)
    return {
        **shapes.experiment(record),
        "shown_state": shown_state(record),
        "driven": record.state.is_finished or board.source.is_driven(record),
    }
