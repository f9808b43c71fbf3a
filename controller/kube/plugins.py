"""Algorithms that live in images of their own, as Katib runs them.

The ConfigMap `katib-config` of an existing installation says which image serves
which algorithm. An experiment that names one that is not built in gets a
Deployment and a Service `<experiment>-<algorithm>` in its own namespace, port
6789; they go when it has ended, but where its resumePolicy keeps them. What
FromVolume keeps on its claim stays.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from ...api.errors import Fault, Forbidden, Invalid, NotFound, TunewrightError
from ...api.policy import Policy, ResumePolicy
from ...db.records import ExperimentRecord
from ...suggestion.endpoint import Endpoint
from ...suggestion.registry import names
from ..brief import Brief
from .belongings import make, remove
from .fields import owner
from .labels import EXPERIMENT
from .notices import Notices
from .port import Document, Kube, namespace_of
from .resources import CLAIMS, CONFIG_MAPS, DEPLOYMENTS, SERVICES

CONFIG, KEY = "katib-config", "katib-config.yaml"
PORT = 6789
DEPLOYMENT = "katib.kubeflow.org/deployment"

OWN: Mapping[str, Any] = {
    "accessModes": ["ReadWriteOnce"],
    "resources": {"requests": {"storage": "1Gi"}},
}
"""What Katib claims for an algorithm alone."""

_ASIDE = frozenset(
    {"algorithmName", "serviceAccountName", "volumeMountPath", "persistentVolumeClaimSpec"}
    | {"persistentVolumeSpec", "persistentVolumeLabels"}
)
"""Keys of an entry that are no fields of the container."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Image:
    """One entry of `runtime.suggestions`. `container` holds the fields of a container."""

    container: Mapping[str, Any]
    account: str = ""
    mount: str = "/opt/katib/data"
    claim: Mapping[str, Any] | None = None  # what the entry says; None where it says nothing


def images_of(config: Document) -> Mapping[str, Image]:
    """Read the images of a `katib-config`, by the algorithm that they serve.

    Raises:
        Invalid: it is no configuration of Katib's.
    """
    try:
        entries = _runtime(config).get("suggestions") or ()
        return {str(each["algorithmName"]): _image(each) for each in entries}
    except (AttributeError, KeyError, TypeError) as error:
        raise _unreadable(error) from error


def _runtime(config: Document) -> Mapping[str, Any]:
    found: Mapping[str, Any] = _written(config).get("runtime") or {}
    return found


def _written(config: Document) -> Mapping[str, Any]:
    data = config.get("data") or {}
    try:
        written: Mapping[str, Any] = yaml.safe_load(data[KEY]) if KEY in data else _of_before(data)
    except (AttributeError, TypeError, ValueError, yaml.YAMLError) as error:
        raise _unreadable(error) from error
    return written or {}


def _of_before(data: Mapping[str, str]) -> Mapping[str, Any]:
    """Read what Katib wrote until 0.14: a table in JSON for each part, by name."""
    tables = {name: json.loads(data.get(name) or "{}") for name in _BEFORE.values()}
    runtime = {
        part: [{"algorithmName": each, **entry} for each, entry in tables[name].items()]
        for part, name in _BEFORE.items()
    }
    return {"runtime": runtime}


_BEFORE = {
    "suggestions": "suggestion",
    "earlyStoppings": "early-stopping",
    "metricsCollectors": "metrics-collector-sidecar",
}


def _unreadable(error: Exception) -> Invalid:
    return Invalid([Fault(f"{CONFIG}.{KEY}", f"is not a KatibConfig: {error}")])


def _image(entry: Mapping[str, Any]) -> Image:
    return Image(
        {key: value for key, value in entry.items() if key not in _ASIDE},
        str(entry.get("serviceAccountName") or ""),
        str(entry.get("volumeMountPath") or "/opt/katib/data"),
        entry.get("persistentVolumeClaimSpec") or None,
    )


def ignored(config: Document) -> Sequence[str]:
    """Name what of a `katib-config` has no meaning here: all of it, where it cannot be read."""
    try:
        images, runtime, written = images_of(config), _runtime(config), _written(config)
    except Invalid as error:
        return [str(error)]
    built_in = sorted({*images} & {*names()})
    found = [f"the image of {name}: it is built in" for name in built_in]
    if runtime.get("earlyStoppings"):
        found.append("runtime.earlyStoppings: spec.earlyStopping.endpoint names a service")
    if runtime.get("metricsCollectors"):
        found.append("runtime.metricsCollectors: the collector is one image of ours")
    if "init" in written:
        found.append("init: of it only kinds of trials, which are found without a list")
    return found


async def tell_ignored(kube: Kube, notices: Notices, namespaces: Sequence[str]) -> None:
    """Say once, in the log and beside the configuration itself, what of it is not followed."""
    try:
        config = await _config(kube, namespaces)
    except TunewrightError as error:
        log.warning("whether there is a %s cannot be seen: %s", CONFIG, error)
        return
    if config is None:
        return
    for line in ignored(config):
        log.warning("%s/%s is not followed in %s", namespace_of(config), CONFIG, line)
        notices.say(config, "Warning", "ConfigurationIgnored", f"Not followed: {line}")


