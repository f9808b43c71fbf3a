"""Kinds whose pods are made elsewhere: their definitions, and an actor for their controllers.

The pods have the labels, owners and containers that JobSet, Argo and Tekton give them.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tunewright.api.errors import Conflict, NotFound
from tunewright.api.observation import Batch, Sample
from tunewright.controller.kube import admission
from tunewright.controller.kube.figures import Figures
from tunewright.controller.kube.operator import Operator
from tunewright.controller.kube.pod_webhook import CONFIGURATIONS, NAME, PodWebhook
from tunewright.controller.kube.port import Kube, Resource
from tunewright.db.records import Reporter

from .actors import condition
from .operated import Scene, experiment

Document = dict[str, Any]
PODS = Resource("", "v1", "pods")
ACCOUNTS = Resource("", "v1", "serviceaccounts")
DEFINITIONS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions")
WORDS = ["python", "train.py", "--x=${trialParameters.x}"]


@dataclass(frozen=True)
class Kind:
    """`experiment` has trials of it, `pods` are what its controller makes of one."""

    name: str
    resource: Resource
    experiment: Callable[..., Document]
    pods: Callable[[Document], Sequence[Document]]
    succeeded: Document


def _owned_by(api_version: str, kind: str, name: str, uid: str) -> Document:
    owner = {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid}
    return {**owner, "controller": True, "blockOwnerDeletion": True}


def _pod(name: str, labels: Document, owner: Document, *containers: Document) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels, "ownerReferences": [owner]},
        "spec": {"restartPolicy": "Never", "containers": list(containers)},
    }


def _trials(
    trial_spec: Document, container: str, template: Document, name: str = "e", **spec: Any
) -> Document:
    made = experiment(name, **{"maxTrialCount": 1, "parallelTrialCount": 1, **spec})
    made["spec"]["trialTemplate"] |= {
        "primaryContainerName": container,
        "trialSpec": trial_spec,
        **template,
    }
    return made


# TrainJob.


def train_job(name: str = "e", *, command: Sequence[str] | None = WORDS, **spec: Any) -> Document:
    trainer: Document = {"numNodes": 2, "env": [{"name": "X", "value": "${trialParameters.x}"}]}
    if command is not None:
        trainer["command"] = list(command)
    trial_spec = {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "spec": {"runtimeRef": {"name": "torch-distributed"}, "trainer": trainer},
    }
    return _trials(trial_spec, "node", {}, name, **spec)


def train_pods(job: Document) -> Sequence[Document]:
    """Return the pods of two nodes, as JobSet and the Job controller make them."""
    name, trainer = job["metadata"]["name"], job["spec"]["trainer"]
    owner = _owned_by("batch/v1", "Job", f"{name}-node-0", job["metadata"]["uid"])
    node = {"name": "node", "image": "trainer:1", "env": trainer["env"]}
    if "command" in trainer:
        node["command"] = trainer["command"]
    labels = {
        "jobset.sigs.k8s.io/jobset-name": name,
        "jobset.sigs.k8s.io/replicatedjob-name": "node",
        "batch.kubernetes.io/job-name": f"{name}-node-0",
    }
    return [
        _pod(
            f"{name}-node-0-{rank}",
            {**labels, "batch.kubernetes.io/job-completion-index": str(rank)},
            owner,
            node,
        )
        for rank in (0, 1)
    ]


# Workflow, as Katib's example has it: the step that trains is labelled.

_TRAINS = {"katib.kubeflow.org/model-training": "true"}


def workflow(name: str = "e", **spec: Any) -> Document:
    train = {
        "name": "train",
        "metadata": {"labels": _TRAINS},
        "container": {"image": "trainer:1", "command": WORDS},
    }
    trial_spec = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "spec": {"entrypoint": "train", "templates": [train], "arguments": {}},
    }
    conditions = {
        "successCondition": 'status.[@this].#(phase=="Succeeded")#',
        "failureCondition": 'status.[@this].#(phase=="Failed")#',
        "primaryPodLabels": _TRAINS,
    }
    return _trials(trial_spec, "main", conditions, name, **spec)


def workflow_pods(flow: Document) -> Sequence[Document]:
    name, uid = flow["metadata"]["name"], flow["metadata"]["uid"]
    owner = _owned_by("argoproj.io/v1alpha1", "Workflow", name, uid)
    labels = {
        **flow["spec"]["podMetadata"]["labels"],
        "workflows.argoproj.io/completed": "false",
        "workflows.argoproj.io/workflow": name,
    }
    (template,) = flow["spec"]["templates"]
    words = template["container"]["command"]
    emissary = ["/var/run/argo/argoexec", "emissary", "--loglevel", "info", "--", *words]
    wait = {"name": "wait", "image": "argoexec:3", "command": ["argoexec", "wait"]}
    main = {"name": "main", "image": "trainer:1", "command": emissary}
    return [
        _pod(f"{name}-train", {**labels, **_TRAINS}, owner, wait, main),
        _pod(f"{name}-prepare", labels, owner, wait, main),
    ]


# PipelineRun, likewise: the task that trains is known by its name.


def pipeline_run(name: str = "e", **spec: Any) -> Document:
    step = {"name": "train", "image": "trainer:1", "command": WORDS}
    task = {"name": "train", "taskSpec": {"steps": [step]}}
    trial_spec = {
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "spec": {"pipelineSpec": {"tasks": [task]}},
    }
    conditions = {
        "successCondition": 'status.conditions.#(type=="Succeeded")#|#(status=="True")#',
        "failureCondition": 'status.conditions.#(type=="Succeeded")#|#(status=="False")#',
        "primaryPodLabels": {"tekton.dev/pipelineTask": "train"},
    }
    return _trials(trial_spec, "step-train", conditions, name, **spec)


def pipeline_pods(run: Document) -> Sequence[Document]:
    name, uid = run["metadata"]["name"], run["metadata"]["uid"]
    entry = {"image": "trainer:1", "command": ["/tekton/bin/entrypoint"]}
    (task,) = run["spec"]["pipelineSpec"]["tasks"]
    words = task["taskSpec"]["steps"][0]["command"]
    args = ["-entrypoint", words[0], "--", *words[1:]]

    def pod(task: str) -> Document:
        labels = {
            **run["metadata"]["labels"],
            "tekton.dev/pipelineRun": name,
            "tekton.dev/pipelineTask": task,
            "tekton.dev/taskRun": f"{name}-{task}",
        }
        owner = _owned_by("tekton.dev/v1", "TaskRun", f"{name}-{task}", uid)
        step = {"name": "step-train", **entry, "args": args}
        return _pod(f"{name}-{task}-pod", labels, owner, step)

    return [pod("train"), pod("fetch")]


KINDS = (
    Kind(
        "TrainJob",
        Resource("trainer.kubeflow.org", "v1alpha1", "trainjobs"),
        train_job,
        train_pods,
        {"conditions": [condition("Complete", "AllJobsCompleted")]},
    ),
    Kind(
        "Workflow",
        Resource("argoproj.io", "v1alpha1", "workflows"),
        workflow,
        workflow_pods,
        {"phase": "Succeeded"},
    ),
    Kind(
        "PipelineRun",
        Resource("tekton.dev", "v1", "pipelineruns"),
        pipeline_run,
        pipeline_pods,
        {"conditions": [condition("Succeeded", "Succeeded")]},
    ),
)


def definition(kind: Kind) -> Document:
    plural, anything = kind.resource.plural, {"x-kubernetes-preserve-unknown-fields": True}
    names = {"kind": kind.name, "plural": plural, "singular": kind.name.lower()}
    version = {
        "name": kind.resource.version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": {"type": "object", **anything}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{kind.resource.group}"},
        "spec": {
            "group": kind.resource.group,
            "scope": "Namespaced",
            "names": names,
            "versions": [version],
        },
    }


@dataclass
class Elsewhere:
    """A controller of one kind, done by hand: makes pods, and ends what they belong to."""

    play: Scene
    kind: Kind

    async def begins(self) -> Document:
        """Wait for the one workload of the kind."""

        async def there() -> Document | None:
            found = await self.play.all(self.kind.resource)
            return found[0] if found else None

        return dict(await self.play.until(there))

    async def makes_pods(self, workload: Document) -> Sequence[Document]:
        return [await self.create(pod) for pod in self.kind.pods(workload)]

    async def create(self, pod: Document) -> Document:
        return dict(await self.play.kube.create(PODS, self.play.namespace, pod))

    async def pods(self) -> Sequence[Document]:
        """Wait for the workload; return the pods that are made of it."""
        return await self.makes_pods(await self.begins())

    async def ends(self, workload: Document, *, source: str = "stdout") -> None:
        """Report as a collector would, and let it have succeeded."""
        name = workload["metadata"]["name"]
        uid, index = self.play.store.find_trial(name, self.play.namespace)
        batch = Batch(uid, index, 1, source, 0, (Sample("loss", 0.5, 1.0),))
        self.play.store.record([batch], now=1.0)
        self.play.store.note_reporter(uid, index, 1, Reporter(source, done=True), now=1.0)
        await self.succeeds(workload)

    async def succeeds(self, workload: Document) -> None:
        ended = {**workload, "status": self.kind.succeeded}
        await self.play.kube.replace(self.kind.resource, self.play.namespace, ended, "status")


@dataclass
class Asked:
    """An operator that the API server asks about pods."""

    webhook: PodWebhook
    port: int
    stop_answering: Callable[[], Awaitable[None]]


def configuration(port: int) -> Document:
    """Return what the component `webhook` installs, for an operator on this machine."""
    annotations = {"tunewright.dev/served-at": f"https://localhost:{port}"}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": NAME, "annotations": annotations},
    }


async def define(play: Scene) -> None:
    """Have the kinds installed, and an account for pods."""
    with contextlib.suppress(Conflict):
        await play.kube.create(ACCOUNTS, play.namespace, {"metadata": {"name": "default"}})
    for kind in KINDS:
        with contextlib.suppress(Conflict):
            await play.kube.create(DEFINITIONS, None, definition(kind))
    for kind in KINDS:

        async def served(kind: Kind = kind) -> bool:
            return kind.name in await play.kube.kinds(kind.resource.api_version)

        await play.until(served)


@contextlib.asynccontextmanager
async def asked(play: Scene, *, kube: Kube | None = None) -> AsyncIterator[Asked]:
    """Install the webhook and run an operator that answers; `kube` is what it sees."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    await play.kube.create(CONFIGURATIONS, None, configuration(port))
    try:
        await define(play)
        async with answering(play, port, kube=kube) as made:
            yield made
    finally:
        with contextlib.suppress(NotFound):
            await play.kube.delete(CONFIGURATIONS, None, NAME)


@contextlib.asynccontextmanager
async def answering(play: Scene, port: int, *, kube: Kube | None = None) -> AsyncIterator[Asked]:
    webhook = PodWebhook(play.kube)
    parts = replace(play.parts, kube=kube or play.kube, pod_webhook=webhook)
    operator = Operator(parts, Figures())
    driving = asyncio.create_task(operator.run(None))
    serving = asyncio.create_task(admission.serve(webhook, operator.admission, "127.0.0.1", port))
    play.running += [driving, serving]

    async def ready() -> bool:
        return operator.is_ready and bool(webhook.uid)

    try:
        await play.until(ready)
        yield Asked(webhook, port, lambda: play.leave(serving))
    finally:
        for task in (driving, serving):
            if task in play.running:
                await play.leave(task)
