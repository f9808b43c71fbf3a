"""A pod's template, as the processes it asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...api.errors import Unsupported
from .quantities import Limits, limits_of

DEFAULT_GRACE = 30.0


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a pod. `document` is the container as written, for what is looked up later.

    `command` is empty where the image's entry point would run.
    """

    name: str
    document: Mapping[str, Any] = field(repr=False)
    command: tuple[str, ...]
    args: tuple[str, ...]
    limits: Limits
    is_sidecar: bool = False  # a native one: started in its turn, ended with the pod

    @property
    def image(self) -> str:
        return str(self.document.get("image") or "")


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod: its init containers, the container that decides, and those that run beside it."""

    name: str
    role: str
    index: int
    document: Mapping[str, Any] = field(repr=False)
    metadata: Mapping[str, Any] = field(repr=False)
    init: tuple[Container, ...]
    beside: tuple[Container, ...]
    primary: Container
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def grace(self) -> float:
        """Seconds between SIGTERM and SIGKILL when the pod is ended."""
        value = self.document.get("terminationGracePeriodSeconds")
        return DEFAULT_GRACE if value is None else float(value)

    @property
    def containers(self) -> tuple[Container, ...]:
        return (*self.init, *self.beside, self.primary)


def words(value: object) -> tuple[str, ...]:
    """Return a list of YAML scalars as the strings that a container would get."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    return tuple(str(each) for each in value)


def _container(document: Mapping[str, Any], *, init: bool) -> Container:
    return Container(
        name=str(document.get("name") or ""),
        document=document,
        command=words(document.get("command")),
        args=words(document.get("args")),
        limits=limits_of(document.get("resources") or {}),
        is_sidecar=init and document.get("restartPolicy") == "Always",
    )


def pod_of(
    template: Mapping[str, Any],
    *,
    name: str,
    role: str,
    index: int,
    primary: str,
    variables: Mapping[str, str],
) -> Pod:
    """Read a pod template; `primary` names the container that decides.

    Raises:
        Unsupported: the template has no container, or none of that name among several.
    """
    spec = template.get("spec") or {}
    mains = [_container(each, init=False) for each in spec.get("containers") or ()]
    if not mains:
        raise Unsupported(f"{name}: the pod template has no containers")
    chosen = next((each for each in mains if each.name == primary), None)
    if chosen is None:
        if len(mains) > 1 and index == 0 and primary:
            names = ", ".join(each.name for each in mains)
            raise Unsupported(
                f"{name}: no container is called {primary!r}; primaryContainerName may be {names}"
            )
        chosen = mains[0]
    return Pod(
        name=name,
        role=role,
        index=index,
        document=spec,
        metadata=template.get("metadata") or {},
        init=tuple(_container(each, init=True) for each in spec.get("initContainers") or ()),
        beside=tuple(each for each in mains if each is not chosen),
        primary=chosen,
        variables=variables,
    )
