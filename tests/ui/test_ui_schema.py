"""The OpenAPI description is true: whatever it allows is answered as it says."""

from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import checks
from tunewright.ui.access import TokenAccess
from tunewright.ui.app import make_app
from tunewright.ui.board import Board

TOKEN = "of-the-tests"
pytestmark = [pytest.mark.xdist_group("page"), pytest.mark.timeout(300)]

APP = make_app(cast("Board", None), TokenAccess.of(TOKEN, [], 80), "0")
OPERATIONS = {
    result.ok().label: result.ok()
    for result in schemathesis.openapi.from_dict(cast("dict[str, Any]", APP.openapi()))
    .exclude(path_regex="/(live|resume)$")  # one never ends, the other starts engines
    .exclude(method="DELETE")
    .get_all_operations()
}
CHECKS = [
    checks.not_a_server_error,
    checks.CHECKS.get_one("status_code_conformance"),
    checks.CHECKS.get_one("content_type_conformance"),
    checks.CHECKS.get_one("response_schema_conformance"),
]


@pytest.mark.parametrize("label", OPERATIONS)
def test_requests_of_a_generator_are_answered_as_described(server, label):
    @given(case=OPERATIONS[label].as_strategy())
    @settings(max_examples=10, suppress_health_check=list(HealthCheck), deadline=None)
    def ask(case):
        if "namespace" in (case.path_parameters or {}):
            case.path_parameters |= {"namespace": "default", "name": "done"}
        case.call_and_validate(
            base_url=server.url, headers={"Authorization": f"Bearer {TOKEN}"}, checks=CHECKS
        )

    ask()
