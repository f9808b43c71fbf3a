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
limits:                                           the first that names a namespace, or none, counts
- namespaces: [team-a]
  parallelTrialCount: {default: 2, max: 8}
  experiments: 3                                  so many go on at once, others wait
  ttlSecondsAfterFinished: 604800                 the longest that an ended one stays
  kinds: [jobs.batch]
  plugins: [mine]                                 algorithms and rules beside the built-in ones
  retentionSeconds: 2592000                       how long what a deleted one recorded stays
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, NonNegativeFloat, PositiveInt, ValidationError
from pydantic.alias_generators import to_camel

from ...api.errors import Fault, Invalid
from ..plan.limits import NO_LIMITS, RETENTION_SECONDS, Limits
from .workloads.collector import Settings


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


class ParallelConfig(_Part):
    default: PositiveInt | None = None
    max: PositiveInt | None = None


class LimitsConfig(_Part):
    namespaces: tuple[str, ...] = ()
    parallel_trial_count: ParallelConfig = ParallelConfig()
    experiments: PositiveInt | None = None
    ttl_seconds_after_finished: NonNegativeFloat | None = None
    kinds: frozenset[str] | None = None
    plugins: frozenset[str] | None = None
    retention_seconds: NonNegativeFloat = RETENTION_SECONDS

    def limits(self) -> Limits:
        return Limits(
            default_parallel=self.parallel_trial_count.default,
            parallel=self.parallel_trial_count.max,
            experiments=self.experiments,
            ttl_seconds=self.ttl_seconds_after_finished,
            kinds=self.kinds,
            plugins=self.plugins,
            retention_seconds=self.retention_seconds,
        )


class Config(_Part):
    """See the module; each has its option on the command line, which wins."""

    collector: CollectorConfig = CollectorConfig()
    metrics: str = "tunewright-metrics.tunewright:6789"
    suggestion: str = "tunewright-suggestion.tunewright:6789"
    namespaces: tuple[str, ...] = ()
    katib_config_namespaces: tuple[str, ...] = ("kubeflow",)
    template_namespaces: tuple[str, ...] = ("kubeflow",)
    impersonate_trials: bool = False
    limits: tuple[LimitsConfig, ...] = ()

    def limits_of(self, namespace: str) -> Limits:
        """Return what a namespace is granted."""
        for each in self.limits:
            if not each.namespaces or namespace in each.namespaces:
                return each.limits()
        return NO_LIMITS

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
    except ValidationError as error:
        raise Invalid(
            Fault(".".join(map(str, each["loc"])), each["msg"], file=str(path))
            for each in error.errors()
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Invalid([Fault("--config", f"{path} is no YAML: {error}")]) from error
