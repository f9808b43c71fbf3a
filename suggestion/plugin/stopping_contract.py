"""What every early-stopping rule must keep, clause by clause.

The settings that it is examined with must judge losses in (0, 1), of which those
above a half are bad: a bound, where the rule has one, is 0.5 for an accuracy as well.
A clause raises `Broken` where it is not kept.
"""

import itertools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

from ...api.errors import Fault, Invalid
from ...api.stopping import Evaluator, StoppingRule
from ..early_stopping.endpoints import describe_rules, validate_at_plugin
from ..early_stopping.registry import Rules, find, validate_rule
from ..early_stopping.remote import RemoteStopping
from ..early_stopping.stubs import Stubs
from .conformance import Complaint, Finding, Report
from .question import Broken
from .stopping_story import (
    MAXIMIZE,
    MINIMIZE,
    REPORTS,
    Curve,
    Ends,
    MemoryLog,
    Wave,
    best_curve,
    mirrored,
    progress,
    replay,
    story,
    with_trial,
)

NEEDED: Mapping[str, Mapping[str, str]] = {"threshold": {"bound": "0.5"}}
"""The settings that built-in rules cannot do without."""
_EXTRA = 1000  # the index of trials that a clause adds to the story


@dataclass(frozen=True)
class Examined:
    """A rule with the settings that it is examined with, and what makes evaluators of it.

    `setting_names` are those that the rule has.
    """

    rule: StoppingRule
    setting_names: frozenset[str]
    evaluator: Callable[[], Evaluator]

    @property
    def asks_for_nan(self) -> bool:
        return self.rule.settings.get("stop_on_nan") == "true"

    def kept(self) -> Callable[[], Evaluator]:
        """Let one evaluator judge every report."""
        evaluator = self.evaluator()
        return lambda: evaluator

    def ends(self, waves: Sequence[Wave]) -> Ends:
        return replay(waves, self.rule, self.kept())

    @cached_property
    def usual(self) -> Ends:
        """Where the trials of the story are stopped when nothing disturbs it."""
        return self.ends(story())

    def with_setting(self, name: str, value: object) -> "Examined":
        settings = {**self.rule.settings, name: str(value)}
        return replace(self, rule=replace(self.rule, settings=settings))


Clause: TypeAlias = Callable[[Examined], None]


def what_is_hopeless_is_stopped(examined: Examined) -> None:
    """Of forty trials, of which half get no better, some are stopped."""
    if not examined.usual:
        raise Broken("no trial was stopped, though half of 40 trials did not improve")


def the_best_goes_on(examined: Examined) -> None:
    """A trial that is the best at every report, and gets better, runs to its end."""
    ends = examined.ends(with_trial(story(), _EXTRA, best_curve()))
    stopped = [ends[index] for index in ends if index >= _EXTRA]
    if stopped:
        raise Broken(f"a trial that was always the best is stopped at report {stopped[0]}")


def both_directions_are_alike(examined: Examined) -> None:
    """Accuracies stop where losses stop that are as good."""
    accuracies = replay(mirrored(story()), examined.rule, examined.kept(), MAXIMIZE)
    text = "as accuracies to maximize, the losses 1 - x are judged differently"
    _same(examined.usual, accuracies, text)


def start_step_is_respected(examined: Examined) -> None:
    """Nobody is stopped before it, where the rule has this setting."""
    if "start_step" not in examined.setting_names:
        return
    for start in (2, 7, REPORTS + 1):
        ends = examined.with_setting("start_step", start).ends(story())
        early = min(ends.values(), default=REPORTS)
        if early < min(start, REPORTS):
            raise Broken(f"a trial is stopped at report {early}, before start_step {start}")


def nan_is_no_number(examined: Examined) -> None:
    """A trial of NaN alone changes nothing for others, and is stopped for it on request only."""
    with_nan = examined.ends(with_trial(story(), _EXTRA, [math.nan] * REPORTS))
    others = {index: count for index, count in with_nan.items() if index < _EXTRA}
    _same(examined.usual, others, "beside trials that report NaN, others are judged differently")
    own = [count for index, count in with_nan.items() if index >= _EXTRA]
    if own and not examined.asks_for_nan:
        raise Broken(f"a trial of NaN is stopped at report {own[0]}, though that was not requested")
    if examined.asks_for_nan and own.count(1) < len(story()):
        raise Broken("a trial of NaN continues, though stop_on_nan is true")


