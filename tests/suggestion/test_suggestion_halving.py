"""Hyperband, asha and bohb: which configuration is trained how far, whatever becomes of trials."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest
from tunewright.api.errors import Invalid
from tunewright.api.fidelity import widened
from tunewright.api.history import Dropped, Finished, Proposal, Proposed, SearchState, Verdict
from tunewright.api.identity import trial_name
from tunewright.api.objective import Direction, Metric, Objective, Strategy
from tunewright.api.problem import Problem
from tunewright.api.space import Parameter, ParameterKind, SearchSpace
from tunewright.api.states import TrialState
from tunewright.suggestion import registry
from tunewright.suggestion.algorithms.rungs import brackets

RATE = Parameter("rate", ParameterKind.DOUBLE, Decimal(0), Decimal(1))
EPOCHS = Parameter("epochs", ParameterKind.INT, Decimal(20), Decimal(20))
"""As in Katib's own example: the range of a resource does not bound it."""


def problem(algorithm="hyperband", r_l="81", *, parameters=(RATE, EPOCHS), maximize=False, **more):
    settings = {"resource_name": "epochs", "r_l": r_l, **more}
    direction = Direction.MAXIMIZE if maximize else Direction.MINIMIZE
    strategy = Strategy.MAX if maximize else Strategy.MIN
    return Problem(
        experiment="halving",
        uid="halving",
        space=widened(SearchSpace(tuple(parameters)), settings),
        objective=Objective(Metric("loss", strategy), direction),
        algorithm=algorithm,
        settings=settings,
        seed=7,
    )


class Experiment:
    """A search in which trials end in the order in which they began, and as a test says."""

    def __init__(self, asked, end=None):
        self.problem = asked
        self.fold = registry.start(asked)
        self.end = end or (lambda _index: "observed")
        self.proposals = []
        self.running = []
        self.position = 0

    def ask(self, count):
        answer = self.fold.suggest(len(self.proposals), count)
        for proposal in answer.proposals:
            self.position += 1
            index = len(self.proposals)
            self.fold.observe(Proposed(self.position, index, proposal, 0))
            self.proposals.append(proposal)
            self.running.append(index)
        return answer

    def finish(self, index=None):
        index = self.running[0] if index is None else index
        self.running.remove(index)
        self.position += 1
        how = self.end(index)
        loss = self.proposals[index].point["rate"]
        loss = -loss if self.problem.objective.direction is Direction.MAXIMIZE else loss
        state, verdict, value = {
            "observed": (TrialState.SUCCEEDED, Verdict.OBSERVED, loss),
            "stopped": (TrialState.EARLY_STOPPED, Verdict.OBSERVED, loss),
            "failed": (TrialState.FAILED, Verdict.BAD, None),
            "worst": (TrialState.SUCCEEDED, Verdict.OBSERVED, 1e9),
            "nan": (TrialState.SUCCEEDED, Verdict.BAD, float("nan")),
            "killed": (TrialState.KILLED, Verdict.NOTHING, None),
        }[how]
        self.fold.observe(Finished(self.position, index, state, verdict, value))

    def run(self, parallel, limit=2000):
        """Keep `parallel` trials running to the search's end; return how it said so."""
        while len(self.proposals) < limit:
            answer = self.ask(parallel - len(self.running))
            if not self.running:
                return answer
            self.finish()
        return None

    def table(self):
        """Count the trials by bracket, rung and resource."""
        return Counter(
            (*(int(value) for _, value in sorted(each.labels)), each.point["epochs"])
            for each in self.proposals
        )


PAPER = {
    (0, 0, 1): 81,
    (0, 1, 3): 27,
    (0, 2, 9): 9,
    (0, 3, 27): 3,
    (0, 4, 81): 1,
    (1, 0, 3): 34,
    (1, 1, 9): 11,
    (1, 2, 27): 3,
    (1, 3, 81): 1,
    (2, 0, 9): 15,
    (2, 1, 27): 5,
    (2, 2, 81): 1,
    (3, 0, 27): 8,
    (3, 1, 81): 2,
    (4, 0, 81): 5,
}
"""Bracket, rung, resource: trials, of Li et al. 2018 for R = 81 and eta = 3."""


