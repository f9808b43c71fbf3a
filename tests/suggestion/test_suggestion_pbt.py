"""Population based training: who goes on from whom, whatever becomes of trials."""

import random
from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest
from tunewright.api.errors import Invalid
from tunewright.api.history import Dropped, Finished, Proposed, SearchState, Verdict
from tunewright.api.identity import trial_name
from tunewright.api.objective import Direction, Metric, Objective, Strategy
from tunewright.api.problem import Problem
from tunewright.api.space import Distribution, Parameter, ParameterKind, SearchSpace
from tunewright.api.states import TrialState
from tunewright.suggestion import registry
from tunewright.suggestion.algorithms.pbt_steps import explored, perturbed
from tunewright.suggestion.cube import Axis

RATE = Parameter("rate", ParameterKind.DOUBLE, Decimal(0), Decimal(1))
SETTINGS = {
    "suggestion_trial_dir": "/opt/katib/data",
    "n_population": "5",
    "truncation_threshold": "0.2",
}
LABEL = "pbt.suggestion.katib.kubeflow.org"
ENDS = {
    "failed": (TrialState.FAILED, Verdict.BAD, None),
    "nan": (TrialState.SUCCEEDED, Verdict.BAD, float("nan")),
    "killed": (TrialState.KILLED, Verdict.NOTHING, None),
    "unavailable": (TrialState.METRICS_UNAVAILABLE, Verdict.NOTHING, None),
}


def problem(*, experiment="population", parameters=(RATE,), **settings):
    return Problem(
        experiment=experiment,
        uid="population",
        space=SearchSpace(tuple(parameters)),
        objective=Objective(Metric("loss", Strategy.MIN), Direction.MINIMIZE),
        algorithm="pbt",
        settings={**SETTINGS, **settings},
        seed=7,
    )


class Search:
    """A search whose trials end as a test says."""

    def __init__(self, asked=None):
        self.problem = asked or problem()
        self.fold = registry.start(self.problem)
        self.entries = []
        self.proposals = []

    def ask(self, count=5):
        answer = self.fold.suggest(len(self.proposals), count)
        for proposal in answer.proposals:
            self.note(Proposed, len(self.proposals), proposal, len(self.entries))
            self.proposals.append(proposal)
        return answer

    def end(self, index, how):
        """End a trial: with a loss, or in one of the other ways."""
        by_loss = (TrialState.SUCCEEDED, Verdict.OBSERVED, how)
        self.note(Finished, index, *(ENDS[how] if isinstance(how, str) else by_loss))

    def note(self, entry, *fields):
        self.entries.append(entry(len(self.entries) + 1, *fields))
        self.fold.observe(self.entries[-1])

    def name(self, index):
        return trial_name(self.problem.experiment, self.problem.uid, index)

    def generation(self, *ends):
        """Run a generation; return the proposals of the next."""
        first = len(self.proposals)
        self.ask(len(ends))
        for index, how in enumerate(ends, start=first):
            self.end(index, how)
        return self.ask(len(ends)).proposals


def labels(proposal):
    return {key.removeprefix(f"{LABEL}/"): value for key, value in proposal.labels}


# Settings, in Katib's words.


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_population": ""}, "Required params missing: n_population"),
        (
            {"suggestion_trial_dir": "", "truncation_threshold": ""},
            "Required params missing: suggestion_trial_dir, truncation_threshold",
        ),
        ({"n_population": "4"}, "Param(n_population) should be >= 5"),
        ({"n_population": "1000000000"}, "n_population is too large"),
        (
            {"truncation_threshold": "1.1"},
            "Param(truncation_threshold) should be between 0 and 1, inclusive",
        ),
        (
            {"resample_probability": "-0.1"},
            (
                "Param(resample_probability) should be null to perturb at 0.8 or 1.2, or be "
                "between 0 and 1, inclusive, to resample"
            ),
        ),
        ({"suggestion_trial_dir": "data"}, "should be an absolute path"),
    ],
)
def test_a_setting_out_of_range_is_refused(settings, message):
    given = {key: value for key, value in {**SETTINGS, **settings}.items() if value}
    with pytest.raises(Invalid) as refused:
        registry.start(replace(problem(), settings=given))
    assert message in str(refused.value)


@pytest.mark.parametrize("probability", ["0", "0.5", "1"])
def test_a_probability_to_resample_is_a_number_and_no_text(probability):
    assert len(Search(problem(resample_probability=probability)).generation(1, 2, 3, 4, 5)) == 5


# Generations.


def test_the_worst_goes_on_from_the_checkpoint_and_the_parameters_of_the_best():
    search = Search()
    children = search.generation(3.0, 1.0, 2.0, 5.0, 4.0)
    assert [each.parent for each in children] == [search.name(each) for each in (0, 1, 2, 1, 4)]
    best = search.proposals[1].point["rate"]
    assert children[3].point["rate"] in {best * 0.8, min(best * 1.2, 1.0)}
    assert children[3].reason == f"{search.name(3)} goes on from {search.name(1)}"


