"""An operator that is not alone: other controllers, servers that refuse, are away, or hold."""

import asyncio
import contextlib
from dataclasses import replace

import pytest
import yaml
from support.actors import JOBS, Fate, JobController
from support.apiserver import NEEDED, REPOSITORY, kubeconfig_of
from support.operated import Passing, experiment
from tunewright.api.errors import Forbidden, ServerUnavailable
from tunewright.controller.kube import katib
from tunewright.controller.kube.client import connect
from tunewright.controller.kube.figures import Figures
from tunewright.controller.kube.labels import READS_LOGS, WISHES
from tunewright.controller.kube.operator import Operator
from tunewright.controller.kube.port import Listing
from tunewright.controller.kube.resources import DEPLOYMENTS, EVENTS, EXPERIMENTS, PODS, TRIALS

pytestmark = NEEDED


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


class _Behind(Passing):
    """A server whose watch tells of no pod, and which serves the log of each."""

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
            yield b"2026-01-01T00:00:00Z loss=0.5\n"

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


class _Distant(Passing):
    """A server that does not answer the first time it is asked for Deployments."""

    def __init__(self, kube):
        super().__init__(kube)
        self.asked = 0

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
        await play.until(play.started)
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


FOLLOWS = ["get", "list", "watch", "patch", "delete"]


ALL_BUT_CREATE = [{"apiGroups": ["*"], "resources": ["*"], "verbs": FOLLOWS}]


CREATES = {"trials": "kubeflow.org", "jobs": "batch", "suggestions": "kubeflow.org", "events": ""}


async def often_told(play):
    """Of a Trial that cannot be written nothing but an event can tell."""
    told = [each for each in await play.all(EVENTS) if each["reason"] == "ReconcileError"]
    return len(told) >= 4 or await play.state() in {"Succeeded", "Failed"}


async def last_conditions(play):
    """Return the last condition of each trial that has one."""
    said = [each.get("status", {}).get("conditions") for each in await play.trials()]
    return [each[-1] for each in said if each]


async def told_by_the_trials(play):
    last = [each["reason"] for each in await last_conditions(play)]
    assert not [each for each in await play.all(EVENTS) if each["reason"] == "ReconcileError"]
    return last == ["RefusedByCluster"] * 2


