"""One experiment: what it is doing and why, its best, its plots, its trials."""

import yaml
from fastapi import APIRouter, Request
from fastapi.responses import Response

from ...api.compile import objective_of
from ...db.listing import shown_state
from ...sdk import shapes
from ..network import picture_of
from ..render import page
from ..rest.experiments import Found, FromBoard

router = APIRouter()
_EVENTS = 200


@router.get("/experiments/{namespace}/{name}")
def show(request: Request, board: FromBoard, record: Found) -> Response:
    objective = objective_of(record.document)
    events = board.source.records.events(record.uid, limit=_EVENTS)
    best = record.best[0] if record.best else None
    return page(
        request,
        "experiment.html",
        title=record.key.name,
        experiment=shapes.experiment(record, objective),
        shown_state=shown_state(record),
        driven=board.source.is_driven(record),
        says=list(board.source.explain(record)),
        network=picture_of(best.proposal.point) if best else None,
        command=board.source.command_line(record, best) if best else "",
        conditions=shapes.conditions(record),
        events=list(reversed(events)),
        document=yaml.safe_dump(dict(record.document), sort_keys=False, allow_unicode=True),
    )
