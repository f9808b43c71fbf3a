"""Pods that are made elsewhere get the collector from the API server, which asks us about them.

TrainJobs, Workflows and PipelineRuns are real to the API server; their controllers are an actor.
"""

import asyncio
import contextlib
import json
import ssl
import urllib.error
import urllib.request

import pytest
from support.actors import AT
from support.apiserver import NEEDED
from support.elsewhere import (
    KINDS,
    PODS,
    Elsewhere,
    answering,
    asked,
    train_job,
    train_pods,
)
from support.operated import Passing, scene
from tunewright.controller.kube.cache import Cache, Key
from tunewright.controller.kube.labels import SERVED_AT
from tunewright.controller.kube.operator import _kinds
from tunewright.controller.kube.pod_webhook import CONFIGURATIONS, NAME
from tunewright.controller.kube.resources import EVENTS, EXPERIMENTS
from tunewright.db.sql import open_store

pytestmark = NEEDED

TRAIN_JOB = KINDS[0]
FILE = {
    "metricsCollectorSpec": {
        "collector": {"kind": "File"},
        "source": {"fileSystemPath": {"path": "/out/metrics.log", "kind": "File"}},
    }
}


@pytest.fixture
def within(api_server, tmp_path):
    """Play a scenario in a namespace whose pods the API server may ask us about."""

    def play(scenario, kube=None):
        async def run():
            store = open_store(tmp_path / "store.db")
            try:
                async with scene(api_server, store) as played:
                    seen = None if kube is None else kube(played.kube)
                    async with asked(played, kube=seen) as made:
                        return await scenario(played, made)
            finally:
                store.close()

        return asyncio.run(run())

    return play


def of(pod, name):
    containers = [*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())]
    return next((each for each in containers if each["name"] == name), None)


def environment(container):
    return {each["name"]: each.get("value") for each in container["env"]}


def sidecar_of(pod):
    return of(pod, "metrics-logger-and-collector")


async def selected(play, kind="trainjob"):
    """Return the namespaces for which the API server asks about pods of a kind."""
    there = await play.kube.get(CONFIGURATIONS, None, NAME)
    (selector,) = (
        each["namespaceSelector"]["matchExpressions"]
        for each in there["webhooks"]
        if each["name"].startswith(kind)
    )
    return set(selector[0].get("values", ()))


# What a pod gets.


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_primary_pod_gets_the_launcher_and_the_collector(within, kind):
    async def scenario(play, asked):
        await play.create(kind.experiment())
        controller = Elsewhere(play, kind)
        workload = await controller.begins()
        made = kind.pods(workload)
        return workload, made, await controller.makes_pods(workload)

    workload, (written, _), (primary, _) = within(scenario)
    name, container = workload["metadata"]["name"], written["spec"]["containers"][-1]
    main, sidecar = of(primary, container["name"]), sidecar_of(primary)
    assert main["command"][0] == "/tunewright/launcher/launcher"
    assert main["command"][main["command"].index("--") + 1 :] == container["command"]
    assert main.get("args") == container.get("args")
    assert sidecar["restartPolicy"] == "Always"
    assert environment(sidecar)["TUNEWRIGHT_TRIAL"] == name
    assert environment(sidecar)["TUNEWRIGHT_ATTEMPT"] == "1"
    assert {"tunewright-spool", "tunewright-access", "tunewright-launcher"} <= {
        each["name"] for each in primary["spec"]["volumes"]
    }
    labels = primary["metadata"]["labels"]
    assert labels["katib.kubeflow.org/trial"] == name
    assert labels["tunewright.dev/attempt"] == "1"
    assert written["metadata"]["labels"].items() <= labels.items()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_other_pods_of_a_trial_are_known_as_its_own_and_run_as_they_are(within, kind):
    async def scenario(play, asked):
        await play.create(kind.experiment())
        return await Elsewhere(play, kind).pods()

    _, other = within(scenario)
    assert "katib.kubeflow.org/trial" in other["metadata"]["labels"]
    assert "initContainers" not in other["spec"]
    assert "tunewright" not in json.dumps(other["spec"]["containers"][-1].get("command"))


