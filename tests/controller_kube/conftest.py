"""What the tests of an operator share."""

import asyncio

import pytest
from support.actors import quadratic
from support.operated import played


@pytest.fixture
def within(api_server, tmp_path):
    """Play a scenario in a namespace in which an operator and a Job controller act.

    `parts` are those of the operator that are not the usual ones.
    """

    def play(scenario, script=quadratic, **parts):
        return asyncio.run(played(api_server, tmp_path / "store.db", scenario, script, **parts))

    return play
