"""What an administrator grants a namespace, carried out on a real API server."""

import asyncio

import pytest
from support.actors import JOBS, Fate, quadratic
from support.apiserver import NEEDED
from support.operated import experiment
from tunewright.api.errors import Invalid, NotFound
from tunewright.controller.kube.config import read_config
from tunewright.controller.kube.limiting import ahead
from tunewright.controller.plan.limits import NO_LIMITS, Limits


@pytest.fixture
def within(within):
    """Play a scenario in a namespace with limits."""

    def play(scenario, limits, script=quadratic):
        return within(scenario, script, limits=lambda namespace: limits)

    return play


def limited(document):
    """Return the condition that says what is held back."""
    conditions = (document.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each["type"] == "Limited"), None)


def stays(_point, _attempt):
    return Fate(stays=True)


class TestOnACluster:
    pytestmark = NEEDED

    @pytest.mark.parametrize(
        ("limits", "asked", "runs"),
        [
            (Limits(parallel=1), 3, 1),
            (Limits(default_parallel=1), None, 1),
            (Limits(default_parallel=4), None, 4),
            (Limits(default_parallel=1), 2, 2),
        ],
    )
    def test_so_many_trials_run_at_once_as_are_granted(self, within, limits, asked, runs):
        async def scenario(play):
            play.operate()
            await play.create(experiment(parallelTrialCount=asked, maxTrialCount=9))

            async def running():
                return len(play.jobs.active) >= runs

            await play.until(running)
            return play.jobs.most

        assert within(scenario, limits, stays) == runs

    def test_an_experiment_that_is_granted_fewer_trials_at_once_says_so(self, within):
        async def scenario(play):
            play.operate()
            await play.create(experiment(parallelTrialCount=4))

            async def told():
                status = (await play.get()).get("status") or {}
                return limited({"status": status}) and status.get("waitsFor") and status

            return await play.until(told)

        status = within(scenario, Limits(parallel=2), stays)
        said = "2 instead of parallelTrialCount 4"
        condition = limited({"status": status})
        assert (condition["status"], condition["reason"]) == ("True", "ParallelTrialsLimited")
        assert said in condition["message"]
        assert any(said in line for line in status["waitsFor"])

    def test_an_experiment_waits_until_another_of_its_namespace_has_ended(self, within):
        async def scenario(play):
            play.operate()
            await play.create(experiment("first", maxTrialCount=1, parallelTrialCount=1))

            async def has_begun():
                return (await play.get("first")).get("status", {}).get("startTime")

            await play.until(has_begun)
            await play.create(experiment("second", maxTrialCount=1, parallelTrialCount=1))

            async def told():
                return limited(await play.get("second"))

            condition = await play.until(told)
            waits = await play.get("second")
            held.set()
            return condition, waits, await play.ends("second")

        held = asyncio.Event()

        def until_another_is_held(_point, _attempt):
            return Fate(stays=not held.is_set())

        condition, waits, ended = within(scenario, Limits(experiments=1), until_another_is_held)
        assert condition["reason"] == "ExperimentsLimited"
        assert "1 may be active at once, and these are: first" in condition["message"]
        assert waits["status"]["conditions"][-1]["type"] == "Created"
        assert "startTime" not in waits["status"]
        assert limited(ended)["status"] == "False"

    @pytest.mark.parametrize(
        ("limits", "ttl"),
        [(NO_LIMITS, 0), (Limits(ttl_seconds=0), None), (Limits(ttl_seconds=0), 60)],
    )
    def test_an_ended_experiment_is_deleted_when_its_time_is_over(self, within, limits, ttl):
        async def scenario(play):
            play.operate()
            await play.create(experiment(maxTrialCount=2, ttlSecondsAfterFinished=ttl))

            async def gone():
                try:
                    await play.get()
                except NotFound:
                    return True
                return False

            return await play.until(gone)

        assert within(scenario, limits)

    @pytest.mark.parametrize(
        ("limits", "spec", "said"),
        [
            (
                Limits(kinds=frozenset({"trainjobs.trainer.kubeflow.org"})),
                {},
                "spec.trialTemplate.trialSpec.kind: jobs.batch is not granted to namespace",
            ),
            (
                Limits(plugins=frozenset()),
                {"algorithm": {"algorithmName": "mine", "endpoint": "mine.team:6789"}},
                "spec.algorithm.algorithmName: mine is not granted to namespace",
            ),
        ],
    )
    def test_what_is_not_granted_ends_the_experiment_before_its_first_trial(
        self, within, limits, spec, said
    ):
        async def scenario(play):
            play.operate()
            await play.create(experiment(**spec))
            return await play.ends(), await play.all(JOBS)

        ended, jobs = within(scenario, limits)
        last = ended["status"]["conditions"][-1]
        assert (last["type"], last["reason"]) == ("Failed", "InvalidSpec")
        assert said in last["message"]
        assert not jobs