def test_a_file_of_metrics_is_shared_with_the_collector(within):
    async def scenario(play, asked):
        await play.create(train_job(**FILE))
        return await Elsewhere(play, TRAIN_JOB).pods()

    primary, _ = within(scenario)
    shared = {each["mountPath"]: each["name"] for each in of(primary, "node")["volumeMounts"]}
    assert shared["/out/metrics.log"] == "metrics-volume"
    assert {"metrics-volume"} <= {each["name"] for each in sidecar_of(primary)["volumeMounts"]}


def test_a_pod_that_names_no_command_keeps_its_image_s_and_its_log_is_read(within):
    async def scenario(play, asked):
        await play.create(train_job(command=None))
        return await Elsewhere(play, TRAIN_JOB).pods()

    primary, _ = within(scenario)
    assert sidecar_of(primary) is None
    assert "command" not in of(primary, "node")
    assert "katib.kubeflow.org/trial" in primary["metadata"]["labels"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_what_a_collector_beside_it_reported_ends_the_trial(within, kind):
    async def scenario(play, asked):
        await play.create(kind.experiment())
        controller = Elsewhere(play, kind)
        workload = await controller.begins()
        await controller.makes_pods(workload)
        await controller.ends(workload)
        return await play.ends()

    assert within(scenario)["status"]["trialsSucceeded"] == 1


def test_the_pod_of_a_second_attempt_reports_for_that(within):
    async def scenario(play, asked):
        await play.create(train_job(trialPolicy={"onLost": "Retry"}))
        controller = Elsewhere(play, TRAIN_JOB)
        first = await controller.begins()
        await play.kube.delete(TRAIN_JOB.resource, play.namespace, first["metadata"]["name"])

        async def again():
            found = await play.all(TRAIN_JOB.resource)
            return [each for each in found if each["metadata"]["uid"] != first["metadata"]["uid"]]

        (second,) = await play.until(again)
        return await controller.makes_pods(second)

    primary, _ = within(scenario)
    assert environment(sidecar_of(primary))["TUNEWRIGHT_ATTEMPT"] == "2"


STOPPED = {
    "TrainJob": ("suspend", True),
    "Workflow": ("shutdown", "Stop"),
    "PipelineRun": ("status", "Cancelled"),
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_trial_that_is_retained_is_stopped_as_its_kind_has_it(within, kind):
    document = kind.experiment(trialPolicy={"activeDeadlineSeconds": 1})
    document["spec"]["trialTemplate"]["retain"] = True

    async def scenario(play, asked):
        await play.create(document)
        controller = Elsewhere(play, kind)
        workload = await controller.begins()
        for pod in await controller.makes_pods(workload):
            await runs(play, pod)
        field, _ = STOPPED[kind.name]

        async def stopped():
            there = await play.kube.get(kind.resource, play.namespace, workload["metadata"]["name"])
            return there["spec"].get(field)

        return await play.until(stopped)

    assert within(scenario) == STOPPED[kind.name][1]


# Who is not asked about, or let through.


def stranger():
    """A pod of a JobSet that is no trial's."""
    theirs = {"metadata": {"name": "theirs", "uid": "u"}, "spec": {"trainer": {"env": []}}}
    return train_pods(theirs)[0]


def test_pods_of_others_are_as_they_were_written(within, api_server):
    async def scenario(play, asked):
        await play.create(train_job())
        controller = Elsewhere(play, TRAIN_JOB)
        workload = await controller.begins()
        (by_hand, _) = train_pods(workload)
        by_hand["metadata"] |= {"name": "by-hand", "ownerReferences": []}
        foreign = await controller.create(stranger())
        unowned = await controller.create(by_hand)
        play.namespace = api_server.namespace()
        account = {"metadata": {"name": "default"}}
        api_server.ask("POST", f"/api/v1/namespaces/{play.namespace}/serviceaccounts", account)
        (elsewhere, _) = await controller.makes_pods(workload)
        return foreign, unowned, elsewhere

    for pod in within(scenario):
        assert "initContainers" not in pod["spec"]
        assert "katib.kubeflow.org/trial" not in pod["metadata"]["labels"]


def test_a_workload_that_only_has_the_name_of_a_trial_is_nobody_s(within):
    async def scenario(play, asked):
        await play.create(train_job(trialPolicy={"onLost": "Fail"}))
        controller = Elsewhere(play, TRAIN_JOB)
        workload = await controller.begins()
        name = workload["metadata"]["name"]
        bare = {**workload, "metadata": {"name": name}}
        await play.kube.delete(TRAIN_JOB.resource, play.namespace, name)
        theirs = await play.kube.create(TRAIN_JOB.resource, play.namespace, bare)
        return await controller.makes_pods(dict(theirs))

    primary, _ = within(scenario)
    assert sidecar_of(primary) is None


def test_it_asks_about_new_pods_of_these_kinds_alone_and_waits_two_seconds_at_most(within):
    async def scenario(play, asked):
        return await play.kube.get(CONFIGURATIONS, None, NAME)

    webhooks = within(scenario)["webhooks"]
    assert [each["objectSelector"]["matchExpressions"] for each in webhooks] == [
        [{"key": key, "operator": "Exists"}]
        for key in (
            "tekton.dev/pipelineRun",
            "jobset.sigs.k8s.io/jobset-name",
            "workflows.argoproj.io/workflow",
        )
    ]
    for each in webhooks:
        (rule,) = each["rules"]
        assert (rule["operations"], rule["resources"]) == (["CREATE"], ["pods"])
        assert (each["failurePolicy"], each["timeoutSeconds"]) == ("Ignore", 2)
        assert (each["reinvocationPolicy"], each["sideEffects"]) == ("Never", "None")
        assert len(each["matchConditions"]) == 1


def test_a_service_of_the_cluster_is_an_address_that_it_takes(within):
    served_at = {SERVED_AT: "https://tunewright-webhook.tunewright.svc:443"}

    async def scenario(play, asked):
        metadata = {"metadata": {"annotations": served_at}}
        await play.kube.merge(CONFIGURATIONS, None, NAME, metadata)
        await asked.webhook.write()
        there = await play.kube.get(CONFIGURATIONS, None, NAME)
        return {each["clientConfig"]["service"]["name"] for each in there["webhooks"]}

    assert within(scenario) == {"tunewright-webhook"}


def test_who_does_not_know_the_configuration_is_told_nothing(within, api_server):
    async def scenario(play, asked):
        await play.create(train_job())
        workload = await Elsewhere(play, TRAIN_JOB).begins()
        about = {"uid": "u", "namespace": play.namespace, "object": train_pods(workload)[0]}

        def ask(path):
            request = urllib.request.Request(
                f"https://localhost:{asked.port}/{path}/trainjob",
                data=json.dumps({"request": about}).encode(),
            )
            context = ssl._create_unverified_context()
            try:
                with urllib.request.urlopen(request, context=context) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                with error:
                    return error.code

        return [await asyncio.to_thread(ask, path) for path in ("guess", asked.webhook.uid)]

    refused, told = within(scenario)
    assert refused == 404
    assert told["response"]["patchType"] == "JSONPatch"


# Without an answer.


class Logged(Passing):
    """A cluster whose pods' logs can be read, although nothing runs in them."""

    def __init__(self, kube):
        super().__init__(kube)
        self.read = []

    @contextlib.asynccontextmanager
    async def log(self, namespace, pod, container, *, silence):
        self.read.append(pod)

        async def lines():
            yield f"{AT} loss=0.25\n".encode()

        yield lines()


async def tells(play, pod, **state):
    """Have a pod's kubelet say of its container that it runs, or has ended."""
    name = pod["spec"]["containers"][-1]["name"]
    status = {"name": name, "state": state, "ready": True, "restartCount": 0}
    known = {**status, "image": "trainer:1", "imageID": "", "lastState": {}}
    document = {**pod, "status": {"phase": "Running", "containerStatuses": [known]}}
    return await play.kube.replace(PODS, play.namespace, document, "status")


async def runs(play, pod):
    return await tells(play, pod, running={"startedAt": AT})


async def ends(play, pod):
    return await tells(play, pod, terminated={"exitCode": 0})


def test_a_pod_that_came_without_a_collector_has_its_log_read(within):
    async def scenario(play, asked):
        await asked.stop_answering()
        await play.create(train_job())
        controller = Elsewhere(play, TRAIN_JOB)
        workload = await controller.begins()
        primary, other = await controller.makes_pods(workload)
        primary = await runs(play, primary)
        await runs(play, other)
        await ends(play, primary)
        await controller.succeeds(workload)
        await play.ends()
        (trial,) = await play.trials()
        return primary, trial

    primary, trial = within(scenario, Logged)
    assert "initContainers" not in primary["spec"]
    assert trial["status"]["observation"]["metrics"][0]["latest"] == "0.25"


def test_of_a_pod_that_came_without_a_collector_is_said_that_its_files_are_not_read(within):
    async def scenario(play, asked):
        await asked.stop_answering()
        await play.create(train_job(**FILE))
        primary, _ = await Elsewhere(play, TRAIN_JOB).pods()
        await runs(play, primary)

        async def told():
            return [each for each in await play.all(EVENTS) if each["reason"] == "NoCollector"]

        return primary, await play.until(told)

    primary, (event,) = within(scenario)
    assert event["involvedObject"]["kind"] == "Trial"
    assert event["message"].startswith(
        f"Pod {primary['metadata']['name']} was created without a collector: "
    )


def test_a_pod_with_a_collector_has_its_log_left_alone(within):
    logged = []

    def kube(real):
        logged.append(Logged(real))
        return logged[0]

    async def scenario(play, asked):
        await play.create(train_job())
        controller = Elsewhere(play, TRAIN_JOB)
        workload = await controller.begins()
        primary, _ = await controller.makes_pods(workload)
        await runs(play, primary)
        await controller.ends(workload)
        await play.ends()

    within(scenario, kube)
    assert logged[0].read == []


# What is written, and which namespaces are meant.


def test_a_configuration_that_is_as_it_should_be_is_not_written_again(within):
    async def scenario(play, asked):
        before = await play.kube.get(CONFIGURATIONS, None, NAME)
        await asked.webhook.write()
        return before, await play.kube.get(CONFIGURATIONS, None, NAME)

    before, after = within(scenario)
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def test_a_namespace_is_meant_while_it_holds_such_trials(within):
    async def scenario(play, asked):
        before = await selected(play)
        await play.create(train_job())
        controller = Elsewhere(play, TRAIN_JOB)
        workload = await controller.begins()
        during = await selected(play), await selected(play, "workflow")
        await controller.ends(workload)
        await play.ends()

        async def over():
            return not await selected(play)

        await play.until(over)
        return play.namespace, before, during

    namespace, before, during = within(scenario)
    assert before == set()
    assert during == ({namespace}, set())


def test_the_last_experiment_of_a_namespace_ends_it_and_so_does_a_deletion(within):
    async def scenario(play, asked):
        await play.create(train_job("one"))
        await Elsewhere(play, TRAIN_JOB).begins()
        await play.create(train_job("two"))

        async def both():
            return len(await play.all(TRAIN_JOB.resource)) == 2

        await play.until(both)
        await play.kube.delete(EXPERIMENTS, play.namespace, "one")
        await play.until(gone(play, "one"))
        with_one = await selected(play)
        await play.kube.delete(EXPERIMENTS, play.namespace, "two")

        async def over():
            return not await selected(play)

        await play.until(over)
        return play.namespace, with_one

    namespace, with_one = within(scenario)
    assert with_one == {namespace}


def gone(play, name):
    async def is_gone():
        return name not in {each["metadata"]["name"] for each in await play.all(EXPERIMENTS)}

    return is_gone


def test_a_leader_takes_back_what_another_left_behind(within):
    async def scenario(play, asked):
        there = await play.kube.get(CONFIGURATIONS, None, NAME)
        for each in there["webhooks"]:
            (expression,) = each["namespaceSelector"]["matchExpressions"]
            expression |= {"operator": "In", "values": ["left-behind"]}
        await play.kube.replace(CONFIGURATIONS, None, there)
        before = await selected(play)
        await asked.stop_answering()
        async with answering(play, asked.port):

            async def taken_back():
                return not await selected(play)

            await play.until(taken_back)
            return before

    assert within(scenario) == {"left-behind"}


def test_every_replica_is_trusted(within):
    async def scenario(play, asked):
        await play.create(train_job())
        controller = Elsewhere(play, TRAIN_JOB)
        workload = await controller.begins()
        await asked.stop_answering()
        async with answering(play, asked.port):
            return await controller.makes_pods(workload)

    primary, _ = within(scenario)
    assert sidecar_of(primary)


@pytest.mark.parametrize("rest", [{}, {"spec": {}}, {"spec": {"trialTemplate": "none"}}], ids=str)
def test_an_experiment_that_katib_s_definitions_let_pass_may_have_any_kind_of_trials(rest):
    cache = Cache()
    cache.put({"metadata": {"name": "e", "namespace": "n", "resourceVersion": "1"}, **rest})

    assert _kinds(cache) == {Key("n", "e"): ""}
