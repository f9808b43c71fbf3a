"""Trials: their values, curves, metrics and logs."""

import contextlib
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from itertools import islice
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from ...api.errors import NotFound, Unsupported
from ...api.excerpts import objective_of
from ...db.records import AttemptRecord, ExperimentRecord
from ...sdk import shapes
from ...sdk.names import check_metric
from ..board import Board
from ..table import Row
from . import models
from .answers import PROBLEMS, answer, tagged
from .experiments import Found, FromBoard

router = APIRouter(prefix="/experiments/{namespace}/{name}", tags=["trials"], responses=PROBLEMS)
_SAMPLES = 20_000
_LOG_BYTES = 8 << 20
_Value = TypeVar("_Value")


class Order(StrEnum):
    NEWEST = "newest"
    OLDEST = "oldest"
    BEST = "best"


class Verb(StrEnum):
    STOP = "stop"
    RETRY = "retry"
    DROP = "drop"


class Stream(StrEnum):
    STDOUT = "stdout"
    STDERR = "stderr"


@router.get("/trials", response_model=models.Trials)
def list_trials(
    request: Request,
    board: FromBoard,
    record: Found,
    state: str | None = None,
    order: Order = Order.OLDEST,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """List trials, a page at a time."""
    table = board.table(record)
    every = table.best() if order is Order.BEST else table.rows()
    rows = [row for row in every if state is None or row.state == state]
    if order is Order.NEWEST:
        rows.reverse()
    found = board.trials(record, [row.index for row in rows[offset : offset + limit]])
    items = [shapes.trial(trial, table.objective) for trial in found]
    return answer(request, {"items": items, "total": len(rows), "offset": offset})


@router.post("/trials", response_model=models.Said)
def add_trial(
    request: Request, board: FromBoard, record: Found, asked: models.NewTrial
) -> Response:
    """Add a trial; where the budget is used up, it grows by one."""
    return answer(request, {"message": board.add_trial(record, asked.parameters)})


@router.get("/columns", response_model=models.Columns)
def columns(request: Request, board: FromBoard, record: Found, after: int = -1) -> Response:
    """Return trials in columns: all, or those that changed after a position of the log."""
    return tagged(request, board.table(record).json(after), "application/json")


@router.get("/curves", response_model=models.Curves)
def curves(
    request: Request, board: FromBoard, record: Found, metric: str | None = None
) -> Response:
    """Return how a metric went in the newest and the best trials, thinned for a plot."""
    table = board.table(record)
    name = metric or table.objective.metric.name
    found, why = _served(lambda: board.curves.of(record.uid, table, name))
    return answer(request, {"metric": name, "why": why, "curves": found})


def _served(read: Callable[[], list[_Value]]) -> tuple[list[_Value], str]:
    """Return single values; or none, and why: some places keep nothing but summaries."""
    try:
        return read(), ""
    except Unsupported as error:
        return [], str(error)


@router.get("/csv", response_class=Response)
def as_csv(request: Request, board: FromBoard, record: Found) -> Response:
    """Download all trials as a table."""
    table = board.table(record)
    text = _csv(record, table.rows(), table.objective.metric.name)
    response = tagged(request, text.encode(), "text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{record.key.name}.csv"'
    return response


def _csv(record: ExperimentRecord, rows: Sequence[Row], metric: str) -> str:
    named = [each["name"] for each in record.document["spec"].get("parameters") or ()]
    # An architecture has what its algorithm says, which no file names.
    parameters = named or dict.fromkeys(name for row in rows for name in row.point)
    metrics = dict.fromkeys(name for row in rows for name in row.metrics)
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(
        ["trial", "name", "state", metric, *parameters, *(f"metric.{name}" for name in metrics)]
    )
    writer.writerows(
        [
            row.index,
            row.name,
            row.state,
            row.value,
            *(row.point.get(name) for name in parameters),
            *(row.metrics.get(name) for name in metrics),
        ]
        for row in rows
    )
    return stream.getvalue()


@router.get("/trials/{trial}", response_model=models.Trial)
def get_trial(request: Request, board: FromBoard, record: Found, trial: str) -> Response:
    """Return a trial by its index, its name, `best` or `last`."""
    found = board.trial(record, trial)
    return answer(request, shapes.trial(found, objective_of(record.document)))


@router.get("/trials/{trial}/attempts", response_model=list[models.Attempt])
def list_attempts(request: Request, board: FromBoard, record: Found, trial: str) -> Response:
    """List the starts of its workload."""
    index = board.trial(record, trial).index
    return answer(
        request, [_attempt(each) for each in board.source.records.attempts(record.uid, index)]
    )


def _attempt(attempt: AttemptRecord) -> dict[str, Any]:
    return {
        "attempt": attempt.attempt,
        "state": str(attempt.state),
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
        "exit_code": attempt.exit_code,
        "reason": attempt.reason,
        "message": attempt.message,
    }


@router.get("/trials/{trial}/metrics", response_model=models.Samples)
def get_metrics(
    request: Request,
    board: FromBoard,
    record: Found,
    trial: str,
    metric: str | None = None,
    since: float | None = None,
    skip: Annotated[int, Query(ge=0, le=1 << 31)] = 0,
) -> Response:
    """Return what its last attempt reported from a time on, 20,000 samples at most.

    Where there is `more`, go on `since` the last sample's time, and `skip` those of that
    time that you have.
    """
    found = board.trial(record, trial)
    if found.observation:  # until then none is wrong
        check_metric(record, found, metric)
    records = board.source.records
    key, most = (record.uid, found.index), skip + _SAMPLES + 1
    samples, why = _served(
        lambda: [*islice(records.samples(*key, metric=metric, since=since, limit=most), skip, None)]
    )
    more = len(samples) > _SAMPLES
    del samples[_SAMPLES:]
    return answer(
        request,
        {
            "why": why,
            "more": more,
            "metric": [each.metric for each in samples],
            "at": [each.time for each in samples],
            "step": [each.step for each in samples],
            "value": [each.value for each in samples],
        },
    )


@router.get(
    "/trials/{trial}/log",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
)
def get_log(
    request: Request,
    board: FromBoard,
    record: Found,
    trial: str,
    stream: Stream = Stream.STDOUT,
    tail: Annotated[int, Query(ge=1, le=100_000)] = 1000,
    after: Annotated[int | None, Query(ge=0)] = None,
) -> Response:
    """Return the last lines of what its last attempt printed.

    Or what stands `after` so many bytes: 8 MiB of it at most, the rest behind these.
    """
    lines = tail if after is None else None
    text = bytearray()
    for part in _log(board, record, trial, stream, lines, after or 0):
        text += part
        if after is not None and len(text) >= _LOG_BYTES:
            del text[_LOG_BYTES:]
            break
    return tagged(request, bytes(text), "text/plain; charset=utf-8")


def _log(
    board: Board,
    record: ExperimentRecord,
    trial: str,
    stream: Stream,
    tail: int | None,
    after: int,
) -> Iterator[bytes]:
    found = board.trial(record, trial)
    with contextlib.suppress(NotFound):
        yield from board.source.log(
            record, found, stream=stream, tail=tail, follow=False, after=after
        )


@router.post("/trials/{trial}/{verb}", response_model=models.Said)
def change_trial(
    request: Request, board: FromBoard, record: Found, trial: str, verb: Verb
) -> Response:
    """Stop a running trial, run one again, or take one out of the best and the search."""
    index = board.trial(record, trial).index
    return answer(request, {"message": board.change_trial(record, index, verb)})
