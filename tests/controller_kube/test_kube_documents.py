"""What an operator makes of documents: those that are wrong, edited, or stand elsewhere."""

import asyncio
import json

import pytest
from support.actors import JOBS, Fate
from support.apiserver import NEEDED
from support.operated import experiment
from tunewright.api.errors import Invalid
from tunewright.controller.brief import brief_of
from tunewright.controller.kube.cache import Cache
from tunewright.controller.kube.experiments import experiment_record, is_settled
from tunewright.controller.kube.figures import Figures
from tunewright.controller.kube.informers import asks_to_stop
from tunewright.controller.kube.resources import CONFIG_MAPS, EVENTS, EXPERIMENTS
from tunewright.controller.kube.templates import with_template
from tunewright.controller.kube.trials import is_ours, slim_trial

pytestmark = NEEDED


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
        await play.until(play.started)
        await play.edit(maxDuration="nonsense")

        refused = await play.until(lambda: play.conditions("EditRefused"))
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
        await play.until(play.started)
        await play.kube.delete(CONFIG_MAPS, play.namespace, "templates")
        await play.edit(parallelTrialCount=2)
        await play.until(lambda: play.conditions("EditRefused"))
        await play.leave(first)
        play.operate()

        async def warned():
            events = await play.all(EVENTS)
            return [each for each in events if each["reason"] == "ReconcileError"]

        (warning, *_) = await play.until(warned)
        state, runs = await play.state(), len(await play.all(JOBS))
        await make()
        await play.edit(parallelTrialCount=3)
        await play.until(lambda: play.started(3))
        return warning["message"], state, runs

    message, state, runs = within(scenario, lambda point, attempt: Fate(stays=True))
    assert "there is no ConfigMap templates" in message
    assert (state, runs) == ("Running", 1)


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


@pytest.mark.parametrize(
    "rest",
    [
        {},
        {"spec": None},
        {"spec": {"trialTemplate": "none"}},
        {"spec": {"trialTemplate": {"configMap": "none"}}},
    ],
    ids=str,
)
def test_an_experiment_that_katib_s_definitions_let_pass_is_read_and_found_wrong(rest):
    metadata = {
        "name": "e",
        "namespace": "n",
        "uid": "u",
        "creationTimestamp": "2020-01-01T00:00:00Z",
    }
    filled = asyncio.run(with_template(None, {"metadata": metadata, **rest}, ()))
    record, _ = experiment_record(filled)

    with pytest.raises(Invalid, match=r"spec\.objective"):
        brief_of(record)


@pytest.mark.parametrize("strange", [3, "index", ["index"], {"conditions": [{}]}, None])
def test_what_katib_s_definitions_let_pass_is_followed_and_counted_like_any_other(strange):
    """One object that nobody could follow would end the operator, for all namespaces."""
    metadata = {"name": "o", "namespace": "n", "resourceVersion": "1"}
    document = {"metadata": metadata, "spec": strange, "status": strange}
    trials, experiments = Cache(slim_trial), Cache()
    trials.put(document)
    experiments.put(document)

    (trial,) = trials.all()
    assert not asks_to_stop(trial)
    assert not is_ours(trial, "u")
    assert not is_settled(document)
    told = Figures().text({"trial": trials, "experiment": experiments}, 0)
    assert 'katib_trials_current{namespace="n",status="Unknown"} 1' in told
    assert 'katib_experiments_current{namespace="n",status="Unknown"} 1' in told
