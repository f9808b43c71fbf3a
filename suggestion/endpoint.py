"""Where a plug-in is: `host:port`, `unix:PATH`, `grpcs://host:port`, with `?stateless` behind."""

from dataclasses import dataclass
from typing import TypeVar

import grpc

from ..api.errors import PluginBroken
from ..proto.service import Service

_Reply = TypeVar("_Reply")

AWAY = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)
"""Answers of a service that may do what it is asked if it is asked again later."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`address` is gRPC's; a `secure` one speaks TLS."""

    address: str
    secure: bool = False
    stateless: bool = False

    @classmethod
    def of(cls, text: str) -> "Endpoint":
        place, _, declared = text.partition("?")
        scheme, _, address = place.rpartition("://")
        return cls(address, scheme in {"grpcs", "https"}, declared == "stateless")

    def service(self, root: bytes | None = None) -> Service:
        return Service(self.address, self.secure, root)

    def __str__(self) -> str:
        return f"grpcs://{self.address}" if self.secure else self.address


def readable(reply: _Reply | None, who: str) -> _Reply:
    """Return an answer; None is what gRPC's asyncio gives for bytes that are no message.

    Raises:
        PluginBroken: it is None.
    """
    if reply is None:
        raise PluginBroken(f"{who} answered what is no message of its protocol")
    return reply
