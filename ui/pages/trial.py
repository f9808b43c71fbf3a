"""One trial: its curves, its parameters beside the best's, its log."""

import yaml
from fastapi import APIRouter, Request
from fastapi.responses import Response

from ...api.compile import objective_of
from ...sdk import shapes
from ...sdk.rendered import manifest_of
from ..render import page
from ..rest.experiments import Found, FromBoard

router = APIRouter()


@router.get("/experiments/{namespace}/{name}/trials/{trial}")
def show(request: Request, board: FromBoard, record: Found, trial: str) -> Response:
    objective = objective_of(record.document)
    found = board.trial(record, trial)
    best = record.best[0] if record.best else None
    manifest = manifest_of(record.document, found.proposal.point, found.name, record.key.namespace)
    events = board.source.records.events(record.uid, limit=1000)
    return page(
        request,
        "trial.html",
        title=f"Trial {found.index} of {record.key.name}",
        experiment=shapes.experiment(record, objective),
        trial=shapes.trial(found, objective),
        best=None if best is None else shapes.trial(best, objective),
        command=board.source.command_line(record, found),
        attempts=board.source.records.attempts(record.uid, found.index),
        events=[each for each in reversed(events) if each.index == found.index],
        manifest=yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True),
    )
