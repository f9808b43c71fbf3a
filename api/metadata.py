"""Kubernetes' metadata, as far as documents carry it."""

from .model import Count, Model, Object, Several, Text


class Metadata(Model):
    """What the server writes (`uid`, `managed_fields`, …) is accepted and left alone."""

    name: Text | None = None
    generate_name: str | None = None
    namespace: Text | None = None
    labels: dict[str, Text] | None = None
    annotations: dict[str, Text] | None = None
    uid: str | None = None
    resource_version: Text | None = None
    generation: Count | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: Count | None = None
    finalizers: Several[str] = ()
    owner_references: Several[Object] = ()
    managed_fields: Several[Object] = ()
    self_link: str | None = None
