"""Whole devices for trials: found by the vendor's tool, leased in the store.

What the caller was given is all there is: an inherited CUDA_VISIBLE_DEVICES (or
its like) is the inventory, so that a batch system's allocation is respected.
"""

import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ...api.errors import Retryable, Unsupported
from .options import Leases, LocalOptions
from .strays import end_strays

_TOOL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Vendor:
    """How a vendor's devices are counted and handed out.

    Each of `layers` are variables that mean the same. A program counts the devices of the first
    layer among those that the next one leaves it, so that the same numbers in both would be of
    other devices, or of none. The layer that the caller has set names the inventory, and is what
    a trial's devices are handed out by; where it is none, the first.
    """

    resource: str
    layers: tuple[tuple[str, ...], ...]
    command: tuple[str, ...]
    pattern: str


VENDORS = (
    Vendor(
        "nvidia.com/gpu",
        (("CUDA_VISIBLE_DEVICES",),),
        ("nvidia-smi", "-L"),
        r"^GPU (\d+):",
    ),
    Vendor(
        "amd.com/gpu",
        (("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"), ("ROCR_VISIBLE_DEVICES",)),
        ("rocm-smi", "--showid", "--csv"),
        r"^card(\d+)",
    ),
)


def variables(vendor: Vendor, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the variables by which a vendor's devices are named in that environment."""
    layers = vendor.layers
    return next((each for each in layers if not environ.keys().isdisjoint(each)), layers[0])


def inventory(vendor: Vendor, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the devices of a vendor that this run may use."""
    for variable in variables(vendor, environ):
        given = environ.get(variable)
        if given is not None:
            names = dict.fromkeys(each.strip() for each in given.split(","))
            return tuple(each for each in names if each not in {"", "-1", "NoDevFiles"})
    try:
        told = subprocess.run(
            vendor.command,
            check=False,
            capture_output=True,
            text=True,
            timeout=_TOOL_SECONDS,
            env=dict(environ),
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(re.findall(vendor.pattern, told, re.MULTILINE))


class Devices:
    """Hands out the devices of this machine.

    `is_driven` tells whether an engine goes on with an experiment, by its uid.
    """

    def __init__(
        self,
        leases: Leases,
        options: LocalOptions,
        now: Callable[[], float],
        is_driven: Callable[[str], bool],
    ) -> None:
        self._leases = leases
        self._is_driven = is_driven
        self._options = options
        self._now = now
        self._found: dict[str, tuple[str, ...]] = {}

    def take(self, owner: str, wanted: Mapping[str, int]) -> dict[str, Sequence[str]]:
        """Lease what is wanted, by resource; return which it is.

        Raises:
            Unsupported: the machine has fewer.
            Retryable: they are taken.
        """
        try:
            return {
                vendor.resource: self._lease(owner, vendor, wanted[vendor.resource])
                for vendor in VENDORS
                if wanted.get(vendor.resource)
            }
        except (Retryable, Unsupported):
            # Nobody holds devices of one vendor while it waits for those of another.
            self.give_back(owner)
            raise

    def handed(self, devices: Mapping[str, Sequence[str]]) -> dict[str, str]:
        """Return the variables that let a program see these, by resource, and no others."""
        found: dict[str, str] = {}
        for vendor in VENDORS:
            if vendor.resource in devices:
                names = ",".join(devices[vendor.resource])
                found |= dict.fromkeys(variables(vendor, self._options.environ), names)
        return found

    def inventory(self, vendor: Vendor) -> tuple[str, ...]:
        if vendor.resource not in self._found:
            self._found[vendor.resource] = inventory(vendor, self._options.environ)
        return self._found[vendor.resource]

    def give_back(self, owner: str) -> None:
        for vendor in VENDORS:
            self._leases.release_devices(_owner(owner, vendor))

    def _lease(self, owner: str, vendor: Vendor, count: int) -> Sequence[str]:
        there = self.inventory(vendor)
        if count > len(there):
            raise Unsupported(
                f"{count} × {vendor.resource} asked for, {len(there)} on this machine: "
                "ask for fewer, or run the same file on a cluster"
            )
        names = {f"{vendor.resource}/{each}": each for each in there}
        lease = partial(
            self._leases.lease_devices,
            _owner(owner, vendor),
            count,
            inventory=tuple(names),
            shares=self._options.trials_per_gpu,
            now=self._now(),
        )
        given = lease()
        if len(given) < count and self._take_back():
            given = lease()
        if len(given) < count:
            raise Retryable(f"waits for {count} × {vendor.resource}: all are taken", after=0.5)
        return [names[name] for name in given]

    def _take_back(self) -> bool:
        """Take back what is held for attempts that no engine drives; say if anything was."""
        holders = self._leases.device_holders()
        left = [owner for owner, uid in holders.items() if uid is None or not self._is_driven(uid)]
        end_strays(frozenset(owner.partition("/")[0] for owner in left))
        for owner in left:
            self._leases.release_devices(owner)
        return bool(left)


def _owner(token: str, vendor: Vendor) -> str:
    return f"{token}/{vendor.resource}"
