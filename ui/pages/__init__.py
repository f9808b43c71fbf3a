"""Pages, rendered here; scripts keep them alive."""

from fastapi import APIRouter

from . import algorithms, compare, experiment, experiments, new, trial

router = APIRouter(include_in_schema=False)
for each in (experiments, compare, new, algorithms, trial, experiment):
    router.include_router(each.router)
