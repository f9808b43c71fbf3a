"""What is seen of the cluster: a cache for each kind, kept by a reflector for each namespace.

Kinds of workload are followed from the first experiment on that runs them; one
whose definition is not installed is asked for again by whoever needs it.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ...api.errors import NotFound
from . import labels
from .cache import Cache, Key, key_of
from .port import Document, Kube, Resource, Selection, at, namespace_of
from .reflector import OnChange, Reflector
from .resources import EXPERIMENTS, PODS, TRIALS
from .trials import slim_trial
from .workloads.elsewhere import ELSEWHERE

BY_EXPERIMENT = "experiment"
BY_TRIAL = "trial"
IN_NAMESPACE = "namespace"
HELD = "held"
"""Trials of an experiment that are being deleted, and that a finalizer holds."""

_SET = ELSEWHERE["TrainJob"].label
_MAKE_SETS = {"trainjobs", "jobsets"}
"""Kinds whose pods carry the name of their JobSet, the trial's, and no label of ours for sure."""

Touch: TypeAlias = Callable[[Key], None]
"""Told which experiment to look at."""

Appeared: TypeAlias = Callable[[Key, Document], None]
"""Told which experiment has a trial that was not there before."""

Different: TypeAlias = Callable[[Document | None, Document | None], bool]


def _always(before: Document | None, after: Document | None) -> bool:
    del before, after
    return True


@dataclass(slots=True)
class _Followed:
    cache: Cache
    reflectors: Sequence[Reflector] = field(default_factory=list)

    async def synced(self) -> Cache:
        for reflector in self.reflectors:
            await reflector.answered()
        return self.cache


class Informers:
    """Follows experiments, trials, pods, and the workloads that are asked for.

    `namespaces` holds None alone for all. `appeared` hears of every trial that is new here,
    of those that this operator has just made, too. `tasks` holds the reflectors: what ends one of
    them unexpectedly ends all.
    """

    def __init__(
        self,
        kube: Kube,
        namespaces: Sequence[str | None],
        touch: Touch,
        appeared: Appeared,
        tasks: asyncio.TaskGroup,
        *,
        chance: Callable[[], float],
    ) -> None:
        self._kube = kube
        self._namespaces = namespaces
        self._touch = touch
        self._appeared = appeared
        self._tasks = tasks
        self._chance = chance
        self._kinds: dict[tuple[str, str], Resource] = {}
        self._workloads: dict[Resource, _Followed] = {}
        self._pods_of_sets: _Followed | None = None
        of_experiment = {BY_EXPERIMENT: _experiment_of, HELD: _held_of}
        self._experiments = self._follow(
            EXPERIMENTS,
            Cache(indexes={IN_NAMESPACE: _namespace_of}),
            self._touching(_self, _is_edit),
        )
        self._trials = self._follow(TRIALS, Cache(slim_trial, of_experiment), self._on_trial)
        self._pods = self._follow(
            PODS,
            Cache(slim_pod, {BY_TRIAL: _trial_of}),
            self._touching(_experiment_of),
            labels.TRIAL,
        )

    @property
    def experiments(self) -> Cache:
        return self._experiments.cache

    @property
    def trials(self) -> Cache:
        return self._trials.cache

    @property
    def is_synced(self) -> bool:
        always = (self._experiments, self._trials, self._pods)
        return all(each.synced.is_set() for one in always for each in one.reflectors)

    def beside(self, experiment: Key) -> Sequence[Document]:
        """Return all experiments of an experiment's namespace."""
        return self.experiments.under(IN_NAMESPACE, Key(experiment.namespace, ""))

    def pods(self, trial: Key) -> Sequence[Document]:
        """Return the pods of a trial, whoever made them."""
        found = self._pods.cache.under(BY_TRIAL, trial)
        beside = self._pods_of_sets
        more = () if beside is None else beside.cache.under(BY_TRIAL, trial)
        return tuple({key_of(pod): pod for pod in (*found, *more)}.values())

    async def pods_anew(self, trial: Key) -> Sequence[Document]:
        """Return the pods of a trial as the server has them: a cache may be behind another."""
        selected = [labels.TRIAL] if self._pods_of_sets is None else [labels.TRIAL, _SET]
        found = [
            await self._kube.list(Selection(PODS, trial.namespace, f"{label}={trial.name}"))
            for label in selected
        ]
        return tuple({key_of(pod): pod for each in found for pod in each.documents}.values())

    def trial(self, experiment: Key, name: str) -> Document | None:
        return self.trials.get(Key(experiment.namespace, name))

    async def trials_of(self, experiment: Key, *, anew: bool) -> Sequence[Document]:
        """Return an experiment's trials, as they were seen or, `anew`, as the server has them."""
        if anew:
            selected = f"{labels.EXPERIMENT}={experiment.name}"
            listing = await self._kube.list(Selection(TRIALS, experiment.namespace, selected))
            there = {key_of(each) for each in listing.documents}
            for gone in {*map(key_of, self.trials.under(BY_EXPERIMENT, experiment))} - there:
                self.trials.remove(gone)
            for each in listing.documents:
                self.trials.put(each)
        return self.trials.under(BY_EXPERIMENT, experiment)

    async def synced(self) -> None:
        """Wait until all that is followed from the start has been seen once.

        Raises:
            NotFound, Forbidden: it may not be, or is not there.
        """
        for each in (self._experiments, self._trials, self._pods):
            await each.synced()

    async def resource(self, api_version: str, kind: str) -> Resource:
        """Return where a kind is served.

        Raises:
            NotFound: its definition is not installed.
        """
        known = self._kinds.get((api_version, kind))
        if known is None:
            served: Mapping[str, Resource] = {}
            with contextlib.suppress(NotFound):  # there is nothing at all of its group
                served = await self._kube.kinds(api_version)
            if kind not in served:
                raise NotFound(f"the cluster has no namespaced kind {kind} in {api_version}")
            known = self._kinds[api_version, kind] = served[kind]
        return known

    async def workloads(self, resource: Resource) -> Cache:
        """Return the workloads of a kind that carry a trial's label, once they have been seen.

        Raises:
            NotFound, Forbidden: the operator may not see them, or they are there no more.
        """
        followed = self._workloads.get(resource)
        if followed is None:
            cache = Cache(slim_workload, {BY_EXPERIMENT: _experiment_of})
            on_change = self._touching(_experiment_of)
            followed = self._follow(resource, cache, on_change, labels.TRIAL)
            self._workloads[resource] = followed
            if resource.plural in _MAKE_SETS and self._pods_of_sets is None:
                cache = Cache(slim_pod, {BY_TRIAL: _set_of})
                on_change = self._touching(self._of_set)
                self._pods_of_sets = self._follow(PODS, cache, on_change, _SET)
        if self._pods_of_sets is not None:
            await self._pods_of_sets.synced()
        return await followed.synced()

    def _of_set(self, pod: Document) -> Iterable[Key]:
        """Return the experiment of the trial after which a JobSet is called."""
        for key in _set_of(pod):
            trial = self.trials.get(key)
            if trial is not None:
                yield from _experiment_of(trial)

    def _on_trial(self, before: Document | None, after: Document | None) -> None:
        for key in _experiment_of(after or before or {}):
            if before is None and after is not None:
                self._appeared(key, after)
            elif _is_strange(after):
                self._touch(key)

    def _touching(
        self, experiments: Callable[[Document], Iterable[Key]], matters: Different = _always
    ) -> OnChange:
        def on_change(before: Document | None, after: Document | None) -> None:
            if matters(before, after):
                for key in experiments(after or before or {}):
                    self._touch(key)

        return on_change

    def _follow(
        self, resource: Resource, cache: Cache, on_change: OnChange, selected: str = ""
    ) -> _Followed:
        reflectors = [
            Reflector(
                self._kube,
                Selection(resource, namespace, selected),
                cache,
                on_change,
                chance=self._chance,
            )
            for namespace in self._namespaces
        ]
        for reflector in reflectors:
            self._tasks.create_task(reflector.run(), name=f"follow {resource.plural}")
        return _Followed(cache, reflectors)


