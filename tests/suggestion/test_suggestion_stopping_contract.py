"""The contract of early-stopping rules: what keeps it, and how each way to break it is seen."""

import math

import pytest
from tunewright.api.errors import Invalid
from tunewright.api.objective import Direction
from tunewright.suggestion.early_stopping import registry
from tunewright.suggestion.early_stopping.curves import Curves
from tunewright.suggestion.early_stopping.rule import Rule, start_step
from tunewright.suggestion.plugin.stopping_contract import (
    CLAUSES,
    at,
    check_clause,
    examine_rule,
    here,
)
from tunewright.suggestion.service import start_service

RULES = {
    "medianstop": {},
    "percentile": {"percentile": "25", "start_step": "2"},
    "asha": {"eta": "2"},
    "threshold": {"bound": "0.5"},
    "plateau": {"patience": "5"},
}
WITH_NAN = {"threshold": {"bound": "0.5", "stop_on_nan": "true"}}


@pytest.mark.parametrize("clause", CLAUSES)
@pytest.mark.parametrize(
    ("name", "settings"),
    [*((name, None) for name in RULES), *RULES.items(), *WITH_NAN.items()],
    ids=str,
)
def test_a_rule_keeps_its_contract(name, settings, clause):
    assert check_clause(here(name, settings), clause) is None


@pytest.fixture(scope="module")
def address():
    server, address = start_service("127.0.0.1:0")
    yield address
    server.stop(0).wait()


def test_a_rule_keeps_its_contract_over_the_wire(address):
    """Each replica of the store asks the service, which is sent what it lacks.

    Another rule is examined so by `tunewright plugin test`.
    """
    assert examine_rule(at(address, "medianstop")).broken == []


def test_every_built_in_rule_is_examined():
    assert set(RULES) == set(registry.BUILT_IN)


class Sound(Rule):
    """Stops losses above a half; each way to break the contract changes one thing about it."""

    name = "sound"
    description = "stops what is above a half"
    settings = (start_step("1"),)

    def reason(self, report, case):
        if report.reports < case.settings["start_step"]:
            return None
        value = case.objective.loss(report.value)
        bound = 0.5 if case.objective.direction is Direction.MINIMIZE else -0.5
        return "it is above a half" if value > bound else None


class Idle(Sound):
    def reason(self, report, case):
        return None


class Harsh(Sound):
    def reason(self, report, case):
        return "nothing is good enough" if report.reports == 3 else None


class OneWay(Sound):
    def reason(self, report, case):
        return "it is above a half" if report.value > 0.5 else None


class Hasty(Sound):
    def reason(self, report, case):
        return "it begins badly" if report.reports == 1 and report.value > 0.5 else None


class AfraidOfNan(Sound):
    def reason(self, report, case):
        is_nan = math.isnan(report.value)
        return "it is NaN" if is_nan else super().reason(report, case)


class MisledByNan(Sound):
    """Judges nobody once a trial of NaN has ended."""

    def reason(self, report, case):
        _, ended = case.log.ended_since(case.experiment_uid, 0)
        means = [case.log.running_means(case.experiment_uid, index, ()) for index in ended]
        lasts = [mean for found in means for mean in found.values()]
        return super().reason(report, case) if not any(map(math.isnan, lasts)) else None


class AfraidOfInfinity(Sound):
    def reason(self, report, case):
        int(0.0 if math.isnan(report.value) else report.value)
        return super().reason(report, case)


class Counting(Sound):
    """Stops at the third bad report that it was shown."""

    def __init__(self, clock):
        super().__init__(clock)
        self.bad = {}

    def reason(self, report, case):
        why = super().reason(report, case)
        key = (case.experiment_uid, report.index)
        self.bad[key] = self.bad.get(key, 0) + (why is not None)
        return why if self.bad[key] >= 3 else None


class Mixing(Sound):
    """Knows trials by their index alone."""

    def __init__(self, clock):
        super().__init__(clock)
        self.seen = set()

    def reason(self, report, case):
        first = report.reports > 1 or (report.index, case.experiment_uid) not in self.seen
        others = {index for index, uid in self.seen if uid != case.experiment_uid}
        self.seen.add((report.index, case.experiment_uid))
        return super().reason(report, case) if first and report.index not in others else None


class LastOnly(Sound):
    """Looks at nothing but the last report of a batch."""

    def evaluate(self, experiment_uid, rule, objective, reports, log):
        return super().evaluate(experiment_uid, rule, objective, reports[-1:], log)


class Reading(Sound):
    """Reads all that ended at every report."""

    def reason(self, report, case):
        _, ended = case.log.ended_since(case.experiment_uid, 0)
        for index in ended:
            case.log.running_means(case.experiment_uid, index, (report.reports,))
        return super().reason(report, case)


class Remembering(Sound):
    """Reads what is new only, through `Curves`."""

    def __init__(self, clock):
        super().__init__(clock)
        self.curves = Curves(clock)

    def reason(self, report, case):
        self.curves.of(case.experiment_uid, case.log)
        return super().reason(report, case)


class Misdirected(Sound):
    def evaluate(self, experiment_uid, rule, objective, reports, log):
        stops = super().evaluate(experiment_uid, rule, objective, reports, log)
        return [type(stop)(stop.index + 1, stop.attempt, stop.reason) for stop in stops]


@pytest.fixture
def install(monkeypatch):
    def installed(rule):
        monkeypatch.setattr(registry, "BUILT_IN", {**registry.BUILT_IN, "sound": rule})

    return installed


@pytest.mark.parametrize("rule", [Sound, Remembering])
def test_a_sound_rule_breaks_nothing(install, rule):
    install(rule)
    assert examine_rule(here("sound")).broken == []


@pytest.mark.parametrize(
    ("rule", "clause", "said"),
    [
        (Idle, "unpromising trials are stopped", "no trial was stopped"),
        (Harsh, "the best trial continues", "stopped at report 3"),
        (OneWay, "both directions are treated alike", "as accuracies to maximize"),
        (Hasty, "start_step is respected", "before start_step 2"),
        (AfraidOfNan, "NaN has no effect", "though that was not requested"),
        (MisledByNan, "NaN has no effect", "others are judged differently"),
        (AfraidOfNan, "one NaN is tolerated", "is stopped at report 5"),
        (AfraidOfInfinity, "any number is tolerated", "OverflowError"),
        (Counting, "a restart changes nothing", "the rule decides differently"),
        (Counting, "two replicas decide alike", "instead of"),
        (Mixing, "experiments are independent", "after another experiment"),
        (LastOnly, "a batch is judged report by report", "report by report, and not in one batch"),
        (Reading, "the cost does not grow", "with 400 trials that ended"),
        (Misdirected, "unpromising trials are stopped", "at a report of trial"),
    ],
)
def test_what_breaks_the_contract_is_seen(install, rule, clause, said):
    install(rule)
    broken = {
        finding.rule: str(finding.complaint) for finding in examine_rule(here("sound")).broken
    }
    assert said in broken[clause]


def test_settings_that_the_rule_refuses_are_refused_here():
    with pytest.raises(Invalid, match="percentile must be between"):
        here("percentile", {"percentile": "101"})
