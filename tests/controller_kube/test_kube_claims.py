"""Katib's pbt as its file has it: no volume, a path, and the claim that its trials share."""

import asyncio
import contextlib
from dataclasses import replace

import pytest
import yaml
from support.actors import JOBS, Fate, quadratic
from support.apiserver import NEEDED
from support.operated import Passing, experiment, scene
from tunewright.api.errors import Conflict, NotFound
from tunewright.controller.kube.plugins import CONFIG, KEY
from tunewright.controller.kube.resources import (
    CLAIMS,
    CONFIG_MAPS,
    DEPLOYMENTS,
    EXPERIMENTS,
    SERVICES,
)
from tunewright.controller.kube.workloads.checkpoints import NAME
from tunewright.db.sql import open_store

pytestmark = NEEDED

POPULATION = 5


def population(**spec):
    settings = {
        "suggestion_trial_dir": "/opt/katib/data",
        "n_population": str(POPULATION),
        "truncation_threshold": "0.4",
    }
    document = experiment(
        algorithm={
            "algorithmName": "pbt",
            "algorithmSettings": [{"name": k, "value": v} for k, v in settings.items()],
        },
        parallelTrialCount=POPULATION,
        maxTrialCount=2 * POPULATION,
        **spec,
    )
    document["spec"]["trialTemplate"]["retain"] = True
    return document


def copied(job):
    """Return what the pod of a Job copies, and to where."""
    containers = job["spec"]["template"]["spec"]["initContainers"]
    (container,) = [each for each in containers if each["name"] == NAME]
    prefix = "/tunewright/checkpoints/"
    return [word.removeprefix(prefix) for word in container["command"][4:6]]


def volume(job):
    (found,) = [each for each in job["spec"]["template"]["spec"]["volumes"] if each["name"] == NAME]
    return found


def mount(job):
    (main,) = job["spec"]["template"]["spec"]["containers"]
    (found,) = [each for each in main["volumeMounts"] if each["name"] == NAME]
    return found


@pytest.fixture
def play(api_server, tmp_path):
    """Play a story in a namespace in which an operator and a Job controller act."""

    def run(story, script=quadratic):
        async def played():
            store = open_store(tmp_path / "store.db")
            try:
                async with scene(api_server, store, script) as acting:
                    acting.parts = replace(acting.parts, katib_configs=(acting.namespace,))
                    await story(acting)
            finally:
                store.close()

        asyncio.run(played())

    return run


def test_the_trials_of_a_population_share_a_claim_and_go_on_from_their_parents(play):
    async def story(play):
        await play.create(population())
        play.operate()
        await play.until(lambda: done(play, 2 * POPULATION))

        claim = await play.kube.get(CLAIMS, play.namespace, "e-pbt")
        assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
        assert claim["spec"]["resources"]["requests"]["storage"] == "5Gi"
        (owner,) = claim["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"]) == ("Experiment", "e")

        jobs = {job["metadata"]["name"]: job for job in await play.all(JOBS)}
        for trial in await play.trials():
            name, parent = trial["metadata"]["name"], trial["spec"].get("parent")
            job = jobs[name]
            assert volume(job)["persistentVolumeClaim"] == {"claimName": "e-pbt"}
            assert (mount(job)["mountPath"], mount(job)["subPath"]) == (
                "/opt/katib/data",
                f"e/{name}",
            )
            assert copied(job) == [f"e/{parent or name}", f"e/{name}"]
        assert sum(bool(trial["spec"].get("parent")) for trial in await play.trials()) == POPULATION

    play(story)


def test_what_a_katib_config_says_to_claim_is_claimed(play):
    async def story(play):
        spec = {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "fast",
            "resources": {"requests": {"storage": "1Gi"}},
        }
        entry = {"algorithmName": "pbt", "image": "katib/pbt", "persistentVolumeClaimSpec": spec}
        written = yaml.safe_dump({"runtime": {"suggestions": [entry]}})
        config = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": CONFIG, "namespace": play.namespace},
            "data": {KEY: written},
        }
        await play.kube.create(CONFIG_MAPS, play.namespace, config)
        await play.create(population(resumePolicy="FromVolume"))
        play.operate()
        claim = await play.until(lambda: play.kube.get(CLAIMS, play.namespace, "e-pbt"))
        assert claim["spec"]["storageClassName"] == "fast"
        assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]

    play(story, lambda _point, _attempt: Fate(stays=True))


def test_from_volume_has_its_claim_whatever_the_algorithm_and_keeps_it_at_the_end(play):
    async def story(play):
        await play.create(experiment(resumePolicy="FromVolume"))
        play.operate()
        await play.until(lambda: done(play, 4))

        claim = await play.kube.get(CLAIMS, play.namespace, "e-random")
        assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
        assert claim["spec"]["resources"]["requests"]["storage"] == "1Gi"

    play(story)


