"""Several experiments beside each other."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from ...db import listing
from ...sdk import shapes
from ..render import page
from ..rest.experiments import FromBoard

router = APIRouter()
_MOST = 8
"""What colours of a plot can be told apart."""


@router.get("/compare")
def show(
    request: Request, board: FromBoard, names: Annotated[Sequence[str], Query(alias="e")] = ()
) -> Response:
    """Compare those that the query names as `e=namespace/name`."""
    keys = [name.partition("/") for name in dict.fromkeys(names)]
    found = [
        shapes.experiment(board.experiment(namespace, name)) for namespace, _, name in keys[:_MOST]
    ]
    parameters = dict.fromkeys(
        name for each in found if each["best"] for name in each["best"]["parameters"]
    )
    known = [str(record.key) for record in board.find(listing.Query(limit=500)).records]
    return page(
        request,
        "compare.html",
        title="Compare",
        experiments=found,
        parameters=list(parameters),
        known=sorted(known),
        asked=len(keys),
    )
