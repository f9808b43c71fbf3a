import asyncio

import pytest
from tunewright.suggestion import registry
from tunewright.suggestion.plugin.conformance import Finding, Report, Ruling, check_rule
from tunewright.suggestion.plugin.rules import RULES
from tunewright.suggestion.plugin.subject import AtAddress, InProcess
from tunewright.suggestion.service import start_service

FIDELITY = ["hyperband", "asha", "bohb"]
LARGE = ["sobol", "tpe", "multivariate-tpe", "cmaes", "nsga2", "gp", "auto"]
QUICK = ["random", "grid", "sobol", "tpe", "multivariate-tpe", "cmaes", "nsga2", "pbt", *FIDELITY]


@pytest.fixture(scope="module")
def address():
    server, address = start_service("127.0.0.1:0")
    yield address
    server.stop(0).wait()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("algorithm", [*QUICK, "gp", "auto"])
def test_every_rule_is_kept_in_process(algorithm, rule):
    assert asyncio.run(check_rule(InProcess(), algorithm, rule)) is None


@pytest.mark.parametrize("rule", ["counts are kept", "no point comes twice"])
def test_rules_about_counts_are_kept_in_process_where_a_point_costs_a_second(rule):
    assert asyncio.run(check_rule(InProcess(), "bayesianoptimization", rule)) is None


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("algorithm", ["random", "grid", "pbt", *FIDELITY])
@pytest.mark.parametrize("speaks_v1", [True, False], ids=["tunewright.v1", "api.v1.beta1"])
def test_every_rule_is_kept_over_grpc(address, algorithm, rule, speaks_v1):
    subject = AtAddress(address, speaks_v1=speaks_v1)
    assert asyncio.run(check_rule(subject, algorithm, rule)) is None


@pytest.mark.parametrize("rule", ["counts are kept", "a restart changes nothing"])
@pytest.mark.parametrize("algorithm", LARGE)
@pytest.mark.parametrize("speaks_v1", [True, False], ids=["tunewright.v1", "api.v1.beta1"])
def test_rules_are_kept_over_grpc_where_each_search_loads_large_libraries(
    address, algorithm, rule, speaks_v1
):
    subject = AtAddress(address, speaks_v1=speaks_v1)
    assert asyncio.run(check_rule(subject, algorithm, rule)) is None


@pytest.mark.parametrize(
    ("broken", "ruling"),
    [
        ([], Ruling.STATELESS),
        (["a restart changes nothing"], Ruling.STATEFUL),
        (["a restart changes nothing", "a long history is handled"], Ruling.STATEFUL),
        (["a restart changes nothing", "counts are kept"], Ruling.BROKEN),
    ],
)
def test_a_report_sums_up_what_was_found(broken, ruling):
    findings = (Finding("a", rule, "no" if rule in broken else None, 0.0) for rule in RULES)
    assert Report(tuple(findings)).ruling is ruling


def test_what_was_never_restarted_is_not_called_stateless():
    assert Report((), ("a restart changes nothing",)).ruling is Ruling.STATEFUL


def test_every_built_in_algorithm_is_examined():
    architectures = {"enas", "darts", "nas-evolution", "nas-random"}  # have tests of their own
    assert {*QUICK, "bayesianoptimization", "gp", "auto", *architectures} == set(registry.BUILT_IN)
