"""The operator's settings file.

collector:                  what stands beside trials
  image: tunewright/collector:1
  imagePullPolicy: IfNotPresent
  imagePullSecrets: [registry]
  resources: {requests: {cpu: 50m}}
  readsLogs: false                                read standard output from the pods' logs
metrics: tunewright-metrics.tunewright:6789       where collectors report
suggestion: tunewright-suggestion.tunewright:6789 who is asked for points
namespaces: [team-a, team-b]                      all, where it is left out
katibConfigNamespaces: [kubeflow]                 where a katib-config names images
templateNamespaces: [kubeflow]                    whose labelled ConfigMaps of templates all may use
impersonateTrials: false                          create trials as accounts of their namespaces
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from ...api.errors import Fault, Invalid
from .workloads.injection import Settings


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, populate_by_name=True, extra="forbid"
    )


class CollectorConfig(_Part):
    image: str = "tunewright/collector:latest"
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    resources: Mapping[str, Any] | None = None
    reads_logs: bool = False


class Config(_Part):
    """See the module; each has its option on the command line, which wins."""

    collector: CollectorConfig = CollectorConfig()
    metrics: str = "tunewright-metrics.tunewright:6789"
    suggestion: str = "tunewright-suggestion.tunewright:6789"
    namespaces: tuple[str, ...] = ()
    katib_config_namespaces: tuple[str, ...] = ("kubeflow",)
    template_namespaces: tuple[str, ...] = ("kubeflow",)
    impersonate_trials: bool = False

    def settings(self) -> Settings:
        """Return what is put beside trials."""
        plain = Settings(
            image=self.collector.image,
            metrics=self.metrics,
            pull_policy=self.collector.image_pull_policy,
            pull_secrets=self.collector.image_pull_secrets,
            reads_logs=self.collector.reads_logs,
        )
        resources = self.collector.resources
        return plain if resources is None else replace(plain, resources=resources)


def read_config(path: Path | None) -> Config:
    """Read a settings file; without one, everything is as it is by default.

    Raises:
        Invalid: with everything that is wrong with it.
    """
    if path is None:
        return Config()
    try:
        written = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        return Config.model_validate(written)
    except OSError as error:
        raise Invalid([Fault("--config", f"{path} cannot be read: {error.strerror}")]) from error
    except yaml.YAMLError as error:
        raise Invalid([Fault("--config", f"{path} is no YAML: {error}")]) from error
    except ValidationError as error:
        raise Invalid(
            Fault(".".join(map(str, each["loc"])), each["msg"], file=str(path))
            for each in error.errors()
        ) from error
