"""An experiment's life on a cluster, by a real API server; Jobs are run by an actor."""

import asyncio
import json
from dataclasses import replace

import pytest
from support.actors import JOBS, Fate, quadratic
from support.apiserver import NEEDED
from support.operated import Passing, experiment
from tunewright.api.errors import ServerUnavailable
from tunewright.api.observation import Batch, Sample
from tunewright.controller.kube import driver
from tunewright.controller.kube.attempts import FAILED_KEPT
from tunewright.controller.kube.figures import Figures
from tunewright.controller.kube.operator import Operator
from tunewright.controller.kube.resources import EXPERIMENTS, SUGGESTIONS, TRIALS
from tunewright.suggestion.suggester import open_suggester

pytestmark = NEEDED


def test_an_experiment_runs_its_trials_and_tells_the_best(within):
    async def scenario(play):
        play.operate()
        await play.create(experiment())
        ended = await play.ends()
        return ended, await play.trials(), await play.all(SUGGESTIONS), play.jobs

    ended, trials, (suggestion,), jobs = within(scenario)
    status = ended["status"]
    assert [each["type"] for each in status["conditions"]] == ["Created", "Running", "Succeeded"]
    assert status["conditions"][-1]["reason"] == "ExperimentMaxTrialsReached"
    assert (status["trials"], status["trialsSucceeded"]) == (4, 4)
    losses = {
        trial["metadata"]["name"]: float(trial["status"]["observation"]["metrics"][0]["min"])
        for trial in trials
    }
    assert status["currentOptimalTrial"]["bestTrialName"] == min(losses, key=losses.__getitem__)
    assert float(status["best"]) == min(losses.values())
    assert [trial["spec"]["index"] for trial in trials] == [0, 1, 2, 3]
    assert {trial["status"]["conditions"][-1]["type"] for trial in trials} == {"Succeeded"}
    assert suggestion["status"]["suggestionCount"] == 4
    assert sorted(jobs.runs) == sorted((name, 1) for name in losses)
    assert jobs.most <= 2


def test_trials_that_wait_for_a_node_are_counted(within):
    async def scenario(play):
        play.operate()
        await play.create(experiment())

        async def counted():
            return (await play.get()).get("status", {}).get("trialsPending") == 2

        return await play.until(counted)

    assert within(scenario, lambda point, attempt: Fate(waits=True))


class _Noting(Passing):
    """A cluster that notes of which kinds it was told that they succeeded."""

    def __init__(self, kube):
        super().__init__(kube)
        self.succeeded = []

    async def apply(self, resource, namespace, document, **how):
        conditions = (document.get("status") or {}).get("conditions") or [{}]
        if conditions[-1].get("type") == "Succeeded":
            self.succeeded.append(document["kind"])
        return await self._kube.apply(resource, namespace, document, **how)


def test_whoever_sees_the_end_of_an_experiment_finds_its_suggestion_ended(within):
    async def scenario(play):
        noting = _Noting(play.kube)
        play.operate(noting)
        await play.create(experiment(resumePolicy="Never"))
        await play.ends()
        return [kind for kind in noting.succeeded if kind != "Trial"]

    assert within(scenario)[:2] == ["Suggestion", "Experiment"]


@pytest.mark.parametrize(("written", "seconds"), [({}, 60.0), ({"timeoutSeconds": 7}, 7.0)])
def test_an_answer_may_take_as_long_as_the_experiment_says(within, written, seconds):
    waited = []

    async def scenario(play):
        def noting(problem, history, *, timeout):
            waited.append(timeout)
            return open_suggester(problem, history, timeout=timeout)

        play.parts = replace(play.parts, open_suggester=noting)
        play.operate()
        await play.create(experiment(algorithm={"algorithmName": "random", **written}))
        await play.ends()

    within(scenario)
    assert set(waited) == {seconds}


def test_a_raised_budget_opens_an_ended_experiment_again(within):
    async def scenario(play):
        play.operate()
        await play.create(experiment(maxTrialCount=2))
        await play.ends()
        await play.edit(maxTrialCount=3)

        async def reopened():
            return (await play.get())["status"].get("trials") == 3

        await play.until(reopened)
        return await play.ends()

    status = within(scenario)["status"]
    assert status["trialsSucceeded"] == 3
    assert [each["type"] for each in status["conditions"]] == [
        *("Created", "Restarting", "Running", "Succeeded"),
    ]


