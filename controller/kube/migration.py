"""From Katib to Tunewright, and back: what is there, and the steps from there on.

Each step may be taken again: what has been done is not there to be done. What
is taken away is kept in a ConfigMap beside Katib's controller, for the way back.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ...api.errors import NotFound, Unsupported
from ...api.words import counted
from . import labels
from .katib import CONTROLLER, WEBHOOK, WEBHOOKS, is_held, left_finalizers
from .plugins import CONFIG, ignored
from .port import Document, Resource, Selection, name_of, namespace_of
from .resources import CONFIG_MAPS, DEPLOYMENTS, EXPERIMENTS, SERVICES, TRIALS
from .session import Session

KEPT = "tunewright-katib-webhooks"
"""The ConfigMap that keeps the webhook configurations."""

OPERATOR = (
    "app.kubernetes.io/part-of=tunewright,app.kubernetes.io/component in (operator,standalone)"
)
"""What drives experiments: a Deployment of its own, or the one that is everything."""

DATABASES = ("katib-mysql", "katib-postgres")

_ENDS = {"Succeeded", "Failed"}
_OWN = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, in words, and doing it."""

    said: str
    take: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Survey:
    """What of Katib is in a cluster, and whether our operator runs there."""

    controllers: Sequence[Document]
    webhooks: Sequence[tuple[Resource, Document]]
    experiments: Mapping[tuple[str, str], int]  # by namespace and state
    held: Sequence[tuple[Resource, Document]]
    config: Document | None
    databases: Sequence[Document]
    kept: Document | None
    operators: Sequence[Document]

    @property
    def unfinished(self) -> int:
        """How many experiments Katib still drives."""
        if not any(map(_replicas, self.controllers)):
            return 0
        return sum(count for (_, state), count in self.experiments.items() if state not in _ENDS)

    def lines(self) -> Iterator[str]:
        """Say what is there."""
        for each in self.controllers:
            yield f"Katib's controller: {_full_name(each)}, {counted(_replicas(each), 'replica')}"
        for resource, _ in self.webhooks:
            yield f"Katib's {resource.plural}: {WEBHOOK}"
        for (namespace, state), count in sorted(self.experiments.items()):
            yield f"experiments in {namespace}: {count} {state}"
        if self.held:
            yield f"objects being deleted that Katib's finalizers hold: {len(self.held)}"
        if self.config is not None:
            yield f"its configuration: {_full_name(self.config)}, read by the operator as it is"
            yield from (f"  not followed: {line}" for line in ignored(self.config))
        for each in self.databases:
            yield f"its database: {_full_name(each)}"


def survey(session: Session) -> Survey:
    """Look at a cluster."""
    everything = Selection(DEPLOYMENTS, None, CONTROLLER)
    controllers = tuple(session.list(everything))
    homes = dict.fromkeys(["kubeflow", *map(namespace_of, controllers)])
    experiments, trials = _all(session, EXPERIMENTS), _all(session, TRIALS)
    held = [
        (resource, each)
        for resource, found in ((EXPERIMENTS, experiments), (TRIALS, trials))
        for each in found
        if is_held(each)
    ]
    return Survey(
        controllers=controllers,
        webhooks=[
            (resource, found)
            for resource in WEBHOOKS
            if (found := _found(session, resource, None, WEBHOOK)) is not None
        ],
        experiments=Counter(
            (namespace_of(each), _state(each))
            for each in experiments
            if not each["metadata"].get("deletionTimestamp")
        ),
        held=held,
        config=_first(session, homes, CONFIG_MAPS, CONFIG),
        databases=[
            found
            for name in DATABASES
            if (found := _first(session, homes, SERVICES, name)) is not None
        ],
        kept=_first(session, homes, CONFIG_MAPS, KEPT),
        operators=[
            each for each in session.list(Selection(DEPLOYMENTS, None, OPERATOR)) if _replicas(each)
        ],
    )