@pytest.mark.parametrize(
    ("refused", "is_told"), [("jobs", told_by_the_trials), ("trials", often_told)]
)
def test_a_trial_that_is_refused_for_a_while_is_created_later_and_no_other_is_lost(
    api_server, tmp_path, within, refused, is_told
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
            await play.until(lambda: is_told(play))
            grant(api_server, play.namespace, f"{refused}.{CREATES[refused]}")
            return await play.ends(), await play.trials()
        finally:
            await kube.close()

    ended, trials = within(scenario)
    assert (ended["status"]["trials"], ended["status"].get("trialsSucceeded")) == (3, 3)
    assert [trial["spec"]["index"] for trial in trials] == [0, 1, 2]


def grant(server, namespace, resource):
    """Let the person of a namespace create one kind more."""
    who = f"--serviceaccount={namespace}:person"
    server.kubectl("create", "role", "more", "--verb=create", f"--resource={resource}",
                   "-n", namespace)  # fmt: skip
    server.kubectl("create", "rolebinding", "more", "--role=more", who, "-n", namespace)


class _Picky(Passing):
    """A server that refuses the first trial of an experiment a few times, and no other."""

    def __init__(self, kube, times):
        super().__init__(kube)
        self.left = times

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


class _WebhookDown(Passing):
    """A server that must ask a webhook about Jobs, which does not answer while `down`."""

    down = True

    async def create(self, resource, namespace, document, **options):
        if resource == JOBS and self.down:
            raise ServerUnavailable('failed calling webhook "jobs.example.com"')
        return await self._kube.create(resource, namespace, document, **options)


def test_an_experiment_whose_trials_a_webhook_cannot_judge_yet_creates_none_and_says_so(within):
    async def scenario(play):
        server = _WebhookDown(play.kube)
        play.operate(server)
        await play.create(experiment())

        async def waits():
            return [each for each in (await play.get()).get("status", {}).get("waitsFor", ())
                    if "jobs.example.com" in each]  # fmt: skip

        said, trials = await play.until(waits), await play.trials()
        server.down = False
        return said, trials, await play.ends()

    said, trials, ended = within(scenario)
    assert said[0].startswith("the cluster cannot say if it takes the trials")
    assert not trials
    assert ended["status"]["trialsSucceeded"] == 4


def test_a_webhook_that_goes_down_holds_up_what_it_judges_and_the_trials_say_so(within):
    first_may_end = []

    async def scenario(play):
        server = _WebhookDown(play.kube)
        server.down = False
        play.operate(server)
        await play.create(experiment(parallelTrialCount=1))
        await play.until(lambda: play.all(JOBS))
        server.down = True
        first_may_end.append(True)

        async def told():
            said = [each["message"] for each in await last_conditions(play)]
            return [each for each in said if "jobs.example.com" in each]

        async def counted():
            return (await play.get())["status"].get("trialsSucceeded")

        said, succeeded = await play.until(told), await play.until(counted)
        server.down = False
        return said, succeeded, await play.ends()

    said, succeeded, ended = within(scenario, lambda *_: Fate(stays=not first_may_end))
    assert len(said) == succeeded == 1
    assert ended["status"]["trialsSucceeded"] == 4


class _Protected(Passing):
    """A cluster whose policy lets no Job be changed or deleted while `protects`."""

    protects = True

    async def merge(self, resource, namespace, name, patch, **options):
        if resource == JOBS and self.protects:
            raise Forbidden("policy.example.com: Jobs stay")
        return await self._kube.merge(resource, namespace, name, patch, **options)

    async def delete(self, resource, namespace, name, **options):
        if resource == JOBS and self.protects:
            raise Forbidden("policy.example.com: Jobs stay")
        await self._kube.delete(resource, namespace, name, **options)


def test_workloads_that_may_not_be_deleted_hold_up_nothing_else_and_go_when_they_may(
    within, monkeypatch
):
    monkeypatch.setattr("tunewright.controller.kube.making._REFUSED_SECONDS", 0.1)

    async def scenario(play):
        server = _Protected(play.kube)
        play.operate(server)
        await play.create(experiment())

        async def has_ended():
            return await play.state() == "Succeeded"

        async def told():
            said = [each["message"] for each in await play.all(EVENTS)]
            return [each for each in said if "Jobs stay" in each]

        await play.until(has_ended)
        said, left = await play.until(told), await play.all(JOBS)
        server.protects = False
        return said, left, await play.ends()

    said, left, ended = within(scenario)
    assert "cannot be deleted" in said[0]
    assert ended["status"]["trialsSucceeded"] == len(left) == 4


def test_a_trial_that_may_not_be_stopped_says_so_and_ends_when_it_may(within):
    async def scenario(play):
        server = _Protected(play.kube)
        play.operate(server)
        await play.create(experiment(parallelTrialCount=1, maxTrialCount=1))
        await play.until(lambda: play.all(JOBS))
        stop = {"metadata": {"annotations": {WISHES: '[{"id": 1, "verb": "stop"}]'}}}
        await play.kube.merge(EXPERIMENTS, play.namespace, "e", stop)

        async def told():
            said = [each["message"] for each in await last_conditions(play)]
            return [each for each in said if "Jobs stay" in each]

        said = await play.until(told)
        server.protects = False
        return said, await play.ends()

    (said,), ended = within(scenario, lambda *_: Fate(stays=True))
    assert said.startswith("the trial cannot be stopped")
    assert ended["status"]["conditions"][-1]["reason"] == "ExperimentStopped"


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


class _Held(Passing):
    """A cluster on which no workload is ever gone."""

    async def delete(self, resource, namespace, name, **options):
        if resource != JOBS:
            await self._kube.delete(resource, namespace, name, **options)
