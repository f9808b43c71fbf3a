"""The statements about trials, each compiled once."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Integer, bindparam, or_, select, update

from ..api.states import TRIAL_EDGES, TrialState
from .records import AttemptState
from .rows import STATE_COLUMNS
from .schema import attempts, experiments, log, outputs, stops, summaries, trials, wishes
from .statements import Prepared, insert_of, update_of

BEST = 5
"""How many of the best trials an experiment shows."""

TRIAL = Prepared(
    select(trials).where(
        trials.c.experiment_id == bindparam("owner"), trials.c.idx == bindparam("idx")
    )
)
# Whoever writes about a trial locks its row, so that two writers take turns. On SQLite no lock
# is needed: there is one writing transaction at a time.
HELD = Prepared(
    select(trials)
    .where(trials.c.experiment_id == bindparam("owner"), trials.c.idx == bindparam("idx"))
    .with_for_update(key_share=True)
)
# The few columns of the same row that a report of metrics needs.
TARGET = Prepared(
    select(trials.c.id, trials.c.experiment_id, trials.c.name, trials.c.state, trials.c.attempt)
    .where(trials.c.experiment_id == bindparam("owner"), trials.c.idx == bindparam("idx"))
    .with_for_update(key_share=True)
)
HELD_EXPERIMENT = Prepared(
    select(experiments.c.version, experiments.c.position)
    .where(experiments.c.id == bindparam("owner"))
    .with_for_update(key_share=True)
)
BEST_TRIALS = Prepared(
    select(trials)
    .where(trials.c.experiment_id == bindparam("owner"), trials.c.loss.is_not(None))
    .order_by(trials.c.loss, trials.c.idx)
    .limit(bindparam("most", type_=Integer))
)
BEST_LOSS = Prepared(
    select(trials.c.loss)
    .where(trials.c.experiment_id == bindparam("owner"), trials.c.loss.is_not(None))
    .order_by(trials.c.loss)
    .limit(1)
)
IS_UNFINISHED = (trials.c.experiment_id == bindparam("owner")) & or_(
    trials.c.state == str(TrialState.CREATED), trials.c.state == str(TrialState.RUNNING)
)
# Unordered: asked for an order, SQLite walks all trials by index to find the few.
UNFINISHED = Prepared(select(trials).where(IS_UNFINISHED))
THEIR_ATTEMPTS = Prepared(
    select(attempts)
    .join_from(
        attempts,
        trials,
        (attempts.c.trial_id == trials.c.id) & (attempts.c.attempt == trials.c.attempt),
    )
    .where(IS_UNFINISHED)
)
THEIR_STOPS = Prepared(
    select(stops)
    .join_from(
        stops, trials, (stops.c.trial_id == trials.c.id) & (stops.c.attempt == trials.c.attempt)
    )
    .where(IS_UNFINISHED)
)
THEIR_SUMMARIES = Prepared(
    select(summaries)
    .join_from(
        summaries,
        trials,
        (summaries.c.trial_id == trials.c.id) & (summaries.c.attempt == trials.c.attempt),
    )
    .where(IS_UNFINISHED)
)
WISHES = Prepared(
    select(wishes)
    .where(wishes.c.experiment_id == bindparam("owner"), wishes.c.answered.is_(False))
    .order_by(wishes.c.id)
)
ENTRIES = (
    select(
        log.c.position,
        log.c.kind,
        log.c.idx,
        log.c.metrics,
        trials.c.proposal,
        trials.c.made_from,
        trials.c.state,
        trials.c.verdict,
        trials.c.observed,
        trials.c.value,
        trials.c.deviation,
        trials.c.text,
    )
    .join_from(
        log,
        trials,
        (trials.c.experiment_id == log.c.experiment_id) & (trials.c.idx == log.c.idx),
    )
    .where(log.c.experiment_id == bindparam("owner"), log.c.position > bindparam("after"))
    .order_by(log.c.position)
)
LOG = Prepared(ENTRIES)
SOME_OF_LOG = Prepared(ENTRIES.limit(bindparam("most", type_=Integer)))
POSITION = Prepared(select(experiments.c.position).where(experiments.c.id == bindparam("owner")))
TAKE = Prepared(
    update(experiments)
    .where(experiments.c.id == bindparam("owner"), experiments.c.proposed == bindparam("first"))
    .values(
        proposed=experiments.c.proposed + bindparam("count"),
        position=experiments.c.position + bindparam("count"),
        trials_created=experiments.c.trials_created + bindparam("count"),
    )
)
NEW_TRIAL = insert_of(
    trials,
    *("experiment_id", "idx", "name", "state", "reason", "message", "proposal", "made_from"),
    *("created_at", "attempt", "retries", "observed", "dropped"),
)
NEW_ENTRY = insert_of(log)
NEW_ATTEMPT = insert_of(
    attempts,
    *("trial_id", "attempt", "state", "token", "started_at", "reason", "message"),
    *("wall_seconds", "cpu_seconds", "peak_memory_bytes", "device_seconds"),
)
SET_ATTEMPT = update_of(trials, ("id",), ("attempt", "retry_at"))
ATTEMPT_RUNS = Prepared(
    update(attempts)
    .where(
        attempts.c.trial_id == bindparam("trial"),
        attempts.c.attempt == bindparam("number"),
        attempts.c.state == str(AttemptState.STARTING),
    )
    .values(
        state=str(AttemptState.RUNNING),
        pid=bindparam("pid"),
        pid_started_at=bindparam("pid_started_at"),
    )
)
END = ("state", "ended_at", "exit_code", "reason", "message")
USE = ("wall_seconds", "cpu_seconds", "peak_memory_bytes", "device_seconds")
ATTEMPT_ENDS = Prepared(
    update(attempts)
    .where(
        attempts.c.trial_id == bindparam("trial"),
        attempts.c.attempt == bindparam("number"),
        attempts.c.state != str(AttemptState.ENDED),
    )
    .values({name: bindparam(name) for name in (*END, *USE)})
)
NEW_OUTPUT = insert_of(outputs)
TRIAL_RUNS = update_of(trials, ("id",), ("state", "reason", "message", "started_at"))
TRIAL_ENDS = update_of(
    trials,
    ("id",),
    (
        *("state", "reason", "message", "finished_at", "retry_at"),
        *("observed", "value", "loss", "verdict", "deviation", "text"),
    ),
)
TRIAL_RETRIES = update_of(trials, ("id",), ("state", "reason", "message", "retries", "retry_at"))
TOTALS_OF_END = {
    "observed": experiments.c.observed + bindparam("observed_more"),
    "since_improvement": experiments.c.since_improvement * bindparam("keep") + bindparam("keep"),
    "position": experiments.c.position + 1,
}


def _passing(leaves: str, enters: str, totals: Mapping[str, Any]) -> Prepared:
    counts: dict[str, Any] = {
        leaves: experiments.c[leaves] - 1,
        enters: experiments.c[enters] + 1,
        **totals,
    }
    return Prepared(
        update(experiments).where(experiments.c.id == bindparam("owner")).values(counts)
    )


PASSING = {
    (old, new): _passing(
        STATE_COLUMNS[old], STATE_COLUMNS[new], TOTALS_OF_END if new.is_finished else {}
    )
    for old, edges in TRIAL_EDGES.items()
    for new in edges
}
UNBEGUN = _passing(
    STATE_COLUMNS[TrialState.CREATED],
    "trials_unbegun",
    {"position": TOTALS_OF_END["position"]},
)
"""The passage of a trial that ends before it had an attempt."""
