"""Writing what the book has and the API server lacks: trials, statuses, budgets.

Each thing is taken off `book.unwritten` as soon as it is written: a step that breaks off in the
middle goes on from there. Writing something twice changes nothing.
"""

import asyncio
import json
import math
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ...api.conditions import Conditions, pass_to
from ...api.errors import Conflict, ServerUnavailable
from ...api.experiment import API_VERSION
from ...api.moments import written
from ...api.states import ExperimentState, TrialState
from ..plan import reasons
from .answers import MANAGER
from .book import MESSAGE, Book
from .cache import Cache, key_of
from .experiments import experiment_record, experiment_status, waited_for, waits_for
from .labels import WISHES
from .page import Page
from .port import Document, Kube, Resource, version_of
from .resources import EXPERIMENTS, SUGGESTIONS, TRIALS
from .suggestions import suggestion_document
from .trials import trial_document, trial_status
from .wishes import wishes_of

STATUS_SECONDS = 2.0
"""How long news that is no condition may wait for more of it."""

Render: TypeAlias = Callable[[Page], Document]
"""Makes the job of a trial."""


async def write_trials(book: Book, kube: Kube, seen: Cache, render: Render) -> None:
    """Create the trials that are new, and tell what became of the others.

    `seen` is the cache of trials: it has at once what is created here.
    """
    pages = [book.pages[index] for index in sorted(book.unwritten.trials)]
    new = [page for page in pages if not page.uid]
    told = (_tell_trial(book, kube, page) for page in pages if page.uid)
    await together([_create_trials(book, kube, seen, new, render), *told])


async def _create_trials(
    book: Book, kube: Kube, seen: Cache, pages: Sequence[Page], render: Render
) -> None:
    """Create them in the order of their indexes, so that a gap means: that one was deleted."""
    for page in pages:
        made = await _create(book, kube, trial_document(book, page, render(page)))
        seen.put(made)
        book.created(page.record.index, str(made["metadata"]["uid"]))
        if page.record.state is TrialState.CREATED:
            # That it is created needs no saying of what has just been created.
            book.unwritten.trials.discard(page.record.index)
        else:
            await _tell_trial(book, kube, page)


async def _tell_trial(book: Book, kube: Kube, page: Page) -> None:
    await _apply_status(kube, TRIALS, book, page.record.name, trial_status(page))
    book.unwritten.trials.discard(page.record.index)


_OF_THE_SEARCH = ("position", "madeFrom", "parameterAssignments")


async def _create(book: Book, kube: Kube, document: Document) -> Document:
    """Create a trial, or find it created before.

    Raises:
        Conflict: it is another operator's, whose search had seen more or less than this one's.
    """
    namespace, name = book.key.namespace, document["metadata"]["name"]
    try:
        return await kube.create(TRIALS, namespace, document)
    except Conflict:
        made = await kube.get(TRIALS, namespace, name)
        if made["metadata"].get("deletionTimestamp"):
            raise ServerUnavailable(f"{name} is still being deleted") from None
        check_ours(made, document)
        if any(made["spec"].get(key) != document["spec"].get(key) for key in _OF_THE_SEARCH):
            raise Conflict(f"another operator created {name}, at another point") from None
        return made


def check_ours(there: Document, wanted: Document) -> None:
    """Make sure that what has the name is what was to be created.

    Raises:
        Conflict: it is somebody else's.
    """
    metadata, name = there["metadata"], there["metadata"]["name"]
    ours = {each["uid"] for each in wanted["metadata"]["ownerReferences"]}
    if not ours & {each["uid"] for each in metadata.get("ownerReferences") or ()}:
        raise Conflict(f"{there.get('kind')} {name} exists and is not this experiment's: remove it")


@dataclass(slots=True)
class StatusWriter:
    """Writes an experiment's status: new conditions at once, all else only now and then.

    `at` is when it wrote last, `conditions` what it wrote then. `lines` are what the status
    says that the experiment waits for, `stale_since` when it was first seen to wait for
    something else.
    """

    lines: Sequence[str] = ()
    at: float = -math.inf
    conditions: Conditions | None = None
    stale_since: float | None = None

    async def write(self, book: Book, kube: Kube, now: float, lines: Sequence[str]) -> None:
        """Write the suggestion's status and the experiment's, when that is due.

        `now` is of a clock that nobody sets. What the experiment waits for, `lines`, is often
        over in a moment: by itself it is written once it has lasted.
        """
        told = waits_for(lines)
        if told == self.lines:
            self.stale_since = None
        elif self.stale_since is None:
            self.stale_since = now
        if not self._is_due(book, now):
            return
        await write_suggestion(book, kube)  # first: who waits for the end looks at it then
        name = book.key.name
        await _apply_status(kube, EXPERIMENTS, book, name, experiment_status(book, told))
        book.unwritten.status = False
        self.lines, self.stale_since = told, None
        self.at, self.conditions = now, book.conditions

    def _is_due(self, book: Book, now: float) -> bool:
        if self.stale_since is not None and now >= self.stale_since + STATUS_SECONDS:
            return True
        is_new = book.conditions != self.conditions or now >= self.at + STATUS_SECONDS
        return book.unwritten.status and is_new


