"""The table of experiments."""

import time
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from ...api.remarks import wanted_labels
from ...db import listing
from ...db.listing import PAUSED, Order
from ..render import page
from ..rest.experiments import FromBoard

router = APIRouter()
_PAGE = 50
STATES = ("Created", "Running", PAUSED, "Succeeded", "Failed")


@router.get("/")
def show(
    request: Request,
    board: FromBoard,
    search: str = "",
    state: str = "",
    label: str = "",
    order: Order = Order.NEWEST,
    number: Annotated[int, Query(alias="page", ge=1, lt=10**7)] = 1,
) -> Response:
    query = listing.Query(
        search=search,
        state=state or None,
        labels=wanted_labels(label),
        order=order,
        offset=(number - 1) * _PAGE,
        limit=_PAGE,
    )
    now = time.time()
    found = board.find(query)
    last = max(1, -(-found.total // _PAGE))
    if number > last:
        number = last
        found = board.find(replace(query, offset=(last - 1) * _PAGE))
    is_narrowed = bool(search or state or label)
    return page(
        request,
        "experiments.html",
        title="Experiments",
        rows=[board.row(record) for record in found.records],
        search=search,
        state=state,
        label=label,
        order=order,
        orders=list(Order),
        states=STATES,
        page=number,
        last=last,
        total=found.total,
        now=now,
        any=bool(found.total or is_narrowed),
        may_enter=is_narrowed or order is Order.STATE,
    )
