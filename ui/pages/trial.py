"""One trial: its curves, its parameters beside the best's, its log."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from ...api import yaml_source
from ...api.asked import is_asked
from ...api.excerpts import objective_of
from ...db.records import ExperimentRecord, TrialRecord
from ...sdk import shapes
from ...sdk.rendered import manifest_of
from ..network import picture_of
from ..render import page, rendered
from ..rest.experiments import Found, FromBoard

router = APIRouter()


@router.get("/experiments/{namespace}/{name}/trials/{trial}")
def show(request: Request, board: FromBoard, record: Found, trial: str) -> Response:
    objective = objective_of(record.document)
    found = board.trial(record, trial)
    best = record.best[0] if record.best else None
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
        manifest=_manifest(record, found),
        network=picture_of(found.proposal.point),
    )


@router.get("/experiments/{namespace}/{name}/trials/{trial}/network")
def show_network(board: FromBoard, record: Found, trial: str) -> Response:
    """Return a part of a page: the network that a trial trains; nothing where it is none."""
    network = picture_of(board.trial(record, trial).proposal.point)
    return HTMLResponse(rendered("network.html", network=network) if network else "")


def _manifest(record: ExperimentRecord, trial: TrialRecord) -> str:
    """Return what was run, as YAML; "" where a person ran it."""
    if is_asked(record.document):
        return ""
    point = trial.proposal.point
    manifest = manifest_of(record.document, point, trial.name, record.key.namespace)
    return yaml_source.write(manifest)
