"""A store of each kind: SQLite in a file, PostgreSQL and MariaDB on servers of our own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import servers
from tunewright.api.stopping import Evaluator
from tunewright.db.sql import open_store
from tunewright.db.store import Store


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with servers.postgres() as url:
        yield url


@pytest.fixture(scope="session")
def mysql_server() -> Iterator[str]:
    with servers.mysql() as url:
        yield url


def _server(name):
    # One worker runs all tests of a server, so that it is started once.
    marks = [pytest.mark.needs(name), pytest.mark.xdist_group(name)]
    return pytest.param(name, id=name, marks=marks)


KINDS = [pytest.param("sqlite", id="sqlite"), _server("postgres"), _server("mysql")]


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield str(tmp_path / "store.db")
        return
    with servers.fresh_database(request.getfixturevalue(f"{request.param}_server")) as url:
        yield url


@pytest.fixture
def opened(place: str) -> Iterator[Callable[..., Store]]:
    """Open the store of `place`, as often as wanted; all are closed at the end."""
    stores: list[Store] = []

    def open_(evaluator: Evaluator | None = None) -> Store:
        stores.append(open_store(place, evaluator=evaluator))
        return stores[-1]

    yield open_
    for store in stores:
        store.close()


@pytest.fixture
def store(opened: Callable[..., Store]) -> Store:
    return opened()
