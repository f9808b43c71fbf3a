"""Experiments: looking, beginning, changing."""

import shlex
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response, StreamingResponse

from ...api import yaml_source
from ...api.errors import Fault, Forbidden, Invalid
from ...api.identity import ExperimentKey
from ...api.remarks import wanted_labels
from ...db import listing
from ...db.listing import Order
from ...db.records import ExperimentRecord
from ...sdk import shapes
from ...sdk.flags import Wanted, document
from ..access import OWNER
from ..board import Board
from ..live import Live
from ..needs import asker_of, permitted
from ..paths import base_of
from ..problems import written
from . import models
from .answers import PROBLEMS, answer, board_of, tagged

router = APIRouter(tags=["experiments"], responses=PROBLEMS)
FromBoard = Annotated[Board, Depends(board_of)]


def record_of(namespace: str, name: str, board: FromBoard) -> ExperimentRecord:
    return board.experiment(namespace, name)


Found = Annotated[ExperimentRecord, Depends(record_of)]


@router.get("/experiments", response_model=models.Experiments)
def list_experiments(
    request: Request,
    board: FromBoard,
    search: str = "",
    state: str | None = None,
    label: str = "",
    order: Order = Order.NEWEST,
    offset: Annotated[int, Query(ge=0, lt=2**31)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Response:
    """List experiments, a page at a time; `label` is `name=value,…`, or a name with any value."""
    found = board.find(
        listing.Query(
            search=search,
            state=state or None,
            labels=wanted_labels(label),
            order=order,
            offset=offset,
            limit=limit,
        )
    )
    items = [shapes.experiment(record) for record in found.records]
    return answer(request, {"items": items, "total": found.total, "offset": offset})


@router.get(
    "/experiments/live",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def live_list(request: Request) -> StreamingResponse:
    """Tell which experiments change, begin and go, as server-sent events."""
    return _events(request, None)


@router.post("/experiments", response_model=models.Begun, status_code=201)
def begin(request: Request, board: FromBoard, new: models.NewExperiment) -> Response:
    """Begin an experiment; it is driven by an engine of its own."""
    key = board.begin(new.text, new.workdir)
    response = answer(request, {"namespace": key.namespace, "name": key.name}, 201)
    place = f"/api/v1/experiments/{key.namespace}/{key.name}"
    response.headers["Location"] = base_of(request.scope) + place
    return response


@router.post("/validate", response_model=models.Verdict)
def validate(request: Request, board: FromBoard, new: models.Text) -> Response:
    """Say everything that is wrong with a file, with lines and remedies."""
    try:
        bundle = board.check(new.text)
    except Invalid as error:
        faults = [written(fault) for fault in error.faults]
        return answer(request, {"valid": False, "experiments": [], "faults": faults})
    names = [each.metadata.name or each.metadata.generate_name for each in bundle.experiments]
    return answer(request, {"valid": True, "experiments": names, "faults": []})


@router.post("/draft", response_model=models.Text)
def draft(request: Request, short: models.Draft) -> Response:
    """Write the file of an Experiment that is told in short; nothing is begun."""
    wanted = Wanted(
        params=short.parameters,
        command=_words(short.command),
        name=short.name,
        trials=short.trials,
        parallel=short.parallel,
        minimize=short.metric if short.type == "minimize" else None,
        maximize=short.metric if short.type == "maximize" else None,
    )
    return answer(request, {"text": yaml_source.write(document(wanted))})


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise Invalid([Fault("command", str(error), "close every quote")]) from None


@router.get("/experiments/{namespace}/{name}", response_model=models.Experiment)
def get_experiment(request: Request, record: Found) -> Response:
    """Return an experiment as it is now."""
    return answer(request, shapes.experiment(record))


@router.get("/experiments/{namespace}/{name}/yaml", response_class=Response)
def get_yaml(request: Request, record: Found) -> Response:
    """Return its document, defaults written."""
    text = yaml_source.write(dict(record.document))
    return tagged(request, text.encode(), "application/yaml")


@router.get("/experiments/{namespace}/{name}/explain", response_model=list[str])
def explain(request: Request, board: FromBoard, record: Found) -> Response:
    """Say why it is where it is."""
    return answer(request, list(board.source.explain(record)))


@router.get("/experiments/{namespace}/{name}/events", response_model=list[models.Event])
def list_events(
    request: Request,
    board: FromBoard,
    record: Found,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> Response:
    """List what happened, the oldest first."""
    events = board.source.records.events(record.uid, limit=limit)
    return answer(request, [shapes.event(each) for each in events])


@router.get(
    "/experiments/{namespace}/{name}/live",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def live(request: Request, namespace: str, name: str) -> StreamingResponse:
    """Tell what changes as server-sent events, until the experiment is deleted."""
    return _events(request, ExperimentKey(namespace, name))


def _events(request: Request, key: ExperimentKey | None) -> StreamingResponse:
    watching: Live = request.app.state.live
    asker = asker_of(request) if key is None else OWNER  # all who may look at one see the same
    messages = _while_permitted(request, watching.messages(key, asker))
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(messages, headers=headers, media_type="text/event-stream")


async def _while_permitted(
    request: Request, messages: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    """End what lasts when the right to it does."""
    async for message in messages:
        try:
            await run_in_threadpool(permitted, request)
        except Forbidden:
            return
        yield message


@router.patch("/experiments/{namespace}/{name}", response_model=models.Said)
def edit(request: Request, board: FromBoard, record: Found, asked: models.Changes) -> Response:
    """Change its budget, its labels, its note."""
    return _said(request, board.edit(record, asked.changes, asked.labels, asked.note))


@router.delete("/experiments/{namespace}/{name}", response_model=models.Said)
def delete(request: Request, board: FromBoard, record: Found) -> Response:
    """Remove it with all it recorded."""
    return _said(request, board.delete(record))


@router.post("/experiments/{namespace}/{name}/pause", response_model=models.Said)
def pause(request: Request, board: FromBoard, record: Found, now: bool = False) -> Response:
    """Start no more trials; `now` stops those that run, too."""
    return _said(request, board.pause(record, now=now))


@router.post("/experiments/{namespace}/{name}/resume", response_model=models.Said)
def resume(request: Request, board: FromBoard, record: Found) -> Response:
    """Go on with what was paused or interrupted."""
    return _said(request, board.resume(record))


@router.post("/experiments/{namespace}/{name}/stop", response_model=models.Said)
def stop(request: Request, board: FromBoard, record: Found) -> Response:
    """End it, and keep what it found."""
    return _said(request, board.stop(record))


def _said(request: Request, message: str) -> Response:
    return answer(request, {"message": message})
