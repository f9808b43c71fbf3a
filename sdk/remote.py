"""Ask and tell from another machine: over the REST of `tunewright ui`, with its token.

The standard library only, so that it works wherever Python does.
"""

import json
import time
from collections.abc import Mapping
from typing import Any, SupportsFloat
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from ..api.asked import Asked
from ..api.errors import (
    Conflict,
    Fault,
    Forbidden,
    Invalid,
    NotFound,
    ServerUnavailable,
    Unsupported,
)
from .plain import plain
from .report import values_of

_SHORTEST_LOOK, _LONGEST_LOOK = 0.05, 2.0
_PATIENCE = 150.0  # seconds for one answer: an algorithm may think
_ERRORS = {401: Forbidden, 403: Forbidden, 404: NotFound, 409: Conflict, 503: ServerUnavailable}


class RemoteExperiment:
    """An experiment with `spec.askTell` on another machine.

    `server` is the address that `tunewright ui` prints, without its token.
    """

    def __init__(self, server: str, name: str, *, token: str, namespace: str = "default") -> None:
        if not server.startswith(("http://", "https://")):
            raise ValueError(f"{server!r} is no address of a server: http://HOST:PORT")
        self.name = name
        path = f"/api/v1/experiments/{quote(namespace, safe='')}/{quote(name, safe='')}"
        self._url = server.rstrip("/") + path
        self._token = token

    def ask(self, *, timeout: float | None = None) -> Asked | None:
        """Return a point to try, or None when the experiment is over: as `Client.ask`.

        Raises:
            TimeoutError: there was none within so many seconds.
            NotFound, Forbidden, Unsupported: what the server said.
            ServerUnavailable: it does not answer; the same call may succeed later.
        """
        until = None if timeout is None else time.monotonic() + timeout
        look = _SHORTEST_LOOK
        while True:
            answer = self._post("ask", {})
            if answer["point"] is not None:
                return Asked(**answer["point"])
            if answer["over"]:
                return None
            if until is not None and time.monotonic() + look > until:
                raise TimeoutError(f"{self.name} has no point: {'; '.join(answer['why'])}")
            time.sleep(look)
            look = min(2 * look, _LONGEST_LOOK)

    def tell(
        self,
        point: Asked,
        metrics: Mapping[str, SupportsFloat] | None = None,
        /,
        *,
        failed: str | None = None,
        **more: SupportsFloat,
    ) -> bool:
        """Tell what came of a point, and hear whether it counts: as `Client.tell`.

        Raises:
            Invalid: the objective is not among the metrics.
            ServerUnavailable: it does not answer; telling twice is telling once.
        """
        told = {
            "index": point.index,
            "token": point.token,
            "metrics": plain(values_of(metrics, more)),
            "failed": failed,
        }
        return bool(self._post("tell", told)["counts"])

    def _post(self, verb: str, body: Mapping[str, Any]) -> Any:
        request = Request(  # noqa: S310 -- http or https, see __init__
            f"{self._url}/{verb}",
            data=json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
            },
        )
        try:
            with urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310 -- as above
                return json.loads(answer.read())
        except HTTPError as error:
            raise _error(error) from None
        except (URLError, TimeoutError, ConnectionError) as error:
            raise ServerUnavailable(f"{self._url} does not answer: {error}") from error


def _error(error: HTTPError) -> Exception:
    """Return what the server's problem document says, as the error that it is there."""
    try:
        problem = json.loads(error.read())
        detail, faults = str(problem["detail"]), problem.get("faults") or []
    except (ValueError, KeyError, TypeError):
        detail, faults = f"the server answered {error.code}", []
    if faults:
        return Invalid(Fault(each["path"], each["message"], each["remedy"]) for each in faults)
    kind: type[Exception] = _ERRORS.get(error.code, Unsupported)
    return kind(detail)
