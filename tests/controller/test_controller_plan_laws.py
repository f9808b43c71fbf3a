"""Laws of `plan`: whatever happens, in whatever order, with a crash anywhere."""

import math
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from support.world import Fate, World, policy
from tunewright.api.policy import NoImprovement, Policy
from tunewright.controller.plan import explain, plan
from tunewright.controller.plan.view import EndReason, InitialTrial, Verb, Wish

REASONS = [EndReason.COMPLETED] * 5 + [EndReason.FAILED, EndReason.LOST, EndReason.OUT_OF_MEMORY]


def fates(seed: int):
    """What a trial does depends on its index and how often it was retried, and on nothing else."""

    def fate(index: int, retries: int) -> Fate:
        draw = Random(f"{seed}/{index}/{retries}")
        reason = draw.choice(REASONS)
        if reason is EndReason.LOST:  # it would be lost for ever
            reason = EndReason.COMPLETED
        value = draw.choice([None, float("nan"), draw.random(), draw.random(), draw.random()])
        return Fate(draw.uniform(0.0, 5.0), reason, value)

    return fate


policies = st.builds(
    policy,
    parallel=st.integers(1, 4),
    max_trials=st.integers(1, 12),
    max_failed=st.none() | st.integers(0, 5),
    retries=st.integers(0, 2),
    backoff_seconds=st.sampled_from([0.0, 3.0]),
    active_deadline=st.none() | st.just(4.0),
    no_improvement=st.none() | st.builds(NoImprovement, st.integers(2, 6), st.just(0.1)),
)
initials = st.lists(
    st.builds(InitialTrial, st.just({"x": 1.0}), st.sampled_from([(), (("loss", 0.5),)])),
    max_size=4,
).map(tuple)

SPACES = st.sampled_from([math.inf, 2, 5])
"""How many points there are."""

MISCHIEF = ["time", "time", "time", "step", "begin", "part", "crash", "twice", "wish", "stop-row"]
VERBS = [verb for verb in Verb if verb not in {Verb.STOP, Verb.EDIT}]


def disturb(world: World, draw: Random, wishes: bool) -> None:
    """Let one thing happen that may happen at any moment."""
    what = draw.choice(MISCHIEF)
    if what == "time":
        world.advance(draw.uniform(0.0, 3.0))
    elif what == "step":
        world.step()
    elif what == "begin" and world.running:
        world.begin(draw.choice(sorted(world.running)))
    elif what == "part":
        world.step(only=draw.randint(0, 3))
        world.crash()
    elif what == "crash":
        world.crash()
    elif what == "twice":
        world.step(times=2)
    elif what == "wish" and wishes:
        index = draw.randrange(6)
        verb = draw.choice(VERBS)
        named = index if verb.startswith("trial-") and verb is not Verb.TRIAL_ADD else None
        number = len(world.wishes) + len(world.answers) + 1
        world.wishes.append(Wish(number, verb, named, now=draw.random() < 0.5))
    elif what == "stop-row" and wishes and world.running:
        index = draw.choice(sorted(world.running))
        world.trials[index] = replace(world.trials[index], early_stop="worse", value=3.0)


def check(world: World) -> None:
    counted = world.counts.proposed - world.view().known
    assert world.policy.max_trials is None or counted <= world.policy.max_trials
    assert len(world.finished) == world.counts.finished
    assert plan(world.view(), world.now) == plan(world.view(), world.now)
    assert explain(world.view(), world.now)


def calm_down(world: World) -> None:
    """Nobody interferes any more, and a paused experiment is resumed."""
    world.wishes.append(Wish(1000, Verb.RESUME))
    world.run()


@settings(max_examples=150, deadline=None)
@given(policies, initials, SPACES, st.integers(0, 2**32), st.integers(0, 60), st.booleans())
def test_any_order_of_events_and_any_crash_ends_with_the_budget_kept_and_nothing_running(
    limits: Policy, points: tuple, space: float, seed: int, events: int, wishes: bool
) -> None:
    world, draw = World(limits, fates(seed), initial=points, points=space), Random(seed)
    for _ in range(events):
        disturb(world, draw, wishes)
        check(world)
    calm_down(world)
    check(world)
    assert world.state.is_finished
    assert not world.running
    assert not world.trials
    assert not world.wishes


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 4), st.integers(1, 10), st.integers(0, 2), st.integers(0, 2**32))
def test_a_run_with_crashes_ends_every_trial_as_a_run_without(
    parallel: int, trials: int, retries: int, seed: int
) -> None:
    limits = policy(
        parallel=parallel,
        max_trials=trials,
        retries=retries,
        max_failed=trials + 1,
        backoff_seconds=1.0,
    )
    calm, wild, draw = World(limits, fates(seed)), World(limits, fates(seed)), Random(seed)
    calm.run()
    for _ in range(draw.randint(0, 40)):
        disturb(wild, draw, wishes=False)
    wild.run()
    assert wild.finished == calm.finished
    assert (wild.state, wild.reason) == (calm.state, calm.reason)
    assert wild.counts.best == calm.counts.best


@settings(max_examples=60, deadline=None)
@given(policies, st.integers(0, 2**32), st.integers(0, 30))
def test_what_is_carried_out_is_not_decided_again(limits: Policy, seed: int, events: int) -> None:
    world, draw = World(limits, fates(seed)), Random(seed)
    for _ in range(events):
        disturb(world, draw, wishes=True)
    world.settle()
    assert world.plan().actions == ()
