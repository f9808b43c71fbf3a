"""An experiment's life on a cluster, by a real API server; Jobs are run by an actor."""

import asyncio
import contextlib
import json
from dataclasses import replace

import pytest
import yaml
from support.actors import JOBS, Fate, JobController
from support.apiserver import NEEDED, REPOSITORY, kubeconfig_of
from support.operated import experiment, scene
from tunewright.api.errors import Forbidden, ServerUnavailable
from tunewright.controller.kube import driver, katib
from tunewright.controller.kube.attempts import FAILED_KEPT
from tunewright.controller.kube.client import connect
from tunewright.controller.kube.figures import Figures
from tunewright.controller.kube.informers import PODS
from tunewright.controller.kube.katib import DEPLOYMENTS
from tunewright.controller.kube.labels import READS_LOGS
from tunewright.controller.kube.notices import EVENTS
from tunewright.controller.kube.operator import Operator
from tunewright.controller.kube.port import Listing
from tunewright.controller.kube.resources import EXPERIMENTS, SUGGESTIONS, TRIALS
from tunewright.controller.kube.templates import CONFIG_MAPS
from tunewright.db.sql import open_store
from tunewright.suggestion.suggester import open_suggester

pytestmark = NEEDED


@pytest.fixture
def within(api_server, tmp_path):
    """Play a scenario in a namespace in which an operator and a Job controller act."""

    def play(scenario, script=None):
        async def run():
            store = open_store(tmp_path / "store.db")
            given = {} if script is None else {"script": script}
            try:
                async with scene(api_server, store, **given) as played:
                    return await scenario(played)
            finally:
                store.close()

        return asyncio.run(run())

    return play


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
        await play.until(lambda: started(play))
        (job,) = await play.all(JOBS)
        await play.kube.delete(JOBS, play.namespace, job["metadata"]["name"])
        return await play.ends(), play.jobs.runs

    ended, runs = within(scenario, lambda point, attempt: Fate(stays=attempt == 1))
    assert [attempt for _, attempt in runs] == [1, 2]
    assert ended["status"]["trialsSucceeded"] == 1


async def started(play, count=1):
    return len(play.jobs.runs) >= count


async def conditions_of(play, kind):
    found = (await play.get()).get("status", {}).get("conditions") or []
    return [each for each in found if each["type"] == kind]


def test_a_trial_that_another_hand_deletes_is_killed_and_its_index_stays_taken(within):
    async def scenario(play):
        play.operate()
        await play.create(experiment(maxTrialCount=2, parallelTrialCount=1))
        await play.until(lambda: started(play))
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
        await play.until(lambda: started(play))
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


@pytest.mark.parametrize(
    ("pod", "container"),
    [
        pytest.param({}, {"imagePullPolicy": "Sometimes"}, id="a wrong word"),
        pytest.param({}, {"command": "train --x=${trialParameters.x}"}, id="a text for a list"),
        pytest.param({}, {"env": ["A=1"]}, id="a text for a variable"),
        pytest.param({"imagePullSecrets": ["mine"]}, {}, id="a text for a table"),
        pytest.param({"securityContext": "none"}, {}, id="a text for a context"),
    ],
)
def test_what_the_cluster_would_not_take_ends_the_experiment_before_anything_is_created(
    within, pod, container
):
    async def scenario(play):
        play.operate()
        document = experiment()
        job = document["spec"]["trialTemplate"]["trialSpec"]
        job["spec"]["template"]["spec"] |= pod
        job["spec"]["template"]["spec"]["containers"][0] |= container
        await play.create(document)
        return await play.ends(), await play.trials()

    ended, trials = within(scenario)
    last = ended["status"]["conditions"][-1]
    assert (last["type"], last["reason"], trials) == ("Failed", "InvalidSpec", [])
    (field,) = pod or container
    assert field in last["message"].replace("PodSecurityContext", "securityContext")