class _Fickle:
    """An election that is lost as soon as it was won, the first time."""

    def __init__(self):
        self.won = 0

    async def run(self, lead):
        self.won += 1
        if self.won > 1:
            await lead()


def test_a_replica_that_lost_its_lease_strives_for_it_again(within):
    async def scenario(play):
        play.operate(elector=_Fickle())
        await play.create(experiment())
        return await play.ends()

    assert within(scenario)["status"]["trialsSucceeded"] == 4


@pytest.mark.parametrize("retain", [False, True])
def test_a_trial_that_never_ran_has_waited_too_long_whichever_way_it_is_stopped(within, retain):
    once = {"maxTrialCount": 1, "parallelTrialCount": 1, "maxFailedTrialCount": 0}
    document = experiment(trialPolicy={"pendingDeadlineSeconds": 1}, **once)
    document["spec"]["trialTemplate"]["retain"] = retain

    async def scenario(play):
        play.operate()
        await play.create(document)

        async def failed():
            return await play.state() == "Failed"

        await play.until(failed)
        return await play.trials()

    (trial,) = within(scenario, lambda point, attempt: Fate(waits=True))
    assert trial["status"]["conditions"][-1]["reason"] == "PendingDeadlineExceeded"
    assert trial["status"]["attempt"]["attempt"] == 1


def test_a_suspended_experiment_starts_nothing_and_goes_on_when_it_is_resumed(within):
    async def scenario(play):
        play.operate()
        await play.create(experiment(suspend=True))
        await asyncio.sleep(0.5)
        before = (await play.trials(), list(play.jobs.runs))
        await play.edit(suspend=False)
        return before, await play.ends()

    before, ended = within(scenario)
    assert before == ([], [])
    assert ended["status"]["trialsSucceeded"] == 4


def test_more_trials_run_at_once_when_parallelism_is_raised(within):
    async def scenario(play):
        play.operate()
        await play.create(experiment(parallelTrialCount=1))

        async def running(count):
            return len(await play.all(JOBS)) == count

        await play.until(lambda: running(1))
        await play.edit(parallelTrialCount=3, maxTrialCount=8)
        await play.until(lambda: running(3))

    within(scenario, lambda point, attempt: Fate(stays=True))


def test_the_end_stops_what_still_runs(within):
    async def scenario(play):
        play.operate()
        await play.create(experiment(objective=goal(0.9), maxTrialCount=20, parallelTrialCount=3))
        return await play.ends(), await play.trials()

    def script(point, attempt):
        first = script.first = getattr(script, "first", point["x"])
        return Fate(loss=0.5) if point["x"] == first else Fate(stays=True)

    ended, trials = within(scenario, script)
    assert ended["status"]["conditions"][-1]["reason"] == "ExperimentGoalReached"
    states = sorted(trial["status"]["conditions"][-1]["type"] for trial in trials)
    assert states == ["Killed", "Killed", "Succeeded"]


def goal(value):
    return {"type": "minimize", "objectiveMetricName": "loss", "goal": value}


def test_a_failed_trial_is_told_with_what_the_cluster_says(within):
    async def scenario(play):
        play.operate()
        await play.create(experiment(maxFailedTrialCount=2, parallelTrialCount=1))
        return await play.ends(), await play.trials()

    ended, trials = within(scenario, lambda point, attempt: Fate(fails=True, loss=None))
    assert ended["status"]["conditions"][-1]["type"] == "Failed"
    assert ended["status"]["trialsFailed"] == 2
    last = trials[0]["status"]["conditions"][-1]
    assert (last["type"], last["reason"]) == ("Failed", "TrialFailed")
    assert "BackoffLimitExceeded: it said so" in last["message"]


