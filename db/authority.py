"""Who calls the metrics service, and what they may do there.

The service asks an `Authority` once for each call or stream who makes it, and checks the
answer for every trial that is named.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import grpc

from ..api.errors import Forbidden

REMEDY = "`tunewright serve metrics --open` lets everybody report and read"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever calls, and what they may do; `name` is for messages.

    They may read the trials of `namespace`, and report for `trial` there; `everywhere`, they
    may read and report any. With `operates` they are the operator, who may do everything.
    """

    name: str
    namespace: str = ""
    trial: str = ""
    everywhere: bool = False
    operates: bool = False

    def to_stream(self) -> None:
        """Let pass whoever may report for at least one trial.

        Raises:
            Forbidden: the caller may not.
        """
        if not (self.everywhere or self.operates or self.trial):
            raise Forbidden(f"{self.name} may not report: only a pod of a trial may; {REMEDY}")

    def to_report(self, trial: str, namespace: str = "") -> str | None:
        """Return the namespace in which to look for a trial that is reported for; None: in any.

        Raises:
            Forbidden: the caller may not report for it.
        """
        if self.everywhere or self.operates:
            return namespace or None
        if trial != self.trial or namespace not in {"", self.namespace}:
            raise Forbidden(
                f"{self.name} may not report for {trial}: only a pod of the trial may; {REMEDY}"
            )
        return self.namespace

    def to_read(self) -> str | None:
        """Return the namespace whose trials the caller reads; None: any.

        Raises:
            Forbidden: there is none.
        """
        if self.everywhere or self.operates:
            return None
        if not self.namespace:
            raise Forbidden(
                f"{self.name} may not read: only pods may, in their namespace; {REMEDY}"
            )
        return self.namespace

    def to_remove(self) -> None:
        """Let pass whoever may remove what was reported for any trial.

        Raises:
            Forbidden: the caller may not.
        """
        if not (self.everywhere or self.operates):
            raise Forbidden(f"{self.name} may not remove what was reported; {REMEDY}")

    def to_operate(self) -> None:
        """Let pass the operator alone.

        Raises:
            Forbidden: it is somebody else.
        """
        if not self.operates:
            raise Forbidden(
                f"{self.name} is not the operator: `tunewright serve metrics"
                " --operator-account NAMESPACE:NAME` says who is"
            )


class Authority(Protocol):
    def caller(self, peer: str, token: str | None) -> Caller:
        """Return who calls, by gRPC's name of the peer and the bearer token.

        Raises:
            Retryable: it cannot be found out now.
        """
        ...


class Trusting:
    """Lets everybody do everything: for a service that only this machine can reach."""

    def caller(self, peer: str, token: str | None) -> Caller:
        del token
        return Caller(peer, everywhere=True, operates=True)


def calling(authority: Authority, context: grpc.ServicerContext) -> Caller:
    """Return who made a call."""
    metadata: dict[str, Any] = dict(context.invocation_metadata())
    kind, _, token = str(metadata.get("authorization", "")).partition(" ")
    return authority.caller(context.peer(), token if kind == "Bearer" else None)
