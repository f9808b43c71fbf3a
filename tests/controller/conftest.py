"""A real store in a folder, alone and with engines over it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.engines import House
from tunewright.db.sql import open_store
from tunewright.db.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = open_store(tmp_path / "store.db")
    yield made
    made.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.store.close()
