"""What a person chose for their machine, beside what the file says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


class Leases(Protocol):
    """The store's part in handing out devices; see `db.store.Store`."""

    def lease_devices(
        self, owner: str, wanted: int, *, inventory: Sequence[str], shares: int, now: float
    ) -> Sequence[str]: ...

    def release_devices(self, owner: str) -> None: ...

    def device_holders(self) -> Mapping[str, str | None]: ...


@dataclass(frozen=True, slots=True)
class LocalOptions:
    """Settings of one run. What is secret here is given to processes, never written.

    `environ` is the caller's. `env_file` holds the variables of `--env-file`:
    every container gets them, and they answer for secrets and config maps that
    no document has. `secrets` and `config_maps` come from documents, by name.
    `mounts` says where a PVC or host path of that name is.
    """

    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    runtime: str = "process"  # or docker, podman
    env_file: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    config_maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    mounts: Mapping[str, Path] = field(default_factory=dict)
    trials_per_gpu: int = 1