def slim_workload(document: Document) -> Document:
    """Leave out what a workload runs: it is said in full where it was rendered."""
    kept = ("apiVersion", "kind", "metadata", "status")
    slim = {name: document[name] for name in kept if name in document}
    told = ("suspend", "runPolicy", "backoffLimit")
    said = {name: at(document, "spec", name) for name in told}
    return {**slim, "spec": {name: value for name, value in said.items() if value is not None}}


def slim_pod(document: Document) -> Document:
    """Leave of a pod what tells how it fares."""
    spec = document.get("spec") or {}
    told = ("name", "restartPolicy")
    beside = [
        {name: each[name] for name in told if name in each}
        for each in spec.get("initContainers") or ()
    ]
    return {
        "metadata": document["metadata"],
        "spec": {"initContainers": beside},
        "status": document.get("status") or {},
    }


def _namespace_of(document: Document) -> Iterable[Key]:
    return (Key(namespace_of(document), ""),)


def _self(document: Document) -> Iterable[Key]:
    return (Key(namespace_of(document), document["metadata"]["name"]),)


def _experiment_of(document: Document) -> Iterable[Key]:
    name = (document["metadata"].get("labels") or {}).get(labels.EXPERIMENT)
    return (Key(namespace_of(document), name),) if name else ()


def _held_of(trial: Document) -> Iterable[Key]:
    metadata = trial["metadata"]
    is_held = metadata.get("deletionTimestamp") and metadata.get("finalizers")
    return _experiment_of(trial) if is_held else ()


def _set_of(pod: Document) -> Iterable[Key]:
    name = (pod["metadata"].get("labels") or {}).get(_SET)
    return (Key(namespace_of(pod), name),) if name else ()


def _trial_of(document: Document) -> Iterable[Key]:
    name = (document["metadata"].get("labels") or {}).get(labels.TRIAL)
    return (Key(namespace_of(document), name),) if name else ()


def _is_edit(before: Document | None, after: Document | None) -> bool:
    """Whether people changed an experiment: its status is ours."""
    if before is None or after is None:
        return True
    return _edited(before) != _edited(after)


def _edited(document: Document) -> tuple[Any, ...]:
    metadata = document["metadata"]
    names = ("uid", "generation", "annotations", "deletionTimestamp")
    return tuple(metadata.get(name) for name in names)


def _is_strange(after: Document | None) -> bool:
    """Whether a trial changed by another hand than ours: deleted, or asked to stop."""
    return after is None or bool(after["metadata"].get("deletionTimestamp")) or asks_to_stop(after)


def asks_to_stop(trial: Document) -> bool:
    """Whether Katib's early stopping wrote its condition: an end without our position."""
    status = trial.get("status") or {}
    kinds = {each.get("type") for each in status.get("conditions") or ()}
    return "EarlyStopped" in kinds and "position" not in status