def test_a_volume_in_the_file_is_used_and_no_claim_is_made(play):
    async def story(play):
        named = {"persistentVolumeClaim": {"claimName": "mine"}}
        await play.create(population(checkpoint={"volume": named}))
        play.operate()
        jobs = await play.until(lambda: play.all(JOBS))
        assert volume(jobs[0])["persistentVolumeClaim"] == {"claimName": "mine"}
        assert mount(jobs[0])["subPath"] == jobs[0]["metadata"]["name"]
        assert await play.all(CLAIMS) == []

    play(story, lambda _point, _attempt: Fate(stays=True))


@pytest.mark.parametrize("keep", [None, "All"])
def test_a_new_generation_takes_away_what_nobody_goes_on_from(play, keep):
    async def story(play):
        checkpoint = {} if keep is None else {"checkpoint": {"keep": keep}}
        document = population(**checkpoint)
        document["spec"]["maxTrialCount"] = 3 * POPULATION
        await play.create(document)
        play.operate()
        await play.until(lambda: done(play, 3 * POPULATION))
        trials = {trial["metadata"]["name"]: trial["spec"] for trial in await play.trials()}
        parents = {spec.get("parent") for spec in trials.values()}
        removed = {name for job in await play.all(JOBS) for name in spare(job) if name in trials}
        assert bool(removed) is (keep is None)
        assert all(trials[name]["index"] < POPULATION for name in removed)
        assert not removed & parents

    play(story)


def spare(job):
    """Return the trials whose directories the pod of a Job removes."""
    containers = job["spec"]["template"]["spec"]["initContainers"]
    (container,) = [each for each in containers if each["name"] == NAME]
    return [word.rpartition("/")[2] for word in container["command"][6:]]


async def done(play, count):
    trials = await play.trials()
    ended = [each for each in trials if (each.get("status") or {}).get("completionTime")]
    return len(ended) == count


def served_by_an_image(play):
    entry = {"algorithmName": "mine", "image": "registry.test/mine:1"}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": CONFIG, "namespace": play.namespace},
        "data": {KEY: yaml.safe_dump({"runtime": {"suggestions": [entry]}})},
    }


BELONGINGS = {"Service": SERVICES, "Deployment": DEPLOYMENTS, "PersistentVolumeClaim": CLAIMS}


@pytest.mark.parametrize("kind", BELONGINGS)
def test_what_a_namesake_had_is_made_anew_when_it_has_gone(play, kind):
    resource = BELONGINGS[kind]

    async def story(play):
        await play.kube.create(CONFIG_MAPS, play.namespace, served_by_an_image(play))
        named = {"algorithm": {"algorithmName": "mine"}, "resumePolicy": "FromVolume"}
        operator = play.operate()
        await play.create(experiment(**named))
        await play.until(lambda: play.kube.get(DEPLOYMENTS, play.namespace, "e-mine"))
        await play.leave(operator)
        await play.kube.delete(EXPERIMENTS, play.namespace, "e")
        for other in {*BELONGINGS.values()} - {resource}:
            await collect(play, other)

        made = await play.kube.get(resource, play.namespace, "e-mine")
        again = await play.create(experiment(**named))
        kube = _Counting(play.kube, kind)
        play.operate(kube)
        await play.until(kube.has_tried)
        await collect(play, resource)

        anew = await play.until(lambda: other_than(play, resource, made))
        assert anew["metadata"]["ownerReferences"][0]["uid"] == again["metadata"]["uid"]

    play(story)


class _Counting(Passing):
    """Knows whether something of a kind could not be created, for it was there."""

    def __init__(self, kube, kind):
        super().__init__(kube)
        self._kind = kind
        self._tried = False

    async def has_tried(self):
        return self._tried

    async def create(self, resource, namespace, document, **more):
        try:
            return await self._kube.create(resource, namespace, document, **more)
        except Conflict:
            self._tried |= document["kind"] == self._kind
            raise


async def collect(play, resource):
    """Delete an object as the garbage collector does, which does not run here."""
    await play.kube.delete(resource, play.namespace, "e-mine")
    with contextlib.suppress(NotFound):  # no kubelet says that no pod has a claim any more
        free = {"metadata": {"finalizers": None}}
        await play.kube.merge(resource, play.namespace, "e-mine", free)


async def other_than(play, resource, made):
    found = await play.kube.get(resource, play.namespace, "e-mine")
    return found if found["metadata"]["uid"] != made["metadata"]["uid"] else None


def test_an_experiment_that_is_refused_leaves_no_plug_in_behind(play):
    async def story(play):
        await play.kube.create(CONFIG_MAPS, play.namespace, served_by_an_image(play))
        document = experiment(
            algorithm={"algorithmName": "mine"},
            initialTrials=[{"assignments": {"x": "0.5"}}],
        )
        pod = document["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
        pod["containers"][0]["imagePullPolicy"] = "Sometimes"
        play.operate()
        await play.create(document)

        ended = await play.ends()
        assert ended["status"]["conditions"][-1]["reason"] == "InvalidSpec"
        assert await play.all(DEPLOYMENTS) == []
        assert await play.all(SERVICES) == []

    play(story)