def test_a_trial_says_its_generation_its_member_and_its_parent():
    search = Search()
    children = search.generation(3.0, 1.0, 2.0, 5.0, 4.0)
    assert labels(search.proposals[3]) == {"generation": "0", "member": "3"}
    assert labels(children[3]) == {"generation": "1", "member": "3", "parent": search.name(1)}


def test_a_generation_waits_for_all_of_the_one_before_and_says_for_how_many():
    search = Search()
    answer = search.ask(8)
    assert (len(answer.proposals), answer.state) == (5, SearchState.WAIT)
    for index in range(4):
        search.end(index, 1.0)
    answer = search.ask(1)
    assert (answer.proposals, answer.state) == ((), SearchState.WAIT)
    assert answer.note == "generation 0 waits for 1 of its 5 trials"
    search.end(4, 1.0)
    assert len(search.ask(5).proposals) == 5


def test_the_points_of_a_generation_are_the_same_in_one_batch_and_one_by_one():
    whole, single = Search(), Search()
    whole.generation(3.0, 1.0, 2.0, 5.0, 4.0)
    for _ in range(5):
        single.ask(1)
    for index, loss in enumerate((3.0, 1.0, 2.0, 5.0, 4.0)):
        single.end(index, loss)
    for _ in range(5):
        single.ask(1)
    assert single.proposals == whole.proposals


def test_a_search_of_many_generations_comes_to_better_points():
    search = Search(problem(n_population="10"))
    for first in range(0, 200, 10):
        search.ask(10)
        for index in range(first, first + 10):
            search.end(index, abs(search.proposals[index].point["rate"] - 0.3))
    last = [abs(each.point["rate"] - 0.3) for each in search.proposals[190:]]
    early = [abs(each.point["rate"] - 0.3) for each in search.proposals[:10]]
    assert sorted(last)[5] < sorted(early)[5]


# What becomes of trials.


@pytest.mark.parametrize("how", ["failed", "nan"])
def test_a_bad_trial_is_replaced_and_never_tried_for_ever(how):
    search = Search()
    children = search.generation(3.0, how, 2.0, 5.0, 4.0)
    assert children[1].parent == search.name(2)
    assert all(each.parent != search.name(1) for each in children)


@pytest.mark.parametrize("how", ["killed", "unavailable"])
def test_a_trial_that_told_nothing_holds_nobody_up_and_is_tried_once_more(how):
    search = Search()
    children = search.generation(3.0, how, 2.0, 5.0, 4.0)
    assert len(children) == 5
    again = children[1]
    assert (again.point, again.parent) == (search.proposals[1].point, None)


def test_what_is_tried_once_more_begins_where_the_lost_one_did():
    search = Search()
    first = search.generation(3.0, 1.0, 2.0, 5.0, 4.0)
    for index in range(5, 10):
        search.end(index, "killed" if index == 6 else 1.0)
    again = search.ask(5).proposals[1]
    assert (again.point, again.parent) == (first[1].point, search.name(1))


@pytest.mark.parametrize("how", [*ENDS, float("inf"), float("-inf"), 1.0])
@pytest.mark.parametrize("share", ["0", "0.2", "1"])
def test_no_end_of_all_trials_wedges_the_search(how, share):
    search = Search(problem(truncation_threshold=share))
    for _ in range(3):
        assert len(search.generation(*[how] * 5)) == 5
        for index in range(len(search.proposals) - 5, len(search.proposals)):
            search.end(index, how)


def test_an_early_stopped_trial_counts_by_what_it_reached():
    search = Search()
    search.ask()
    for index, loss in enumerate((3.0, 1.0, 2.0, 5.0, 4.0)):
        search.note(Finished, index, TrialState.EARLY_STOPPED, Verdict.OBSERVED, loss)
    assert search.ask().proposals[3].parent == search.name(1)


def test_the_place_of_a_dropped_trial_is_filled_again():
    search = Search()
    search.ask()
    search.note(Dropped, 2)
    answer = search.ask()
    assert [labels(each)["member"] for each in answer.proposals] == ["2"]
    assert answer.proposals[0].point != search.proposals[2].point


# Who takes all or none, as Katib's controller does.


def all_or_none(**settings):
    return Search(replace(problem(**settings), all_or_none=True))


