"""One experiment: what it is doing and why, its best, its plots, its trials."""

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.background import BackgroundTask

from ...api import yaml_source
from ...api.excerpts import objective_of
from ...db.listing import shown_state
from ...sdk import shapes
from ..network import picture_of
from ..render import page
from ..rest.experiments import Found, FromBoard

router = APIRouter()
_EVENTS = 200
_STATIC = Path(__file__).parents[1] / "static"
_MODULES = ("vendor/echarts.js", *sorted(each.name for each in _STATIC.glob("chart*.js")))
"""Scripts that the page's own one needs, told at once: each is named in another one only."""


@router.get("/experiments/{namespace}/{name}")
def show(request: Request, board: FromBoard, record: Found) -> Response:
    objective = objective_of(record.document)
    events = board.source.records.events(record.uid, limit=_EVENTS)
    best = record.best[0] if record.best else None
    response = page(
        request,
        "experiment.html",
        modules=_MODULES,
        title=record.key.name,
        experiment=shapes.experiment(record, objective),
        shown_state=shown_state(record),
        driven=board.source.is_driven(record),
        says=list(board.source.explain(record)),
        network=picture_of(best.proposal.point) if best else None,
        command=board.source.command_line(record, best) if best else "",
        conditions=shapes.conditions(record),
        events=list(reversed(events)),
        document=yaml_source.write(dict(record.document)),
    )
    # The scripts ask for the trials as soon as they are loaded: they are read meanwhile.
    response.background = BackgroundTask(board.table, record)
    return response