def test_a_trial_that_failed_is_tried_again_under_its_name_as_often_as_the_file_says(within):
    async def scenario(play):
        play.operate()
        policy = {"retries": 1, "backoffSeconds": 0.1}
        await play.create(experiment(trialPolicy=policy, maxTrialCount=1, parallelTrialCount=1))
        return await play.ends(), await play.trials(), play.jobs.runs

    ended, (trial,), runs = within(
        scenario, lambda point, attempt: Fate(fails=attempt == 1, loss=float(attempt))
    )
    name = trial["metadata"]["name"]
    assert runs == [(name, 1), (name, 2)]
    assert trial["status"]["retries"] == 1
    assert trial["status"]["observation"]["metrics"][0]["latest"] == "2.0"
    assert ended["status"]["trialsSucceeded"] == 1


def test_a_trial_that_reports_nothing_has_no_metrics(within):
    async def scenario(play):
        play.operate()
        await play.create(experiment(maxTrialCount=1, parallelTrialCount=1))
        return await play.ends()

    status = within(scenario, lambda point, attempt: Fate(loss=None))["status"]
    assert status["trialMetricsUnavailable"] == 1
    assert status["conditions"][-1]["reason"] == "NoObservation"


def test_a_workload_that_another_hand_deletes_runs_again(within):
    async def scenario(play):
        play.operate()
        await play.create(experiment(maxTrialCount=1, parallelTrialCount=1))
        await play.until(play.started)
        (job,) = await play.all(JOBS)
        await play.kube.delete(JOBS, play.namespace, job["metadata"]["name"])
        return await play.ends(), play.jobs.runs

    ended, runs = within(scenario, lambda point, attempt: Fate(stays=attempt == 1))
    assert [attempt for _, attempt in runs] == [1, 2]
    assert ended["status"]["trialsSucceeded"] == 1


def test_a_trial_that_another_hand_deletes_is_killed_and_its_index_stays_taken(within):
    async def scenario(play):
        play.operate()
        await play.create(experiment(maxTrialCount=2, parallelTrialCount=1))
        await play.until(play.started)
        (trial,) = await play.trials()
        await play.kube.delete(TRIALS, play.namespace, trial["metadata"]["name"])
        deleted.append(trial)
        return await play.ends(), await play.trials()

    deleted = []
    ended, trials = within(scenario, lambda point, attempt: Fate(stays=not deleted))
    assert [trial["spec"]["index"] for trial in trials] == [1]
    assert (ended["status"]["trialsKilled"], ended["status"]["trialsSucceeded"]) == (1, 1)


def test_a_deleted_experiment_is_let_go(within):
    async def scenario(play):
        task = play.operate()
        await play.create(experiment())
        await play.until(play.started)
        await play.kube.delete(EXPERIMENTS, play.namespace, "e")
        await asyncio.sleep(0.3)
        return task.done()

    assert within(scenario, lambda point, attempt: Fate(stays=True)) is False


def test_nothing_is_remembered_of_an_experiment_that_ended_and_was_deleted(within):
    async def scenario(play):
        operator = Operator(play.parts, Figures())
        play.running.append(asyncio.create_task(operator.run(None)))
        await play.create(experiment())
        await play.ends()
        await play.until(lambda: is_known(operator, drivers=0, driven=1))
        await play.kube.delete(EXPERIMENTS, play.namespace, "e")
        await play.until(lambda: is_known(operator, drivers=0, driven=0))

    within(scenario)


async def is_known(operator, *, drivers, driven):
    return (len(operator._drivers), len(operator._driven)) == (drivers, driven)


def test_an_algorithm_that_does_not_answer_is_told_in_the_status(within):
    async def scenario(play):
        def open_silent(problem, history, *, timeout):
            suggester = open_suggester(problem, history, timeout=timeout)

            async def nothing(*question, **more):
                raise ServerUnavailable("nobody is there", after=0.1)

            suggester.suggest = nothing
            return suggester

        play.parts = replace(play.parts, open_suggester=open_silent)
        play.operate()
        await play.create(experiment())

        async def told():
            said = (await play.get()).get("status", {}).get("waitsFor", ())
            return [line for line in said if "nobody is there" in line]

        return await play.until(told)

    assert within(scenario) == [
        "the algorithm does not answer: nobody is there; it is asked again and again"
    ]