def steps_over(session: Session, there: Survey) -> Iterator[Step]:
    """Return what hands the cluster over; first is kept what is taken away."""
    home = namespace_of(there.controllers[0]) if there.controllers else "kubeflow"
    if there.webhooks:
        yield Step(
            f"keep Katib's webhook configurations in the ConfigMap {home}/{KEPT}",
            partial(_keep, session, there, home),
        )
    for each in there.controllers:
        if _replicas(each):
            yield Step(f"scale {_full_name(each)} to 0", partial(_halt, session, each))
    for resource, each in there.webhooks:
        yield Step(
            f"remove {resource.plural} {WEBHOOK}",
            partial(session.delete, resource, None, WEBHOOK, each["metadata"]["uid"]),
        )
    for resource, each in there.held:
        yield Step(
            f"let {resource.plural} {_full_name(each)} go", partial(_lift, session, resource, each)
        )


def steps_back(session: Session, there: Survey) -> Iterator[Step]:
    """Return what hands the cluster back to Katib."""
    kept = (there.kept or {}).get("data") or {}
    present = {resource.plural for resource, _ in there.webhooks}
    for resource in WEBHOOKS:
        if resource.plural in kept and resource.plural not in present:
            document = json.loads(kept[resource.plural])
            yield Step(
                f"restore {resource.plural} {WEBHOOK}",
                partial(session.create, resource, None, document),
            )
    for each in there.controllers:
        before = (each["metadata"].get("annotations") or {}).get(labels.REPLICAS)
        if before is not None:
            yield Step(
                f"scale {_full_name(each)} to {before}", partial(_resume, session, each, before)
            )
    if there.kept is not None:
        where, uid = namespace_of(there.kept), there.kept["metadata"]["uid"]
        yield Step(
            f"remove the ConfigMap {where}/{KEPT}",
            partial(session.delete, CONFIG_MAPS, where, KEPT, uid),
        )


def _keep(session: Session, there: Survey, home: str) -> None:
    data = {resource.plural: json.dumps(_bare(each)) for resource, each in there.webhooks}
    if there.kept is not None:
        session.merge(CONFIG_MAPS, there.kept, {"data": data})
        return
    metadata = {"name": KEPT, "namespace": home}
    session.create(
        CONFIG_MAPS,
        home,
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data},
    )


def _halt(session: Session, deployment: Document) -> None:
    annotations = {labels.REPLICAS: str(_replicas(deployment))}
    patch = {"metadata": {"annotations": annotations}, "spec": {"replicas": 0}}
    session.merge(DEPLOYMENTS, deployment, patch)


def _resume(session: Session, deployment: Document, before: str) -> None:
    annotations = {labels.REPLICAS: None}
    patch = {"metadata": {"annotations": annotations}, "spec": {"replicas": int(before)}}
    session.merge(DEPLOYMENTS, deployment, patch)


def _lift(session: Session, resource: Resource, document: Document) -> None:
    patch = {"metadata": {"finalizers": left_finalizers(document)}}
    session.merge(resource, document, patch)


def _bare(document: Document) -> dict[str, Any]:
    """Return of an object what creates it again."""
    metadata = {key: each for key, each in document["metadata"].items() if key not in _OWN}
    return {**document, "metadata": metadata}


def _replicas(deployment: Document) -> int:
    return int(deployment["spec"].get("replicas", 1))


def _state(experiment: Document) -> str:
    """Return the last condition, as Katib's own tables do."""
    conditions = (experiment.get("status") or {}).get("conditions")
    return str(conditions[-1].get("type", "")) if conditions else "Created"


def _all(session: Session, resource: Resource) -> Sequence[Document]:
    try:
        return tuple(session.list(Selection(resource)))
    except (NotFound, Unsupported):
        return ()


def _found(
    session: Session, resource: Resource, namespace: str | None, name: str
) -> Document | None:
    try:
        return session.get(resource, namespace, name)
    except NotFound:
        return None


def _first(
    session: Session, namespaces: Mapping[str, None], resource: Resource, name: str
) -> Document | None:
    found = (_found(session, resource, namespace, name) for namespace in namespaces)
    return next((each for each in found if each is not None), None)


def _full_name(document: Document) -> str:
    return f"{namespace_of(document)}/{name_of(document)}"