UNKNOWN = {"trialParameters": [{"name": "y", "reference": "z"}]}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"algorithm": {"algorithmName": "nonsense"}}, "spec.algorithm.algorithmName"),
        (
            {"trialTemplate": experiment()["spec"]["trialTemplate"] | UNKNOWN},
            "spec.trialTemplate.trialParameters[0].reference",
        ),
    ],
)
def test_what_no_schema_can_say_ends_the_experiment_with_every_fault(within, changes, path):
    async def scenario(play):
        play.operate()
        await play.create(experiment(**changes))
        return (await play.ends())["status"]["conditions"][-1]

    last = within(scenario)
    assert (last["type"], last["reason"]) == ("Failed", "InvalidSpec")
    assert path in last["message"]


def test_an_experiment_whose_kind_is_not_installed_says_what_it_waits_for(within):
    async def scenario(play):
        play.operate()
        document = experiment()
        template = document["spec"]["trialTemplate"]
        template |= {"successCondition": "status.done", "failureCondition": "status.failed"}
        template["trialSpec"] |= {"apiVersion": "example.com/v1", "kind": "Sleeper"}
        await play.create(document)

        async def told():
            return (await play.get()).get("status", {}).get("waitsFor")

        return await play.until(told), await play.state()

    said, state = within(scenario)
    assert said == ["the cluster has no namespaced kind Sleeper in example.com/v1"]
    assert state == "Created"


@pytest.mark.parametrize("levels", [60, 400, 4000])
def test_an_experiment_that_is_nested_too_deeply_fails_and_the_others_go_on(
    within, api_server, levels
):
    deep = experiment("deep")
    deep["spec"]["trialTemplate"]["trialSpec"]["spec"]["deep"] = "HERE"
    nested = '{"a":["}",' * levels + "1" + "]}" * levels
    text = json.dumps(deep).replace('"HERE"', nested)

    async def scenario(play):
        path = EXPERIMENTS.path(play.namespace)
        await asyncio.to_thread(api_server.kubectl, "create", "--raw", path, "-f", "-", given=text)
        play.operate()
        await play.create(experiment("e"))
        return await play.ends("deep"), await play.ends("e")

    refused, ended = within(scenario)
    last = refused["status"]["conditions"][-1]
    assert (last["type"], last["reason"]) == ("Failed", "InvalidSpec")
    assert "spec.trialTemplate.trialSpec: it is nested more than 100 levels deep" in last["message"]
    assert ended["status"]["trialsSucceeded"] == 4


def test_an_edit_that_is_wrong_changes_nothing_and_is_told(within):
    async def scenario(play):
        play.operate()
        await play.create(experiment(parallelTrialCount=1, maxTrialCount=3))
        await play.until(lambda: started(play))
        await play.edit(maxDuration="nonsense")

        refused = await play.until(lambda: conditions_of(play, "EditRefused"))
        return refused, await play.state()

    (refused,), state = within(scenario, lambda point, attempt: Fate(stays=True))
    assert refused["status"] == "True"  # Katib's client reads no condition without one
    assert "spec.maxDuration" in refused["message"]
    assert state == "Running"


async def with_template_in_a_config_map(play, **spec):
    """Create an experiment whose template stands in a ConfigMap; return what makes that anew."""
    document = experiment(**spec)
    template = document["spec"]["trialTemplate"]
    held = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "templates"}}
    held["data"] = {"job": json.dumps(template.pop("trialSpec"))}
    template["configMap"] = {
        "configMapName": "templates",
        "configMapNamespace": play.namespace,
        "templatePath": "job",
    }

    async def make():
        await play.kube.create(CONFIG_MAPS, play.namespace, held)

    await make()
    await play.create(document)
    return make


def test_a_template_in_a_config_map_is_read(within):
    async def scenario(play):
        play.operate()
        await with_template_in_a_config_map(play)
        return await play.ends()

    assert within(scenario)["status"]["trialsSucceeded"] == 4


def test_an_experiment_that_runs_outlives_its_template(within):
    """An edit waits for it, and an operator that comes later does."""

    async def scenario(play):
        first = play.operate()
        make = await with_template_in_a_config_map(play, parallelTrialCount=1)
        await play.until(lambda: started(play))
        await play.kube.delete(CONFIG_MAPS, play.namespace, "templates")
        await play.edit(parallelTrialCount=2)
        await play.until(lambda: conditions_of(play, "EditRefused"))
        await play.leave(first)
        play.operate()

        async def warned():
            events = await play.all(EVENTS)
            return [each for each in events if each["reason"] == "ReconcileError"]

        (warning, *_) = await play.until(warned)
        state, runs = await play.state(), len(await play.all(JOBS))
        await make()
        await play.edit(parallelTrialCount=3)
        await play.until(lambda: started(play, 3))
        return warning["message"], state, runs

    message, state, runs = within(scenario, lambda point, attempt: Fate(stays=True))
    assert "there is no ConfigMap templates" in message
    assert (state, runs) == ("Running", 1)


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


