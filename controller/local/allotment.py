"""How many devices an attempt needs, and which of them each of its containers sees.

As on a cluster: a container sees the devices that it asks for, and no other has them, except
that init containers, which end before the rest of their pod starts, use the same ones as it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeAlias

from .pods import Container, Pod

Allotted: TypeAlias = dict[tuple[str, str], dict[str, Sequence[str]]]
"""By the names of pod and container, the devices by resource."""


def needed(pods: Iterable[Pod]) -> dict[str, int]:
    """Return how many devices pods that run together need, by resource."""
    counts: dict[str, int] = {}
    for pod in pods:
        for resource in _resources(pod):
            counts[resource] = counts.get(resource, 0) + _needed(pod, resource)
    return counts


def allot(pods: Iterable[Pod], given: Mapping[str, Sequence[str]]) -> Allotted:
    """Return who sees which of the devices that were given to all, nobody left out."""
    allotted: Allotted = {}
    for resource, devices in given.items():
        left = iter(devices)
        for pod in pods:
            share = [*islice(left, _needed(pod, resource))]
            for container, seen in _shared(pod, resource, share):
                allotted.setdefault((pod.name, container.name), {})[resource] = seen
    return allotted


def _shared(
    pod: Pod, resource: str, share: Sequence[str]
) -> Iterator[tuple[Container, Sequence[str]]]:
    left = iter(share)
    for container in _sidecars(pod):
        yield container, [*islice(left, _asked(container, resource))]
    rest = [*left]
    for container in _inits(pod):
        yield container, rest[: _asked(container, resource)]
    left = iter(rest)
    for container in (*pod.beside, pod.primary):
        yield container, [*islice(left, _asked(container, resource))]


def _needed(pod: Pod, resource: str) -> int:
    sidecars = sum(_asked(each, resource) for each in _sidecars(pod))
    running = sum(_asked(each, resource) for each in (*pod.beside, pod.primary))
    return sidecars + max([running, *(_asked(each, resource) for each in _inits(pod))])


def _sidecars(pod: Pod) -> Sequence[Container]:
    return [each for each in pod.init if each.is_sidecar]


def _inits(pod: Pod) -> Sequence[Container]:
    return [each for each in pod.init if not each.is_sidecar]


def _asked(container: Container, resource: str) -> int:
    return container.limits.devices.get(resource, 0)


def _resources(pod: Pod) -> set[str]:
    return {resource for each in pod.containers for resource in each.limits.devices}
