"""The trials of one experiment, read once and then followed, for people who look on."""

import time
from threading import Lock, Thread

from ...api.compile import search_space
from ...api.errors import Expired, Retryable, Terminal
from ...api.excerpts import objective_of
from ...api.experiment import ExperimentSpec
from . import labels
from .book import Book
from .experiments import experiment_record
from .page import Page
from .port import Change, Document, Selection, WatchEvent, name_of, version_of
from .resources import TRIALS
from .session import Session
from .trials import is_ours, page_of, slim_trial
from .wishes import wish_of, wishes_of

IDLE_SECONDS = 60.0
"""How long an experiment is followed that nobody asks for."""

_TURN_SECONDS = 20


class Followed:
    """Keeps the pages of an experiment as the server had them when it was asked last.

    Either its user calls `go_on`, or `keep_up` has it done beside, until nobody asks any more.
    """

    def __init__(self, session: Session, document: Document) -> None:
        self._session = session
        self._uid = document["metadata"]["uid"]
        self._objective = objective_of(document)
        self._space = search_space(ExperimentSpec.read(document["spec"]))
        metadata = document["metadata"]
        selected = f"{labels.EXPERIMENT}={metadata['name']}"
        self._selection = Selection(TRIALS, metadata["namespace"], selected)
        self._pages: dict[str, Page] = {}
        self._version = ""
        self._folded: tuple[str, Book] | None = None
        self._changed: dict[str, Page] = {}
        self._lock = Lock()
        self._asked = time.monotonic()
        self.is_over = False
        self._read()

    def keep_up(self) -> None:
        Thread(target=self._follow, name=f"trials of {self._uid}", daemon=True).start()

    def _follow(self) -> None:
        try:
            while time.monotonic() - self._asked < IDLE_SECONDS:
                try:
                    self.go_on(_TURN_SECONDS)
                except Retryable as error:
                    time.sleep(error.after)
        except Terminal:
            pass  # whoever asks next reads anew, and is told
        finally:
            self.is_over = True

    def go_on(self, seconds: int) -> None:
        """Learn what changes within some seconds."""
        try:
            for event in self._session.watch(self._selection, self._version, seconds):
                self._version = version_of(event.document)
                if event.change is not Change.BOOKMARK:
                    self._heed(event)
        except Expired:
            self._read()

    def book(self, document: Document) -> Book:
        """Fold what is known, with the experiment as it is now."""
        with self._lock:
            self._asked = time.monotonic()
            version = version_of(document)
            if self._folded is None or self._folded[0] != version or self._changed:
                self._folded = version, self._fold(document)
                self._changed = {}
            return self._folded[1]

    def _fold(self, document: Document) -> Book:
        record, conditions = experiment_record(document)
        before = self._folded[1] if self._folded else None
        book = before and before.grown(record, conditions, tuple(self._changed.values()))
        book = book or Book(record, conditions, self._pages.values())
        book.wishes = tuple(wish_of(each, self._space) for each in wishes_of(document))
        return book

    def _read(self) -> None:
        documents, version = self._session.list_at(self._selection)
        pages = {name_of(each): self._page(each) for each in documents if is_ours(each, self._uid)}
        with self._lock:
            self._pages, self._version = pages, version
            self._folded = None

    def _heed(self, event: WatchEvent) -> None:
        document = event.document
        with self._lock:
            if event.change is Change.DELETED:
                self._pages.pop(name_of(document), None)
                self._folded = None
            elif is_ours(document, self._uid):
                page = self._page(document)
                self._pages[name_of(document)] = self._changed[name_of(document)] = page

    def _page(self, document: Document) -> Page:
        return page_of(slim_trial(document), self._objective, self._space)