def test_what_katib_s_finalizers_hold_is_let_go(within):
    async def scenario(play):
        play.operate()
        document = experiment(suspend=True)
        document["metadata"]["finalizers"] = ["update-prometheus-metrics"]
        await play.create(document)
        held = {
            "apiVersion": "kubeflow.org/v1beta1",
            "kind": "Trial",
            "metadata": {
                "name": "old",
                "labels": {"katib.kubeflow.org/experiment": "e"},
                "finalizers": ["clean-metrics-in-db"],
            },
            "spec": {},
        }
        await play.kube.create(TRIALS, play.namespace, held)
        await play.kube.delete(TRIALS, play.namespace, "old")
        await play.kube.delete(EXPERIMENTS, play.namespace, "e")

        async def gone():
            return not await play.all(TRIALS) and not await play.all(EXPERIMENTS)

        return await play.until(gone)

    assert within(scenario)


KATIB_LABELS = {"katib.kubeflow.org/component": "controller"}
KATIB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "katib-controller", "labels": KATIB_LABELS},
    "spec": {
        "selector": {"matchLabels": KATIB_LABELS},
        "template": {
            "metadata": {"labels": KATIB_LABELS},
            "spec": {"containers": [{"name": "main", "image": "katib:1"}]},
        },
    },
}


async def katib_runs(play):
    made = await play.kube.create(DEPLOYMENTS, play.namespace, KATIB)
    running = {**made, "status": {"replicas": 1}}
    await play.kube.replace(DEPLOYMENTS, play.namespace, running, "status")


def test_nothing_is_touched_while_a_katib_controller_runs(within):
    async def scenario(play):
        await katib_runs(play)
        play.operate()
        await play.create(experiment())
        await asyncio.sleep(0.5)
        return (await play.get()).get("status")

    assert within(scenario) is None


class _Behind:
    """A server whose watch tells of no pod, and which serves the log of each."""

    def __init__(self, kube):
        self._kube = kube

    def __getattr__(self, name):
        return getattr(self._kube, name)

    async def list(self, selection):
        _, is_one, name = (selection.labels or selection.fields).partition("=")
        if selection.resource != PODS or not is_one:
            return await self._kube.list(selection)
        told = {"name": "main", "state": {"terminated": {}}, "restartCount": 0}
        metadata = {"name": name, "namespace": selection.namespace, "uid": name}
        return Listing([{"metadata": metadata, "status": {"containerStatuses": [told]}}], "1")

    @contextlib.asynccontextmanager
    async def log(self, namespace, pod, container, *, silence):
        async def lines():
            yield b"2026-01-01T00:00:00Z loss=0.5"

        yield lines()


def test_the_log_of_a_pod_that_is_seen_after_the_end_of_its_job_is_read(within):
    async def scenario(play):
        play.operate(_Behind(play.kube))
        document = experiment(maxTrialCount=1, parallelTrialCount=1)
        document["metadata"]["annotations"] = {READS_LOGS: "true"}
        await play.create(document)
        return (await play.ends())["status"]

    status = within(scenario, lambda point, attempt: Fate(loss=None))
    assert (status["trialsSucceeded"], float(status["best"])) == (1, 0.5)


class _Distant:
    """A server that does not answer the first time it is asked for Deployments."""

    def __init__(self, kube):
        self._kube = kube
        self.asked = 0

    def __getattr__(self, name):
        return getattr(self._kube, name)

    async def list(self, selection):
        self.asked += selection.resource == DEPLOYMENTS
        if selection.resource == DEPLOYMENTS and self.asked == 1:
            raise ServerUnavailable("away", after=0.01)
        return await self._kube.list(selection)


def test_a_server_that_is_away_when_a_leader_begins_is_waited_for(within):
    async def scenario(play):
        play.operate(_Distant(play.kube))
        await play.create(experiment())
        return await play.ends()

    assert within(scenario)["status"]["trialsSucceeded"] == 4