def test_an_algorithm_that_fails_by_a_bug_is_asked_again(within, monkeypatch, caplog):
    monkeypatch.setattr(driver, "BUG_SECONDS", 0.1)
    answers = iter([KeyError("a bug")])

    async def scenario(play):
        def open_broken(problem, history, *, timeout):
            suggester = open_suggester(problem, history, timeout=timeout)
            suggest = suggester.suggest

            async def fail_once(*question, **more):
                bug = next(answers, None)
                if bug is not None:
                    raise bug
                return await suggest(*question, **more)

            suggester.suggest = fail_once
            return suggester

        play.parts = replace(play.parts, open_suggester=open_broken)
        play.operate()
        await play.create(experiment())
        return await play.ends()

    assert within(scenario)["status"]["trialsSucceeded"] == 4
    assert "KeyError: 'a bug'" in caplog.text


@pytest.mark.parametrize("retain", [False, True])
def test_a_job_stays_until_its_end_was_seen_unless_it_is_retained(within, retain):
    async def scenario(play):
        play.operate()
        document = experiment(maxTrialCount=1, parallelTrialCount=1)
        template = document["spec"]["trialTemplate"]
        template["retain"] = retain
        template["trialSpec"]["spec"]["ttlSecondsAfterFinished"] = 60
        await play.create(document)
        (job,) = await play.until(lambda: play.all(JOBS))
        return job["spec"].get("ttlSecondsAfterFinished")

    assert within(scenario) == (60 if retain else None)


def test_retained_workloads_stay_also_when_another_operator_comes(within):
    async def scenario(play):
        first = play.operate()
        document = experiment(maxTrialCount=2)
        document["spec"]["trialTemplate"]["retain"] = True
        await play.create(document)

        async def ended(count):
            return (await play.get()).get("status", {}).get("trialsSucceeded") == count

        await play.until(lambda: ended(2))
        await play.leave(first)
        await play.edit(maxTrialCount=3)
        play.operate()
        await play.until(lambda: ended(3))
        return await play.all(JOBS)

    assert len(within(scenario)) == 3


def test_the_first_failed_jobs_stay_to_be_looked_at_until_the_experiment_ends(within):
    seen: list[str] = []
    is_ending = asyncio.Event()

    def five_fail_and_one_stays(point, attempt):
        if point["x"] not in seen:
            seen.append(point["x"])
        is_last = seen.index(point["x"]) == 5
        return Fate(fails=not is_last, stays=is_last and not is_ending.is_set())

    async def scenario(play):
        first = play.operate()
        await play.create(experiment(maxTrialCount=6, parallelTrialCount=1, maxFailedTrialCount=6))

        async def jobs():
            return {job["metadata"]["name"] for job in await play.all(JOBS)}

        async def only_those_stay():
            return len(seen) == 6 and len(await jobs()) == FAILED_KEPT + 1

        await play.until(only_those_stay)
        await play.leave(first)
        play.operate()
        await asyncio.sleep(0.5)
        kept = await jobs()
        is_ending.set()
        await play.ends()  # without a Job
        return kept, await play.all(TRIALS)

    kept, trials = within(scenario, five_fail_and_one_stays)

    names = [
        each["metadata"]["name"] for each in sorted(trials, key=lambda each: each["spec"]["index"])
    ]
    assert kept == {*names[:FAILED_KEPT], names[-1]}


def test_of_metrics_beyond_what_a_status_may_hold_those_stand_there_that_were_asked_for(within):
    many = tuple(Sample(f"{'n' * 200}{number}", 0.5, 1.0) for number in range(1000))

    async def scenario(play):
        play.operate()
        await play.create(experiment(maxTrialCount=1, parallelTrialCount=1))
        await play.until(play.started)
        (trial,) = await play.trials()
        uid, index = play.store.find_trial(trial["metadata"]["name"], play.namespace)
        play.store.record([Batch(uid, index, 1, "katib", 0, many)], now=1.0)
        play.jobs.script = quadratic
        ended = await play.ends()
        return ended, await play.trials(), len(play.store.observation(uid, index))

    ended, (trial,), kept = within(scenario, lambda *_: Fate(stays=True))
    told = [trial["status"]["observation"], ended["status"]["currentOptimalTrial"]["observation"]]
    assert kept == 1001
    for observation in told:
        assert len(json.dumps(observation)) < 1 << 16
        assert "loss" in {each["name"] for each in observation["metrics"]}
