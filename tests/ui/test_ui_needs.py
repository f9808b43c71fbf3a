"""What each request takes is written down: none is answered by accident."""

from typing import cast

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from tunewright.controller.kube.review import Right
from tunewright.ui.access import TokenAccess
from tunewright.ui.app import make_app
from tunewright.ui.board import Board
from tunewright.ui.needs import NEEDS, needed


def test_every_request_that_is_answered_has_its_rights_written_down():
    app = make_app(cast("Board", None), TokenAccess.of("", [], 80), "0")
    answered = {
        (method, context.path)
        for context in iter_route_contexts(app.routes)
        if isinstance(context.route, APIRoute)
        for method in context.methods
    }

    assert answered == NEEDS.keys()


@pytest.mark.parametrize(
    ("method", "path", "rights"),
    [
        ("GET", "/api/v1/experiments", []),
        ("GET", "/api/v1/experiments/team/e", [Right("get", "experiments", namespace="team")]),
        ("PATCH", "/api/v1/experiments/team/e", [Right("patch", "experiments", namespace="team")]),
        ("POST", "/api/v1/experiments/team/e/trials/3/stop",
         [Right("patch", "experiments", namespace="team")]),
        ("DELETE", "/api/v1/experiments/team/e", [Right("delete", "experiments", namespace="team")]),
        ("GET", "/not/known", [Right("*", "*", "*")]),
    ],
)  # fmt: skip
def test_a_request_takes_rights_in_the_namespace_of_its_path(method, path, rights):
    assert needed(method, path) == rights