def test_it_makes_way_for_a_controller_of_katibs_that_is_begun_again(within, monkeypatch):
    monkeypatch.setattr(katib, "LOOK_SECONDS", 0.05)
    came = []

    async def scenario(play):
        figures = Figures()
        play.running.append(asyncio.create_task(Operator(play.parts, figures).run(None)))
        await play.create(experiment())
        await play.until(lambda: started(play))
        await katib_runs(play)
        await play.until(lambda: leads(figures, wanted=False))
        came.append(True)
        before = await play.trials()
        await play.kube.delete(DEPLOYMENTS, play.namespace, "katib-controller")
        return before, await play.ends()

    before, ended = within(scenario, lambda *_: Fate(stays=not came))
    assert len(before) == 2
    assert ended["status"]["trialsSucceeded"] == 4


async def leads(figures, *, wanted):
    return figures.leads is wanted


def test_a_config_map_of_another_namespace_is_not_read_for_whoever_asks(within):
    async def scenario(play):
        play.operate()
        document = experiment()
        template = document["spec"]["trialTemplate"]
        del template["trialSpec"]
        template["configMap"] = {
            "configMapName": "extension-apiserver-authentication",
            "configMapNamespace": "kube-system",
            "templatePath": "client-ca-file",
        }
        await play.create(document)
        return (await play.ends())["status"]["conditions"][-1]

    last = within(scenario)
    assert (last["type"], last["reason"]) == ("Failed", "InvalidSpec")
    assert "templates of the namespace kube-system are not shared" in last["message"]


FOLLOWS = ["get", "list", "watch", "patch", "delete"]
ALL_BUT_CREATE = [{"apiGroups": ["*"], "resources": ["*"], "verbs": FOLLOWS}]
CREATES = {"trials": "kubeflow.org", "jobs": "batch", "suggestions": "kubeflow.org", "events": ""}


@pytest.mark.parametrize("refused", ["jobs", "trials"])
def test_a_trial_that_is_refused_for_a_while_is_created_later_and_no_other_is_lost(
    api_server, tmp_path, within, refused
):
    creates = [
        {"apiGroups": [group], "resources": [kind], "verbs": ["create"]}
        for kind, group in CREATES.items()
        if kind != refused
    ]

    async def scenario(play):
        config = kubeconfig_of(api_server, play.namespace, tmp_path, ALL_BUT_CREATE + creates)
        kube = await connect(kubeconfig=str(config))
        try:
            play.operate(kube)
            await play.create(experiment(maxTrialCount=3))
            await play.until(lambda: refused_often(play))
            grant(api_server, play.namespace, f"{refused}.{CREATES[refused]}")
            return await play.ends(), await play.trials()
        finally:
            await kube.close()

    ended, trials = within(scenario)
    assert (ended["status"]["trials"], ended["status"].get("trialsSucceeded")) == (3, 3)
    assert [trial["spec"]["index"] for trial in trials] == [0, 1, 2]


async def refused_often(play):
    told = [each for each in await play.all(EVENTS) if each["reason"] == "ReconcileError"]
    return len(told) >= 4 or await play.state() in {"Succeeded", "Failed"}


def grant(server, namespace, resource):
    """Let the person of a namespace create one kind more."""
    who = f"--serviceaccount={namespace}:person"
    server.kubectl("create", "role", "more", "--verb=create", f"--resource={resource}",
                   "-n", namespace)  # fmt: skip
    server.kubectl("create", "rolebinding", "more", "--role=more", who, "-n", namespace)


class _Picky:
    """A server that refuses the first trial of an experiment a few times, and no other."""

    def __init__(self, kube, times):
        self._kube = kube
        self.left = times

    def __getattr__(self, name):
        return getattr(self._kube, name)

    async def create(self, resource, namespace, document, **options):
        if resource == TRIALS and document["spec"]["index"] == 0 and self.left:
            self.left -= 1
            raise Forbidden("exceeded quota")
        return await self._kube.create(resource, namespace, document, **options)


