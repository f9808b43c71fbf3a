"""What the early-stopping service holds of an experiment, and may forget at any time."""

import itertools
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from ...api.observation import Observation
from ...api.stopping import Stop
from ...proto.convert_stopping import Ended, Question, Running
from ..held import SendAll
from .curves import means_after
from .registry import Rules

GREATEST = 64
"""Experiments that are held; beyond it the one not asked for longest is forgotten."""


class Held:
    """The curves of one experiment, as they were sent: the `CurveLog` of its rule."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        ticks = itertools.count()
        self._rules = Rules(lambda: float(next(ticks)))  # what is held here is never a second old
        self._position = 0
        self._ended: dict[int, Ended] = {}
        self._arrivals: list[tuple[int, Ended]] = []  # by the position that they came with
        self._running: dict[int, tuple[int, list[float]]] = {}

    def judge(self, question: Question) -> Sequence[Stop]:
        """Take in what is new, and judge what is asked.

        A log only grows: what was sent by another replica is the same.

        Raises:
            SendAll: something before it is missing here.
        """
        if question.after > self._position:
            raise SendAll(f"position {question.after} is not held here: send from 0")
        for curve in question.running:
            self._follow(curve)
        self._position = max(self._position, question.position)
        for trial in question.ended:
            self._running.pop(trial.index, None)
            if trial.index not in self._ended:
                self._ended[trial.index] = trial
                self._arrivals.append((self._position, trial))
        stops: list[Stop] = []
        for curve in question.running:
            found = self._rules.evaluate(
                question.uid, question.rule, question.objective, curve.reports, self
            )
            stops += found[:1]
        return stops

    def _follow(self, curve: Running) -> None:
        attempt, means = self._running.get(curve.index, (0, []))
        if attempt != curve.attempt:
            means = []
        if curve.first_report > len(means) + 1:
            raise SendAll(
                f"trial {curve.index} is held to report {len(means)}: send it from report 1"
            )
        means[curve.first_report - 1 :] = curve.means
        self._running[curve.index] = (curve.attempt, means)

    def ended_since(
        self, experiment_uid: str, position: int, *, early_stopped: bool = False
    ) -> tuple[int, Sequence[int]]:
        del experiment_uid
        late = itertools.takewhile(lambda each: each[0] > position, reversed(self._arrivals))
        new = [trial.index for _, trial in late if early_stopped or not trial.early_stopped]
        return self._position, new[::-1]

    def running_means(
        self, experiment_uid: str, index: int, reports: Sequence[int]
    ) -> Mapping[int, float]:
        del experiment_uid
        if index in self._running:
            _, means = self._running[index]
            return means_after(reports, means)
        known = self._ended[index].means if index in self._ended else {}
        wanted = {*reports, max(known, default=0)}
        return {count: known[count] for count in sorted(wanted) if count in known}

    def observation(self, uid: str, index: int) -> Observation:
        """Other metrics than the objective are not sent."""
        del uid, index
        return {}


class Experiments:
    """What is held, by uid; each is used by one call at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[str, Held] = OrderedDict()

    def judge(self, question: Question) -> Sequence[Stop]:
        """Judge by what is held.

        Raises:
            SendAll: something before the question is missing here.
        """
        with self._lock:
            held = self._held.setdefault(question.uid, Held())
            self._held.move_to_end(question.uid)
            while len(self._held) > GREATEST:
                self._held.popitem(last=False)
        with held.lock:
            return held.judge(question)