def test_the_brackets_are_those_of_the_paper():
    table = {
        (place, level, resource): size
        for place, rungs in enumerate(brackets(81, 3))
        for level, (size, resource) in enumerate(rungs)
    }
    assert table == PAPER


@pytest.mark.parametrize("algorithm", ["hyperband", "bohb"])
@pytest.mark.parametrize("parallel", [1, 4, 81])
def test_every_rung_is_run_to_the_end_of_the_last_bracket(algorithm, parallel):
    experiment = Experiment(problem(algorithm))
    answer = experiment.run(parallel)
    assert experiment.table() == PAPER
    assert (answer.state, answer.note) == (
        SearchState.EXHAUSTED,
        "every bracket has been run to its end",
    )


@pytest.mark.parametrize("maximize", [False, True], ids=["minimize", "maximize"])
def test_the_best_of_a_rung_are_promoted(maximize):
    experiment = Experiment(problem(r_l="9", maximize=maximize))
    experiment.run(1)
    rung = [each.point["rate"] for each in experiment.proposals[:9]]
    above = [each.point["rate"] for each in experiment.proposals[9:12]]
    assert sorted(above) == sorted(rung)[:3]
    assert experiment.proposals[12].point["rate"] == min(rung)


def test_a_promoted_trial_names_the_one_that_it_continues():
    experiment = Experiment(problem(r_l="9"))
    experiment.run(1)
    promoted = experiment.proposals[9]
    lower = [each.point["rate"] for each in experiment.proposals].index(promoted.point["rate"])
    assert promoted.parent == trial_name("halving", "halving", lower)
    assert promoted.reason == f"promoted from {promoted.parent}"


@pytest.mark.parametrize("how", ["failed", "nan", "killed", "stopped"])
@pytest.mark.parametrize("parallel", [1, 4, 27])
def test_whatever_becomes_of_any_one_trial_every_rung_is_filled(how, parallel):
    lucky = Experiment(problem(r_l="27"))
    lucky.run(parallel)
    for unlucky in range(len(lucky.proposals)):
        experiment = Experiment(
            problem(r_l="27"), lambda index, one=unlucky: how if index == one else "observed"
        )
        assert experiment.run(parallel).state is SearchState.EXHAUSTED
        assert experiment.table() == lucky.table(), unlucky


def test_a_failed_trial_is_never_promoted_and_a_stopped_one_only_after_all_others():
    ends = {0: "failed", 1: "stopped", 2: "stopped"}
    experiment = Experiment(problem(r_l="9"), lambda index: ends.get(index, "observed"))
    experiment.run(1)
    rates = [each.point["rate"] for each in experiment.proposals]
    assert rates[9:12] == sorted(rates[3:9])[:3]


def test_a_rung_of_failures_ends_its_bracket():
    experiment = Experiment(problem(r_l="9"), lambda index: "failed" if index < 9 else "observed")
    experiment.run(1)
    assert experiment.table()[0, 1, 3] == 0
    assert experiment.table()[1, 0, 3] == 5


def test_a_rung_waits_for_its_last_trial_and_free_slots_go_to_later_brackets():
    experiment = Experiment(problem(r_l="9"))
    experiment.ask(9)
    for _ in range(8):
        experiment.finish()
    experiment.ask(100)
    assert {dict(each.labels)["bracket"] for each in experiment.proposals[9:]} == {"1", "2"}
    answer = experiment.ask(1)
    assert (answer.state, answer.note) == (
        SearchState.WAIT,
        "bracket 0, rung 0 waits for 1 running trial",
    )
    experiment.finish(8)
    assert dict(experiment.ask(1).proposals[0].labels) == {"bracket": "0", "rung": "1"}


def test_a_dropped_trial_gives_its_place_to_another():
    experiment = Experiment(problem(r_l="9"))
    experiment.ask(9)
    experiment.fold.observe(Dropped(experiment.position + 1, 4))
    assert dict(experiment.ask(1).proposals[0].labels) == {"bracket": "0", "rung": "0"}