async def write_suggestion(book: Book, kube: Kube) -> None:
    """Write what Katib's clients read of a search."""
    document = suggestion_document(book)
    namespace = book.key.namespace
    bare = {name: value for name, value in document.items() if name != "status"}
    await kube.apply(SUGGESTIONS, namespace, bare, manager=MANAGER)
    await kube.apply(SUGGESTIONS, namespace, document, manager=MANAGER, subresource="status")


async def write_spec(book: Book, kube: Kube) -> Document:
    """Change suspend and budgets where a wish asked for it; return the experiment as it is now.

    Raises:
        Conflict: somebody edited the experiment meanwhile.
    """
    key, document = book.key, book.experiment.document
    there = await kube.get(EXPERIMENTS, key.namespace, key.name)
    if there["metadata"]["generation"] != document["metadata"]["generation"]:
        raise Conflict(f"{key.name} was edited meanwhile")
    spec = {name: document["spec"].get(name) for name in _BUDGETS}
    patch = {"metadata": {"resourceVersion": version_of(there)}, "spec": spec}
    made = await kube.merge(EXPERIMENTS, key.namespace, key.name, patch)
    book.unwritten.spec = False
    return made


async def strike_wishes(book: Book, kube: Kube) -> None:
    """Remove the answered wishes from the annotation; those that came meanwhile stay."""
    key = book.key
    while book.unwritten.answered:
        there = await kube.get(EXPERIMENTS, key.namespace, key.name)
        left = [each for each in wishes_of(there) if each["id"] not in book.unwritten.answered]
        metadata = {
            "resourceVersion": version_of(there),
            "annotations": {WISHES: json.dumps(left) if left else None},
        }
        try:
            await kube.merge(EXPERIMENTS, key.namespace, key.name, {"metadata": metadata})
        except Conflict:
            continue  # somebody wrote to it at this moment
        book.unwritten.answered = set()


_BUDGETS = (
    *("suspend", "maxTrialCount", "parallelTrialCount", "maxFailedTrialCount", "maxDuration"),
    *("objective", "trialPolicy", "stopWhen"),
)
"""What of a spec a wish can change."""


async def _apply_status(
    kube: Kube, resource: Resource, book: Book, name: str, status: Document
) -> None:
    document, namespace = _status_of(resource, name, status), book.key.namespace
    await kube.apply(resource, namespace, document, manager=MANAGER, subresource="status")


def _status_of(resource: Resource, name: str, status: Document) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": {EXPERIMENTS: "Experiment", TRIALS: "Trial"}[resource],
        "metadata": {"name": name},
        "status": status,
    }


def created(now: float) -> Conditions:
    """Return the conditions of an experiment that was seen."""
    reason, state = reasons.CREATED, ExperimentState.CREATED
    return pass_to((), state, reason=reason.name, message=reason.message, now=written(now))


async def say_waits(kube: Kube, document: Document, why: str, now: float) -> None:
    """Say what keeps an experiment from beginning; what has begun is its driver's affair."""
    status, lines = document.get("status") or {}, waits_for([why])
    if "startTime" in status or waited_for(document) == lines:
        return
    conditions = status.get("conditions") or [each.write() for each in created(now)]
    told = {**status, "conditions": conditions, "waitsFor": lines}
    namespace, name = key_of(document)
    wanted = _status_of(EXPERIMENTS, name, told)
    await kube.apply(EXPERIMENTS, namespace, wanted, manager=MANAGER, subresource="status")


async def refuse(kube: Kube, document: Document, why: str, now: float) -> None:
    """End an experiment that cannot be driven: Failed, with all that is wrong with it."""
    record, conditions = experiment_record(document)
    reason = reasons.INVALID_SPEC.name
    ended = pass_to(
        conditions, ExperimentState.FAILED, reason=reason, message=why[:MESSAGE], now=written(now)
    )
    status = {
        **(document.get("status") or {}),
        "conditions": [each.write() for each in ended],
        "completionTime": written(now),
        "observedGeneration": record.version,
    }
    wanted = _status_of(EXPERIMENTS, record.key.name, status)
    namespace = record.key.namespace
    await kube.apply(EXPERIMENTS, namespace, wanted, manager=MANAGER, subresource="status")


async def together(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do all of it at once; what fails does not keep the rest from being done.

    Raises:
        The first failure, when all have ended.
    """
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
