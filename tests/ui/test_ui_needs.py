"""What each request takes is written down: none is answered by accident."""

from typing import cast

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from tunewright.controller.kube.review import Right
from tunewright.ui.access import TokenAccess, UserAccess
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
    ("method", "path", "verb"),
    [
        ("GET", "/api/v1/experiments/team/e", "get"),
        ("PATCH", "/api/v1/experiments/team/e", "patch"),
        ("POST", "/api/v1/experiments/team/e/trials/3/stop", "patch"),
        ("DELETE", "/api/v1/experiments/team/e", "delete"),
    ],
)
def test_a_request_takes_rights_in_the_namespace_of_its_path(method, path, verb):
    assert needed(method, path) == [Right(verb, "experiments", namespace="team")]


def test_a_token_that_is_nobody_s_is_not_reviewed_at_each_request():
    asked, now = [], [0.0]

    def ask(_resource, _namespace, review):
        asked.append(review["spec"]["token"])
        return {"status": {"authenticated": False}}

    access = UserAccess(ask, None, lambda: now[0])
    assert [access.holder("ended") for _ in range(3)] == [None] * 3
    assert asked == ["ended"]
    now[0] = 6.0
    assert access.holder("ended") is None
    assert asked == ["ended", "ended"]


def test_what_is_not_written_down_takes_every_right():
    assert needed("GET", "/not/known") == [Right("*", "*", "*")]
