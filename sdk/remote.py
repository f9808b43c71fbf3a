"""Ask and tell from another machine: over the REST interface of `tunewright ui`."""

import json
import time
from collections.abc import Mapping
from typing import Any, SupportsFloat
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from ..api.errors import (
    Conflict,
    Fault,
    Forbidden,
    Invalid,
    NotFound,
    ServerUnavailable,
    TunewrightError,
    Unsupported,
)
from .client import LONGEST_LOOK, SHORTEST_LOOK
from .plain import plain
from .report import values_of
from .results import Point

_TIMEOUT = 60.0
_ERRORS: Mapping[int, type[TunewrightError]] = {
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: Unsupported,
    503: ServerUnavailable,
}


class Remote:
    """The experiments of a server, `http://host:port`, for those who have its token.

    Only `ask` and `tell`, with the meaning that `Client` gives them; the experiment is
    looked at and changed where it is.
    """

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._token = token

    def ask(
        self, name: str, *, namespace: str = "default", timeout: float | None = None
    ) -> Point | None:
        """Return a point to try, or None when the experiment is over. It waits for one.

        Raises:
            TimeoutError: there was none within so many seconds; the message says why.
            Unsupported, Conflict: the experiment runs its trials itself.
            ServerUnavailable: the server does not answer.
        """
        until = None if timeout is None else time.monotonic() + timeout
        look = SHORTEST_LOOK
        while True:
            answer = self._post(f"{_path(namespace, name)}/ask", {})
            if answer["point"] is not None:
                return Point(**answer["point"])
            if answer["over"]:
                return None
            if until is not None and time.monotonic() + look > until:
                raise TimeoutError(f"{name} has no point: {'; '.join(answer['why'])}")
            time.sleep(look)
            look = min(2 * look, LONGEST_LOOK)

    def tell(
        self,
        name: str,
        point: Point,
        metrics: Mapping[str, SupportsFloat] | None = None,
        /,
        *,
        namespace: str = "default",
        failed: str | None = None,
        **more: SupportsFloat,
    ) -> bool:
        """Tell what came of a point: its metrics, or why it `failed`; whether it counts.

        Raises:
            Invalid: the objective is not among the metrics.
            ServerUnavailable: the server does not answer.
        """
        told = {"token": point.token, "metrics": values_of(metrics, more), "failed": failed}
        path = f"{_path(namespace, name)}/trials/{point.index}/tell"
        return bool(self._post(path, told)["counts"])

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        request = Request(  # noqa: S310 - the address is the caller's own
            f"{self._url}/api/v1/experiments/{path}",
            json.dumps(plain(dict(body))).encode(),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        try:
            with urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310 - as above
                return json.load(response)
        except HTTPError as error:
            raise _error(error) from None
        except (URLError, TimeoutError) as error:
            raise ServerUnavailable(f"{self._url} does not answer: {error}") from error


def _path(namespace: str, name: str) -> str:
    return f"{quote(namespace, safe='')}/{quote(name, safe='')}"


def _error(error: HTTPError) -> TunewrightError:
    """Return the error that the server meant."""
    try:
        problem = json.loads(error.read())
    except ValueError:
        problem = {}
    said = problem.get("detail") or f"{error.code} {error.reason}"
    if problem.get("faults"):
        return Invalid(
            Fault(each["path"], each["message"], each["remedy"], line=each["line"])
            for each in problem["faults"]
        )
    return _ERRORS.get(error.code, TunewrightError)(said)
