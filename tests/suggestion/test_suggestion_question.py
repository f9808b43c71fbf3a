"""What `plugin test` shows of a rule that is broken: the smallest history."""

import asyncio
from dataclasses import dataclass

import pytest
from tunewright.api.history import Finished, Proposal, Proposed, SearchState, Suggestion, Verdict
from tunewright.api.states import TrialState
from tunewright.suggestion.plugin.probe import SPACES, problem_of
from tunewright.suggestion.plugin.question import Question, answer, judged_by, smallest

PROBLEM = problem_of(SPACES["a few points"], "scripted")


def history(*values):
    """Return a log in which each trial was proposed after the end of the one before it."""
    entries = []
    for index, value in enumerate(values):
        at = len(entries)
        entries.append(Proposed(at + 1, index, Proposal({"a": index}), at))
        entries.append(
            Finished(at + 2, index, TrialState.SUCCEEDED, Verdict.OBSERVED, float(value))
        )
    return tuple(entries)


@dataclass
class Scripted:
    """A subject that answers by the log that it was shown."""

    answer_to: object
    asked: list

    def open(self, history, *, stateless):
        assert stateless
        return _Asked(self, history)

    async def begin(self):
        pass

    async def restart(self):
        pass


@dataclass
class _Asked:
    subject: Scripted
    history: object

    async def suggest(self, problem, first_index, count, *, position):
        entries = self.history(0)[:position]
        self.subject.asked.append((first_index, count, position))
        return Suggestion(tuple(self.subject.answer_to(entries)), SearchState.WAIT)

    async def close(self):
        pass


def values(entries):
    return [entry.value for entry in entries if isinstance(entry, Finished)]


def proposes_nonsense_after(*needed):
    def answer_to(entries):
        return [Proposal({"a": 99})] if set(needed) <= set(values(entries)) else []

    return answer_to


def shrunk(answer_to, question, judge=lambda _q, s: "nonsense" if s.proposals else None):
    return asyncio.run(smallest(Scripted(answer_to, []), question, judged_by(judge)))


@pytest.mark.parametrize("needed", [(), (3,), (0, 9), (2, 4, 8), tuple(range(10))])
def test_only_the_trials_that_break_the_rule_are_kept(needed):
    question = Question(PROBLEM, history(*range(10)), 2)
    found = shrunk(proposes_nonsense_after(*needed), question)
    assert values(found.entries) == list(needed)


def test_the_trials_that_are_kept_are_numbered_anew_and_in_order():
    found = shrunk(proposes_nonsense_after(4, 7), Question(PROBLEM, history(*range(10)), 2))
    assert [(entry.position, entry.index) for entry in found.entries] == [
        *((1, 0), (2, 0)),
        *((3, 1), (4, 1)),
    ]
    assert [e.made_from for e in found.entries if isinstance(e, Proposed)] == [0, 2]


def test_what_a_fresh_question_does_not_show_has_no_smallest_history():
    assert shrunk(lambda _entries: [], Question(PROBLEM, history(1, 2), 1)) is None


def test_an_error_is_a_wrong_answer():
    from tunewright.api.errors import PluginBroken

    def fails_after_a_trial(entries):
        if entries:
            raise PluginBroken("it fell over")
        return []

    found = shrunk(fails_after_a_trial, Question(PROBLEM, history(1, 2, 3), 1), lambda _q, _s: None)
    assert len(found.points) == 1


def test_a_question_from_the_start_goes_through_every_answer_that_led_to_the_log():
    subject = Scripted(lambda _entries: [], [])
    asyncio.run(answer(subject, Question(PROBLEM, history(5, 6), 3), from_start=True))
    assert subject.asked == [(0, 1, 0), (1, 1, 2), (2, 3, 4)]
