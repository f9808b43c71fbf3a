"""The trials of one experiment, read once and then followed, for people who look on."""

from ...api.compile import objective_of, search_space
from ...api.errors import Expired
from ...api.experiment import ExperimentSpec
from . import labels
from .book import Book
from .experiments import experiment_record
from .page import Page
from .port import Change, Document, Selection, name_of, version_of
from .resources import TRIALS
from .session import Session
from .trials import is_ours, page_of, slim_trial
from .wishes import wish_of, wishes_of


class Followed:
    """Keeps the pages of an experiment as the server had them when it was asked last."""

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
        self._read()

    def go_on(self, seconds: int) -> None:
        """Learn what changes within some seconds."""
        try:
            for event in self._session.watch(self._selection, self._version, seconds):
                self._version = version_of(event.document)
                if event.change is Change.DELETED:
                    self._pages.pop(name_of(event.document), None)
                elif event.change is not Change.BOOKMARK:
                    self._take(event.document)
        except Expired:
            self._read()

    def book(self, document: Document) -> Book:
        """Fold what is known, with the experiment as it is now."""
        record, conditions = experiment_record(document)
        book = Book(record, conditions, self._pages.values())
        book.wishes = tuple(wish_of(each, self._space) for each in wishes_of(document))
        return book

    def _read(self) -> None:
        documents, self._version = self._session.list_at(self._selection)
        self._pages.clear()
        for each in documents:
            self._take(each)

    def _take(self, document: Document) -> None:
        if is_ours(document, self._uid):
            page = page_of(slim_trial(document), self._objective, self._space)
            self._pages[name_of(document)] = page