@dataclass(frozen=True, slots=True)
class Plugin:
    """The plug-in of one experiment."""

    kube: Kube
    image: Image
    experiment: ExperimentRecord
    algorithm: str
    policy: Policy

    @property
    def name(self) -> str:
        return f"{self.experiment.key.name}-{self.algorithm}"

    @property
    def endpoint(self) -> str:
        return f"{self.name}.{self.experiment.key.namespace}:{PORT}"

    @property
    def is_kept(self) -> bool:
        """Whether it stays when its experiment has ended."""
        return self.policy.resume_policy is ResumePolicy.LONG_RUNNING

    async def begin(self) -> None:
        """Make what is not there yet.

        Raises:
            ServerUnavailable: what served a namesake is still there.
        """
        made = [(SERVICES, self._service()), (DEPLOYMENTS, self._deployment())]
        if self._has_volume:
            made.insert(0, (CLAIMS, self._claim()))
        for resource, document in made:
            await make(self.kube, resource, self.experiment, document)

    async def end(self) -> None:
        """Take it away, but for its claim."""
        for resource in (DEPLOYMENTS, SERVICES):
            await remove(self.kube, resource, self.experiment, self.name)

    @property
    def _has_volume(self) -> bool:
        return self.policy.resume_policy is ResumePolicy.FROM_VOLUME

    def _head(self, api_version: str, kind: str) -> dict[str, Any]:
        key = self.experiment.key
        metadata = {
            "name": self.name,
            "namespace": key.namespace,
            "labels": self._labels(),
            "ownerReferences": [owner("Experiment", key.name, self.experiment.uid)],
        }
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata}

    def _labels(self) -> dict[str, str]:
        return {EXPERIMENT: self.experiment.key.name, DEPLOYMENT: self.name}

    def _service(self) -> dict[str, Any]:
        port = {"name": "suggestion-api", "port": PORT, "targetPort": PORT}
        spec = {"selector": self._labels(), "ports": [port]}
        return {**self._head("v1", "Service"), "spec": spec}

    def _claim(self) -> dict[str, Any]:
        return {**self._head("v1", "PersistentVolumeClaim"), "spec": self.image.claim or OWN}

    def _deployment(self) -> dict[str, Any]:
        pod: dict[str, Any] = {"containers": [self._container()]}
        if self.image.account:
            pod["serviceAccountName"] = self.image.account
        if self._has_volume:
            claim = {"claimName": self.name}
            pod["volumes"] = [{"name": "suggestion-volume", "persistentVolumeClaim": claim}]
        istio = {"sidecar.istio.io/inject": "false"}
        template = {
            "metadata": {"labels": self._labels() | istio, "annotations": istio},
            "spec": pod,
        }
        spec = {"replicas": 1, "selector": {"matchLabels": self._labels()}, "template": template}
        # A stateful one must not be there twice while it is renewed.
        spec["strategy"] = {"type": "Recreate"}
        return {**self._head("apps/v1", "Deployment"), "spec": spec}

    def _container(self) -> dict[str, Any]:
        container: dict[str, Any] = {"imagePullPolicy": "IfNotPresent", **self.image.container}
        container["name"] = "suggestion"
        container["ports"] = [{"name": "suggestion-api", "containerPort": PORT}]
        probe = {"grpc": {"port": PORT, "service": "manager.v1beta1.Suggestion"}}
        container.setdefault("readinessProbe", {**probe, "periodSeconds": 5})
        if self._has_volume:
            mount = {"name": "suggestion-volume", "mountPath": self.image.mount}
            container["volumeMounts"] = [*container.get("volumeMounts", ()), mount]
        return container


async def plugin_of(
    kube: Kube, experiment: ExperimentRecord, brief: Brief, namespaces: Sequence[str]
) -> Plugin | None:
    """Find the image that serves an algorithm which is not built in.

    `namespaces` are those in which a `katib-config` may be; the first counts.

    Raises:
        Invalid: the one that is there cannot be read.
    """
    algorithm = brief.problem.algorithm
    if brief.problem.endpoint is not None or algorithm in names():
        return None
    config = await _config(kube, namespaces)
    image = images_of(config).get(algorithm) if config is not None else None
    return Plugin(kube, image, experiment, algorithm, brief.policy) if image else None


async def claim_spec(
    kube: Kube, algorithm: str, namespaces: Sequence[str]
) -> Mapping[str, Any] | None:
    """Return what a `katib-config` says to claim for an algorithm, None where it says nothing.

    Raises:
        Invalid: the one that is there cannot be read.
    """
    config = await _config(kube, namespaces)
    image = images_of(config).get(algorithm) if config is not None else None
    return None if image is None else image.claim


async def _config(kube: Kube, namespaces: Sequence[str]) -> Document | None:
    for namespace in namespaces:
        try:
            return await kube.get(CONFIG_MAPS, namespace, CONFIG)
        except (NotFound, Forbidden):  # an operator of some namespaces sees no others
            continue
    return None


def served_by(brief: Brief, endpoint: str) -> Brief:
    """Return the brief of an experiment whose algorithm answers there."""
    return replace(brief, problem=replace(brief.problem, endpoint=endpoint))


def check_endpoints(spec: Document, namespace: str) -> None:
    """Refuse endpoints outside the experiment's namespace: whoever writes them may not see them.

    Raises:
        Invalid: with each that names no Service of the namespace.
    """
    written = {
        each: (spec.get(each) or {}).get("endpoint") for each in ("algorithm", "earlyStopping")
    }
    faults = [
        Fault(
            f"spec.{field}.endpoint",
            f"{endpoint} is not a Service of the namespace {namespace}",
            f"write it as NAME.{namespace}:PORT",
        )
        for field, endpoint in written.items()
        if endpoint and not _is_within(namespace, endpoint)
    ]
    if faults:
        raise Invalid(faults)


def _is_within(namespace: str, endpoint: str) -> bool:
    host = Endpoint.of(endpoint).address.rpartition(":")[0]
    name, _, rest = host.partition(".")
    return bool(name) and rest in {namespace, f"{namespace}.svc", f"{namespace}.svc.cluster.local"}