@pytest.mark.parametrize("parallel", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_who_takes_all_or_none_is_never_answered_short(parallel, at_once):
    """Trials end in an order of chance, `at_once` between two questions; all members go on."""
    search, running, chance = all_or_none(), [], random.Random(1)
    while len(search.proposals) < 60:
        wanted = parallel - len(running)
        first = len(search.proposals)
        assert len(search.ask(wanted).proposals) == wanted
        running += range(first, len(search.proposals))
        for index in chance.sample(running, min(at_once, len(running))):
            running.remove(index)
            search.end(index, chance.choice([1.0, 2.0, 3.0, "failed", "killed"]))
    seen = [
        (int(found["generation"]), int(found["member"]))
        for found in map(labels, search.proposals)
        if found
    ]
    assert len(set(seen)) == len(seen)
    newest = max(generation for generation, _ in seen)
    assert newest >= 5
    assert {place for place in seen if place[0] < newest - 1} == {
        (generation, member) for generation in range(newest - 1) for member in range(5)
    }


def test_a_member_that_is_over_begins_the_next_generation_early():
    search = all_or_none()
    search.ask(5)
    for index, loss in enumerate((3.0, 1.0, 2.0, 4.0)):  # the fifth still runs
        search.end(index, loss)
    (early,) = search.ask(1).proposals
    assert labels(early)["generation"] == "1"
    assert early.parent == search.name(0)


def test_more_slots_than_members_run_points_of_none():
    search = all_or_none()
    members = [labels(each).get("member") for each in search.ask(7).proposals]
    assert members == ["0", "1", "2", "3", "4", None, None]
    assert search.proposals[5].reason == "all 5 members are running"
    assert search.proposals[5].point != search.proposals[6].point


def test_who_takes_fewer_points_waits_for_a_generation_to_be_over():
    search = Search()
    search.ask(5)
    for index in range(4):
        search.end(index, 1.0)
    answer = search.ask(1)
    assert (answer.proposals, answer.state) == ((), SearchState.WAIT)


def test_a_persons_trial_is_no_member():
    search = Search()
    plain = replace(Search().ask(1).proposals[0], labels=())
    search.note(Proposed, 0, plain, 0)
    search.proposals.append(plain)
    assert len(search.ask(8).proposals) == 5


def test_a_fold_made_again_from_the_log_goes_on_the_same_way():
    search = Search()
    search.generation(3.0, "failed", "killed", 5.0, 4.0)
    for index in (5, 7, 9):
        search.end(index, 1.0)
    search.note(Dropped, 6)
    again = registry.start(search.problem)
    for entry in search.entries:
        again.observe(entry)
    first = len(search.proposals)
    assert again.suggest(first, 5) == search.fold.suggest(first, 5)


def test_names_and_labels_fit_kubernetes_of_the_longest_experiment():
    search = Search(problem(experiment="e" * 40))
    for child in search.generation(3.0, 1.0, 2.0, 5.0, 4.0):
        assert child.name is None  # the store's name is shorter than Katib's
        assert all(len(value) <= 63 for _key, value in child.labels)


# Steps.


def steps(parameter, value, count=40):
    return Counter(perturbed(Axis(parameter), value, random.Random(seed)) for seed in range(count))


@pytest.mark.parametrize(
    ("parameter", "value", "found"),
    [
        (Parameter("x", ParameterKind.DOUBLE, Decimal(0), Decimal(10)), 5.0, {4.0, 6.0}),
        (Parameter("x", ParameterKind.DOUBLE, Decimal(0), Decimal(5)), 5.0, {4.0, 5.0}),
        (Parameter("x", ParameterKind.DOUBLE, Decimal(-9), Decimal(9)), -5.0, {-4.0, -6.0}),
        (
            Parameter("x", ParameterKind.DOUBLE, Decimal(0), Decimal(1), Decimal("0.1")),
            0.5,
            {0.4, 0.6},
        ),
        (Parameter("x", ParameterKind.INT, Decimal(1), Decimal(9)), 1, {1, 2}),
        (Parameter("x", ParameterKind.INT, Decimal(1), Decimal(99)), 50, {40, 60}),
        (Parameter("x", ParameterKind.INT, Decimal(-9), Decimal(9)), -1, {-2, 0}),
        (Parameter("x", ParameterKind.DISCRETE, choices=("8", "1", "4")), "4", {"1", "8"}),
        (Parameter("x", ParameterKind.DISCRETE, choices=("8", "1", "4")), "8", {"4", "8"}),
        (Parameter("x", ParameterKind.CATEGORICAL, choices=("a", "b", "c")), "a", {"b", "c"}),
        (Parameter("x", ParameterKind.CATEGORICAL, choices=("a",)), "a", {"a"}),
    ],
)
def test_a_step_stays_in_the_space(parameter, value, found):
    assert set(steps(parameter, value)) == found


def test_a_resampled_value_comes_from_the_parameters_distribution():
    rate = Parameter(
        "x", ParameterKind.DOUBLE, Decimal("1e-6"), Decimal(1), None, (), Distribution.LOG_UNIFORM
    )
    drawn = [explored(Axis(rate), 1.0, 1.0, random.Random(seed)) for seed in range(200)]
    assert 60 < sum(float(value) < 1e-3 for value in drawn) < 140


def test_without_luck_a_value_is_perturbed_instead_of_resampled():
    assert explored(Axis(RATE), 0.5, 0.0, random.Random(1)) in {0.4, 0.6}