def test_a_trial_dropped_after_its_promotion_leaves_no_rung_with_too_many():
    experiment = Experiment(problem(r_l="9"))
    experiment.ask(9)
    while experiment.running:
        experiment.finish()
    experiment.ask(3)
    promoted = experiment.proposals[9].point["rate"]
    lower = [each.point["rate"] for each in experiment.proposals].index(promoted)
    experiment.fold.observe(Dropped(experiment.position + 1, lower))
    experiment.position += 1
    experiment.run(1)
    assert experiment.table()[0, 1, 3] == 3


@pytest.mark.parametrize("algorithm", ["hyperband", "asha", "bohb"])
def test_what_a_promoted_trial_came_to_is_unlearnt_when_it_is_dropped(algorithm):
    """It goes the way of one that was promoted and never ended."""
    answers = []
    for ended in (False, True):
        experiment = Experiment(problem(algorithm, r_l="9"))
        experiment.ask(9)
        while experiment.running:
            experiment.finish()
        experiment.ask(3)
        if ended:
            experiment.end = lambda _index: "worst"
            experiment.finish(9)
        experiment.fold.observe(Dropped(experiment.position + 1, 9))
        answers.append(experiment.fold.suggest(12, 5))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("algorithm", ["hyperband", "asha", "bohb"])
@pytest.mark.parametrize("parallel", [1, 4, 9, 30])
def test_who_takes_all_or_none_is_never_answered_short(algorithm, parallel):
    """Katib's controller asks again and again for as many, and starts none before it has them."""
    experiment = Experiment(replace(problem(algorithm, r_l="9"), all_or_none=True))
    while len(experiment.proposals) < 90:
        wanted = parallel - len(experiment.running)
        assert len(experiment.ask(wanted).proposals) == wanted
        experiment.finish()


def test_who_takes_all_or_none_gets_the_brackets_of_the_paper_before_they_begin_again():
    experiment = Experiment(replace(problem(), all_or_none=True))
    experiment.run(1, limit=2 * sum(PAPER.values()))
    again = {(bracket + 5, level, epochs): n for (bracket, level, epochs), n in PAPER.items()}
    assert experiment.table() == {**PAPER, **again}


def test_a_round_of_brackets_is_known_again_from_the_log_in_any_order_of_its_batch():
    """Katib's trials of one second come in the order of their names."""
    asked = replace(problem(r_l="9"), all_or_none=True)
    proposals = registry.start(asked).suggest(0, 50).proposals
    fold = registry.start(asked)
    for position, proposal in enumerate(reversed(proposals), start=1):
        fold.observe(Proposed(position, position - 1, proposal, 0))
    assert sum(len(rungs[0].trials) for rungs in fold.brackets) == 50


@pytest.mark.parametrize("label", ["", "-1", "999999999", "x"])
def test_a_bracket_that_nobody_began_is_a_stranger_s(label):
    fold = registry.start(replace(problem(r_l="9"), all_or_none=True))
    stray = Proposal({"rate": 0.5, "epochs": 1}, labels=(("bracket", label), ("rung", "0")))
    fold.observe(Proposed(1, 0, stray, 0))
    assert len(fold.brackets) < 2000
    assert not any(rungs[0].trials for rungs in fold.brackets)


def test_a_small_space_gives_no_configuration_twice_to_one_rung():
    few = Parameter("rate", ParameterKind.DISCRETE, choices=("1", "2", "3", "4"))
    experiment = Experiment(problem(r_l="9", parameters=(few, EPOCHS)))
    experiment.finish = finishing_by_number(experiment)
    assert experiment.run(2).state is SearchState.EXHAUSTED
    fresh = [tuple(each.point.items()) for each in experiment.proposals if each.parent is None]
    assert len(fresh) == len(set(fresh))
    assert experiment.table()[0, 0, 1] == 4


def finishing_by_number(experiment):
    """Return a `finish` for points whose rate is text."""

    def finish():
        index = experiment.running.pop(0)
        experiment.position += 1
        value = float(experiment.proposals[index].point["rate"])
        experiment.fold.observe(
            Finished(experiment.position, index, TrialState.SUCCEEDED, Verdict.OBSERVED, value)
        )

    return finish


def test_asha_promotes_as_soon_as_a_trial_is_among_the_best_third():
    experiment = Experiment(problem("asha", r_l="9"))
    for _ in range(3):
        experiment.ask(1)
        experiment.finish()
    rates = [each.point["rate"] for each in experiment.proposals]
    (promoted,) = experiment.ask(1).proposals
    assert (promoted.point["rate"], promoted.point["epochs"]) == (min(rates), 3)
    (new,) = experiment.ask(1).proposals
    assert new.point["epochs"] == 1


