"""Kubernetes' quantities, and what of a container's resources holds on one machine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ...api.errors import Unsupported

_SUFFIXES = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12),
    "P": Decimal(10**15), "E": Decimal(10**18), "Ki": Decimal(2**10), "Mi": Decimal(2**20),
    "Gi": Decimal(2**30), "Ti": Decimal(2**40), "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip
_GREATEST = 2**63
"""Kubernetes counts no further."""

DEVICES = ("nvidia.com/gpu", "amd.com/gpu")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a container may use: bytes, CPUs, and whole devices by resource name."""

    memory: int | None = None
    cpu: float | None = None
    devices: Mapping[str, int] = field(default_factory=dict)


def quantity(text: object) -> Decimal:
    """Read `1.5`, `500m`, `2Gi` or `1e3`.

    Raises:
        Unsupported: it is none of these.
    """
    value = str(text).strip()
    number = value.rstrip("numkMGTPEKi")
    suffix = value[len(number) :]
    try:
        read = Decimal(number) * _SUFFIXES[suffix]
        is_one = 0 <= read < _GREATEST
    except (ArithmeticError, KeyError):
        is_one = False
    if not is_one:
        raise Unsupported(f"{value!r} is not a quantity; write one such as 2, 500m, 1.5Gi or 200M")
    return read


def limits_of(resources: Mapping[str, Any]) -> Limits:
    """Read a container's resources. Requests order nothing here, except devices.

    A limit of 0 is none, as it is to the kubelet.
    """
    limits = resources.get("limits") or {}
    requests = resources.get("requests") or {}
    devices = {
        name: int(quantity(limits.get(name, requests.get(name, 0))))
        for name in DEVICES
        if name in limits or name in requests
    }
    return Limits(
        memory=int(quantity(limits.get("memory", 0))) or None,
        cpu=float(quantity(limits.get("cpu", 0))) or None,
        devices={name: count for name, count in devices.items() if count},
    )