def resource(name, created, *, begun=False, state=None, suspend=False):
    conditions = [{"type": state, "status": "True"}] if state else []
    status = {"conditions": conditions} | ({"startTime": created} if begun else {})
    metadata = {"name": name, "uid": name, "creationTimestamp": created}
    return {"metadata": metadata, "spec": {"suspend": suspend}, "status": status}


OLD, NEW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        pytest.param([], (), id="nobody"),
        pytest.param([resource("a", OLD)], ("a",), id="an older one"),
        pytest.param([resource("a", NEW)], (), id="a newer one"),
        pytest.param([resource("a", NEW, begun=True)], ("a",), id="one that has begun"),
        pytest.param([resource("a", OLD, state="Failed")], (), id="one that has ended"),
        pytest.param([resource("a", OLD, suspend=True)], (), id="one that is suspended"),
    ],
)
def test_places_go_to_those_that_have_begun_and_then_by_age(others, expected):
    me = resource("me", "2026-01-01T12:00:00Z")

    assert ahead(me, [*others, me], Limits(experiments=1)) == expected
    assert ahead(me, [*others, me], NO_LIMITS) == ()


def test_an_experiment_without_a_spec_takes_no_place_of_others():
    bare = {"metadata": {"name": "bare", "uid": "b", "creationTimestamp": "2020-01-01T00:00:00Z"}}
    me = {**bare, "metadata": {**bare["metadata"], "name": "me", "uid": "m"}, "spec": {"seed": 1}}

    assert ahead(me, [bare, me], Limits(experiments=1)) == ()


SETTINGS = """
limits:
- namespaces: [team-a]
  parallelTrialCount: {default: 2, max: 8}
  experiments: 3
  ttlSecondsAfterFinished: 60
  kinds: [jobs.batch]
- plugins: []
"""


def test_the_first_limits_that_name_a_namespace_or_none_count(tmp_path):
    (tmp_path / "config.yaml").write_text(SETTINGS)
    config = read_config(tmp_path / "config.yaml")

    kinds = frozenset({"jobs.batch"})
    assert config.limits_of("team-a") == Limits(2, 8, 3, ttl_seconds=60, kinds=kinds)
    assert config.limits_of("team-b") == Limits(plugins=frozenset())


def test_a_limit_that_is_none_is_named(tmp_path):
    (tmp_path / "config.yaml").write_text("limits: [{parallelTrialCount: {max: 0}}]")

    with pytest.raises(Invalid, match=r"limits\.0\.parallelTrialCount\.max"):
        read_config(tmp_path / "config.yaml")


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(b"metrics: caf\xe9:6789", id="another encoding"),
        pytest.param(b"metrics: 2026-02-31", id="no day"),
        pytest.param(b"metrics: !!int five", id="no number"),
        pytest.param(b"[" * 2000, id="no end of lists"),
    ],
)
def test_settings_that_cannot_be_read_are_named_by_their_file(tmp_path, written):
    (tmp_path / "config.yaml").write_bytes(written)

    with pytest.raises(Invalid, match=r"config\.yaml"):
        read_config(tmp_path / "config.yaml")