def one_nan_is_borne(examined: Examined) -> None:
    """The best trial goes on when one of its reports is NaN, unless that is asked for."""
    for place in (5, REPORTS - 4):
        curve = best_curve()
        curve[place - 1] = math.nan
        ends = examined.ends(with_trial(story(), _EXTRA, curve))
        stopped = [ends[index] for index in ends if index >= _EXTRA]
        if stopped and not (examined.asks_for_nan and set(stopped) == {place}):
            text = f"the best trial, whose report {place} is NaN,"
            raise Broken(f"{text} is stopped at report {stopped[0]}")


def any_number_is_borne(examined: Examined) -> None:
    """Infinities and the greatest numbers are judged like others, and end no rule."""
    wild = [math.inf, 1e308, -math.inf, -1e308, math.nan, 0.0] * (REPORTS // 6)
    for curve in (wild, wild[::-1], [math.inf] * REPORTS, [-math.inf] * REPORTS):
        examined.ends(with_trial(story()[:5], _EXTRA, curve))


def a_restart_changes_nothing(examined: Examined) -> None:
    """An evaluator that is made anew before every report decides like one that never was."""
    ends = replay(story(), examined.rule, examined.evaluator)
    _same(examined.usual, ends, "rebuilt before every report, the rule decides differently")


def two_replicas_decide_alike(examined: Examined) -> None:
    """Two that are shown every other report decide like one that is shown all."""
    pair = itertools.cycle([examined.evaluator(), examined.evaluator()])
    ends = replay(story(), examined.rule, lambda: next(pair))
    _same(examined.usual, ends, "of two replicas, each shown every other report,")


def a_batch_is_judged_report_by_report(examined: Examined) -> None:
    """A trial that sends all its reports at once is stopped if one that sends each is."""
    for wave in story()[5:]:
        for index, curve in wave.items():
            singly = _is_stopped(examined, index, curve, batch=1)
            if singly != _is_stopped(examined, index, curve, batch=len(curve)):
                when = "report by report, and not" if singly else "in one batch, and not"
                other = "in one batch" if singly else "report by report"
                raise Broken(f"trial {index} is stopped {when} {other}")


def experiments_are_apart(examined: Examined) -> None:
    """What was seen of an experiment changes nothing in another."""
    evaluators = examined.kept()
    replay(mirrored(story()), examined.rule, evaluators)
    ends = replay(story(), examined.rule, evaluators)
    _same(examined.usual, ends, "after another experiment, trials are judged differently")


def cost_does_not_grow(examined: Examined) -> None:
    """A report reads no more of the log when trials, and their reports, are many.

    Each trial that ended may be read once.
    """
    few = _read(examined, trials=20, reports=range(1, 101))
    many = _read(examined, trials=400, reports=range(6501, 6601))
    if many > few:
        raise Broken(
            f"one of the first 100 reports reads {few} facts of the log at most, and "
            f"one after 6500 reports, with 400 trials that ended, {many}"
        )


def _read(examined: Examined, trials: int, reports: range) -> int:
    """Return the most that is read of the log for one report, once the ended trials are known."""
    log, evaluator = MemoryLog(), examined.evaluator()
    for index, wave in zip(range(trials), itertools.cycle(story()), strict=False):
        log.values[index] = [*next(iter(wave.values()))]
        log.end(index)
    most = 0
    for index, window in ((_EXTRA, range(1, 101)), (_EXTRA + 1, reports)):
        own = log.values[index] = [0.6] * (window.start - 1)
        most = 0
        for count in window:
            own.append(0.6)
            report, before = progress(index, own, MINIMIZE), log.asked
            evaluator.evaluate(log.uid, examined.rule, MINIMIZE, [report], log)
            if count > window.start:  # the trial's own past may be read once, too
                most = max(most, log.asked - before)
    return most


def _told(waves: Sequence[Wave]) -> MemoryLog:
    """Return the log of trials that all succeeded."""
    log = MemoryLog()
    for wave in waves:
        for index, curve in wave.items():
            log.values[index] = [*curve]
            log.end(index)
    return log


def _is_stopped(examined: Examined, index: int, curve: Curve, *, batch: int) -> bool:
    """Say whether a trial is stopped that sends `batch` reports at a time, after 20 others."""
    log, evaluator = _told(story()[:5]), examined.evaluator()
    for begin in range(0, len(curve), batch):
        end = min(begin + batch, len(curve))
        log.values[index] = [*curve[:end]]
        reports = [progress(index, curve[:count], MINIMIZE) for count in range(begin + 1, end + 1)]
        if evaluator.evaluate(log.uid, examined.rule, MINIMIZE, reports, log):
            return True
    return False


def _at(report: int | None) -> str:
    return "never" if report is None else f"at report {report}"


def _same(one: Ends, other: Ends, text: str) -> None:
    index = next((i for i in {**one, **other} if one.get(i) != other.get(i)), None)
    if index is not None:
        stops = f"{_at(other.get(index))} instead of {_at(one.get(index))}"
        raise Broken(f"{text}: trial {index} is stopped {stops}")


CLAUSES: Mapping[str, Clause] = {
    "unpromising trials are stopped": what_is_hopeless_is_stopped,
    "the best trial continues": the_best_goes_on,
    "both directions are treated alike": both_directions_are_alike,
    "start_step is respected": start_step_is_respected,
    "NaN has no effect": nan_is_no_number,
    "one NaN is tolerated": one_nan_is_borne,
    "any number is tolerated": any_number_is_borne,
    "a restart changes nothing": a_restart_changes_nothing,
    "two replicas decide alike": two_replicas_decide_alike,
    "a batch is judged report by report": a_batch_is_judged_report_by_report,
    "experiments are independent": experiments_are_apart,
    "the cost does not grow": cost_does_not_grow,
}


def here(name: str, settings: Mapping[str, str] | None = None) -> Examined:
    """Examine a rule of this process; without settings with those that it cannot do without.

    Raises:
        Invalid: there is no such rule, or the settings are none of it.
    """
    rule = StoppingRule(name, NEEDED.get(name, {}) if settings is None else settings)
    _refuse(validate_rule(rule))
    names = frozenset(setting.name for setting in find(name).settings)
    return Examined(rule, names, lambda: Rules(_seconds()))


def at(address: str, name: str, settings: Mapping[str, str] | None = None) -> Examined:
    """Examine a rule of a service that speaks tunewright.v1.

    Raises:
        Invalid: there is no such rule, or the settings are none of it.
        PluginUnavailable: nothing answers at the address.
        PluginBroken: what answers does not know the protocol.
    """
    rule = StoppingRule(name, NEEDED.get(name, {}) if settings is None else settings, address)
    _refuse(validate_at_plugin(rule))
    stubs = Stubs()
    found = {each.name: each for each in describe_rules(stubs, rule)}
    names = frozenset(each.name for each in found[name].settings) if name in found else frozenset()
    return Examined(rule, names, lambda: RemoteStopping(stubs, _seconds(), _AtOnce()))


class _AtOnce(Executor):
    """Runs what is submitted before it returns: a report's stop is the answer to that report."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


def _seconds() -> Callable[[], float]:
    """Return a clock on which a second passes at each look."""
    ticks = itertools.count()
    return lambda: float(next(ticks))


def _refuse(faults: Sequence[Fault]) -> None:
    if faults:
        raise Invalid(faults)


def check_clause(examined: Examined, clause: str) -> Complaint | None:
    """Return how the rule breaks a clause; None where it is kept."""
    try:
        CLAUSES[clause](examined)
    except Broken as broken:
        return Complaint(str(broken))
    except Exception as error:  # noqa: BLE001  # whatever it is, it is the rule's
        return Complaint(f"{type(error).__name__}: {error}")
    return None


def examine_rule(examined: Examined) -> Report:
    """Check every clause."""
    findings = []
    for clause in CLAUSES:
        begun = time.monotonic()
        complaint = check_clause(examined, clause)
        findings.append(Finding(examined.rule.name, clause, complaint, time.monotonic() - begun))
    return Report(tuple(findings))