def test_a_trial_that_is_refused_when_the_next_would_be_taken_is_created_all_the_same(within):
    async def scenario(play):
        play.operate(_Picky(play.kube, 2))
        await play.create(experiment(maxTrialCount=3))
        return await play.ends(), await play.trials()

    ended, trials = within(scenario)
    assert (ended["status"]["trials"], ended["status"].get("trialsSucceeded")) == (3, 3)
    assert [trial["spec"]["index"] for trial in trials] == [0, 1, 2]


def test_an_operator_of_two_namespaces_drives_the_experiments_of_both(within, api_server):
    async def scenario(play):
        other = api_server.namespace()
        there = JobController(play.kube, other, play.store)
        acting = asyncio.create_task(there.run())
        play.parts = replace(play.parts, namespaces=(play.namespace, other))
        await play.create(experiment(maxTrialCount=2))
        await play.kube.create(EXPERIMENTS, other, experiment(maxTrialCount=2))
        play.operate()
        try:
            await play.ends()
            play.namespace = other
            return await play.ends()
        finally:
            acting.cancel()

    assert within(scenario)["status"]["trialsSucceeded"] == 2


TENANT = tuple(
    rule
    for name in ("operator", "kinds")
    for rule in yaml.safe_load((REPOSITORY / f"deploy/roles/{name}.yaml").read_text())["rules"]
)
IN_KUBEFLOW = {"configMapName": "t", "configMapNamespace": "kubeflow", "templatePath": "job"}


class TestOneNamespaceOnly:
    """An operator that may do in one namespace what deploy/tenant grants, and nothing elsewhere."""

    @pytest.fixture
    def ended(self, within, api_server, tmp_path):
        """Return an experiment with that spec as it ends."""

        def play(**spec):
            async def scenario(play):
                config = kubeconfig_of(api_server, play.namespace, tmp_path, TENANT)
                kube = await connect(kubeconfig=str(config))
                elsewhere = {"katib_configs": ("kubeflow",), "template_namespaces": ("kubeflow",)}
                play.parts = replace(play.parts, **elsewhere)
                try:
                    play.operate(kube)
                    await play.create(experiment(**spec))
                    return (await play.ends())["status"]
                finally:
                    await kube.close()

            return within(scenario)

        return play

    @pytest.mark.parametrize("policy", ["Never", "FromVolume"])
    def test_an_experiment_runs(self, ended, policy):
        assert ended(resumePolicy=policy)["trialsSucceeded"] == 4

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            pytest.param({"algorithm": {"algorithmName": "nonsense"}}, "nonsense", id="algorithm"),
            pytest.param(
                {"trialTemplate": {"configMap": IN_KUBEFLOW, "primaryContainerName": "main",
                                   "trialParameters": [{"name": "x", "reference": "x"}]}},
                "the operator may not read ConfigMaps of the namespace kubeflow",
                id="template",
            ),
        ],
    )  # fmt: skip
    def test_what_stands_where_it_may_not_look_is_not_there(self, ended, changes, said):
        last = ended(**changes)["conditions"][-1]
        assert (last["type"], last["reason"]) == ("Failed", "InvalidSpec")
        assert said in last["message"]


def test_a_workload_that_does_not_go_holds_up_its_own_trial_alone(within):
    """Somebody else's finalizer keeps it, say, when another attempt is due."""

    async def scenario(play):
        play.operate(_Held(play.kube))
        await play.create(experiment(trialPolicy={"retries": 1, "backoffSeconds": 0}))

        async def others_are_done():
            return (await play.get()).get("status", {}).get("trialsSucceeded") == 3

        await play.until(others_are_done)
        (held,) = (each for each in await play.trials() if "position" not in each["status"])
        return held["status"]["conditions"][-1], (await play.get())["status"]["trials"]

    def script(point, attempt):
        del attempt
        return Fate(fails=first.setdefault("x", point["x"]) == point["x"])

    first = {}
    said, trials = within(scenario, script)
    assert said["reason"] == "RefusedByCluster"
    assert "is still being deleted" in said["message"]
    assert trials == 4


class _Held:
    """A cluster on which no workload is ever gone."""

    def __init__(self, kube):
        self._kube = kube

    def __getattr__(self, name):
        return getattr(self._kube, name)

    async def delete(self, resource, namespace, name, **options):
        if resource != JOBS:
            await self._kube.delete(resource, namespace, name, **options)
