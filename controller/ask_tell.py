"""Ask and tell: the turns of an experiment whose trials people run themselves.

There is no engine: whoever asks or tells takes the turns that follow from it.
A point is handed out by starting an attempt of its trial; what is told ends
the attempt. The store holds all that must outlive a call.
"""

from collections.abc import Mapping, Sequence

from ..api.asked import Answer, Asked, is_asked
from ..api.errors import Fault, Invalid, Unsupported
from ..api.excerpts import objective_of
from ..api.observation import Batch, Sample
from ..db.ledger import Ledger
from ..db.records import AttemptRecord, AttemptState, ExperimentRecord, Usage
from .asking import ask
from .effects import AskFor, Effect, Event, StartAttempt, StopAttempt, Turn
from .loading import Memory, view_of
from .plan import explain
from .plan.view import EndReason
from .ports import AttemptRef, Clock, Ended, Started, Suggester
from .turn import Turns

SOURCE = "tell"


class AskTell:
    """One experiment with `spec.askTell`.

    The caller holds the experiment's lock during each call: turns of two
    processes come one after the other. The suggester's fold and `_memory` save
    time, and may be lost. When a call raises, the store is as it was or a turn
    further, and the same call again counts nothing twice.
    """

    def __init__(
        self, store: Ledger, record: ExperimentRecord, suggester: Suggester, clock: Clock
    ) -> None:
        """Take the experiment.

        Raises:
            Unsupported: its trials have workloads, which an engine runs.
        """
        if not is_asked(record.document):
            name = record.key.name
            raise Unsupported(f"{name} runs its trials itself: nothing is asked for or told")
        self._store = store
        self._uid = record.uid
        self._metric = objective_of(record.document).metric.name
        self._suggester = suggester
        self._clock = clock
        self._turns = Turns(store, record.uid)
        self._memory = Memory()

    async def ask(self) -> Answer:
        """Hand out a point: one whose lease is over, or the algorithm's next."""
        given: list[StartAttempt] = []
        turn = await self._take([], given, room=1)
        now = self._clock.now()
        why = explain(view_of(turn.stored, turn.brief, self._memory), now)
        point = _asked(given[0], turn, now) if given else None
        return Answer(point, turn.done, why)

    async def tell(
        self, index: int, token: str, values: Mapping[str, float], *, failure: str | None = None
    ) -> bool:
        """End the attempt that `token` names: with values, or with the text of a failure.

        Returns whether it counts: it does not when the lease was over and the point given out
        again, or the trial ended meanwhile. Telling it twice is telling it once.

        Raises:
            Invalid: the objective's value is missing.
            NotFound: there is no such trial.
        """
        record = self._store.trial(self._uid, index)
        attempt = record.attempt
        if attempt is None or attempt.token != token:
            return False
        if attempt.state is AttemptState.ENDED:
            return attempt.reason in {EndReason.COMPLETED, EndReason.FAILED}
        if failure is None and self._metric not in values:
            told = ", ".join(values) or "nothing"
            raise Invalid([Fault(self._metric, f"the objective is missing, told was {told}")])
        ref = AttemptRef.last_of(self._uid, record)
        events = _told(ref, attempt, values, failure, self._clock.now())
        await self._take(events, [], room=0)
        return True

    async def settle(self) -> None:
        """Carry out what people asked for meanwhile, and what is due."""
        await self._take([], [], room=0)

    async def close(self) -> None:
        await self._suggester.close()

    async def _take(self, events: Sequence[Event], given: list[StartAttempt], *, room: int) -> Turn:
        """Take turns until nothing more follows; an attempt that is started goes to `given`."""
        while True:
            self._memory.room = room - len(given)
            turn = self._turns.take(events, self._memory, self._clock.now())
            events = [
                event for effect in turn.effects for event in await self._carry(effect, turn, given)
            ]
            asked = any(isinstance(effect, AskFor) for effect in turn.effects)
            due = turn.wake_at is not None and turn.wake_at <= self._clock.now()
            if not (events or asked or due):
                return turn

    async def _carry(
        self, effect: Effect, turn: Turn, given: list[StartAttempt]
    ) -> Sequence[Event]:
        """Carry an effect out, and return what is to be recorded of it."""
        now = self._clock.now()
        match effect:
            case StartAttempt():
                given.append(effect)
                return [Started(effect.ref, None, None, now)]
            case StopAttempt():
                message = "whoever asked for it is no longer waited for"
                return [Ended(effect.ref, EndReason.STOPPED, None, message, Usage(), now)]
            case AskFor():
                problem = turn.brief.problem
                answer = await ask(self._suggester, problem, effect, self._memory, self._clock)
                return [] if answer is None else [answer]
        return []


def _asked(given: StartAttempt, turn: Turn, now: float) -> Asked:
    ref, lease = given.ref, turn.brief.policy.lease
    assert lease is not None
    return Asked(ref.index, ref.trial, ref.attempt, ref.token, given.proposal.point, now + lease)


def _told(
    ref: AttemptRef,
    attempt: AttemptRecord,
    values: Mapping[str, float],
    failure: str | None,
    now: float,
) -> Sequence[Event]:
    """Return what is told as what a workload would have shown: its metrics, and its end."""
    samples = tuple(Sample(name, value, now) for name, value in values.items())
    usage = Usage(wall_seconds=max(now - (attempt.started_at or now), 0.0))
    reason = EndReason.COMPLETED if failure is None else EndReason.FAILED
    ended = Ended(ref, reason, 0 if failure is None else None, failure or "", usage, now)
    batch = Batch(ref.uid, ref.index, ref.attempt, SOURCE, 0, samples)
    return [batch, ended] if samples else [ended]