def test_asha_never_waits():
    experiment = Experiment(problem("asha", r_l="9"))
    assert len(experiment.ask(500).proposals) == 500


def test_asha_gives_less_than_one_of_a_resource_that_is_a_share():
    share = Parameter("epochs", ParameterKind.DOUBLE, Decimal(1), Decimal(1))
    asked = problem("asha", r_l="0.3", r_min="0.1", parameters=(RATE, share))
    experiment = Experiment(asked)
    experiment.ask(9)
    points = [proposal.point for proposal in experiment.proposals]
    assert {point["epochs"] for point in points} == {0.1}
    assert all(map(asked.space.contains, points))


def test_asha_gives_the_most_to_few():
    experiment = Experiment(problem("asha", r_l="27"))
    experiment.run(4, limit=400)
    by_epochs = Counter(each.point["epochs"] for each in experiment.proposals)
    assert sorted(by_epochs) == [1, 3, 9, 27]
    assert by_epochs[1] > 2 * by_epochs[3] > 4 * by_epochs[9] > 4 * by_epochs[27] > 0


def test_bohb_learns_from_what_hyperband_would_forget():
    """Of the later brackets' own configurations, more lie near the best."""

    def near(algorithm):
        found = 0
        for seed in range(8):
            experiment = Experiment(problem(algorithm, r_l="27", random_state=str(seed)))
            experiment.run(1)
            fresh = [each for each in experiment.proposals if each.parent is None][27:]
            found += sum(each.point["rate"] < 0.1 for each in fresh)
        return found

    assert near("bohb") > 2 * near("hyperband")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"r_l": "9"}, "r_l and resource_name must be set."),
        ({"resource_name": "epochs"}, "r_l and resource_name must be set."),
        ({"r_l": "-1", "resource_name": "epochs"}, "r_l must be a positive float number."),
        (
            {"r_l": "9", "resource_name": "epoch"},
            "value of resource_name setting must be in parameters.",
        ),
        ({"r_l": "9", "resource_name": "epochs", "eta": "1"}, "eta must be 2 or more."),
    ],
)
@pytest.mark.parametrize("algorithm", ["hyperband", "asha", "bohb"])
def test_wrong_settings_are_refused_in_katib_s_words(algorithm, settings, message):
    asked = Problem(
        "halving",
        "halving",
        SearchSpace((RATE, EPOCHS)),
        problem().objective,
        algorithm,
        settings,
    )
    with pytest.raises(Invalid) as caught:
        registry.start(asked)
    assert caught.value.faults[0].message == message


def test_fewer_slots_than_a_rung_has_trials_are_enough():
    """Katib refuses hyperband below ceil(eta^s) trials in parallel; here one is enough."""
    assert Experiment(problem(r_l="9")).run(1).state is SearchState.EXHAUSTED


@pytest.mark.parametrize("algorithm", ["hyperband", "asha", "bohb"])
@pytest.mark.parametrize(
    ("parameters", "settings", "message"),
    [
        ((RATE, EPOCHS), {"r_l": "inf"}, "r_l must be a positive float number."),
        (
            (RATE, Parameter("epochs", ParameterKind.DISCRETE, choices=("9", "27"))),
            {"r_l": "27"},
            "two rungs would give epochs the same value: they are 1, 3, 9, 27",
        ),
    ],
)
def test_rungs_that_could_not_be_told_apart_or_counted_are_refused(
    algorithm, parameters, settings, message
):
    with pytest.raises(Invalid) as caught:
        registry.start(problem(algorithm, parameters=parameters, **settings))
    assert caught.value.faults[0].message == message


def test_where_a_short_answer_would_hold_the_search_up_the_brackets_begin_again():
    """Katib's controller takes as many points as it asked for, or none."""
    experiment = Experiment(replace(problem(r_l="9"), all_or_none=True))
    assert len(experiment.ask(100).proposals) == 100
    brackets_begun = {int(dict(each.labels)["bracket"]) for each in experiment.proposals}
    assert max(brackets_begun) > 3
