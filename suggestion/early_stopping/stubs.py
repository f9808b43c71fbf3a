"""Connections to the services of rules, and what their errors mean here."""

from collections.abc import Callable
from typing import Any, TypeVar

import grpc

from ...api.errors import PluginBroken, PluginUnavailable, TunewrightError
from ...api.stopping import StoppingRule
from ..endpoint import AWAY, Endpoint

_Stub = TypeVar("_Stub")


class Stubs:
    """One connection for each endpoint, opened when it is first asked."""

    def __init__(self) -> None:
        self._channels: dict[str, grpc.Channel] = {}

    def of(self, rule: StoppingRule, stub: Callable[[Any], _Stub]) -> _Stub:
        """Return the stub of the service behind a rule's endpoint."""
        assert rule.endpoint is not None
        if rule.endpoint not in self._channels:
            self._channels[rule.endpoint] = Endpoint.of(rule.endpoint).service().channel()
        return stub(self._channels[rule.endpoint])

    def close(self) -> None:
        for channel in self._channels.values():
            channel.close()


def told(rule: StoppingRule, error: Exception) -> TunewrightError:
    """Return what the failure of a rule's service is to us."""
    if isinstance(error, TunewrightError):
        return error
    if not isinstance(error, grpc.RpcError):
        return PluginBroken(f"{rule.endpoint}: {type(error).__name__}: {error}")
    said = f"{rule.endpoint}: {error.details() or error.code().name}"
    return PluginUnavailable(said) if error.code() in AWAY else PluginBroken(said)
