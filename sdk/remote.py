"""Experiments of another machine: over the REST of `tunewright ui`, with its token.

Requests are the standard library's.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from ..api.asked import Answer, Asked
from ..api.errors import (
    Conflict,
    Fault,
    Forbidden,
    Invalid,
    NotFound,
    ServerUnavailable,
    Unsupported,
)
from ..api.observation import read_value
from ..api.space import Value
from ..api.states import ExperimentState, TrialState
from .commands import CommandFailed
from .names import no_experiment, several
from .plain import native, plain
from .values import Sample
from .verbs import LOOK_SECONDS, Shape, late

_LONG = 1 << 20
"""Bytes of a log in an answer that may not be all there is: a server bounds what it answers."""

_PATIENCE = 150.0  # seconds for one answer: an algorithm may think
_PAGE = 500
_ERRORS: Mapping[int, type[Exception]] = {
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    500: CommandFailed,
    503: ServerUnavailable,
}


class _Stay(HTTPRedirectHandler):
    """Goes nowhere else: the token is this server's, and what is posted would be left behind."""

    def redirect_request(self, *_: object) -> None:
        return None


class Remote:
    """Implements `verbs.Verbs`. `server` is the address that `tunewright ui` prints."""

    def __init__(self, server: str, token: str, namespace: str | None) -> None:
        if not _is_address(server):
            raise ValueError(f"{server!r} is not the address of a server: http://HOST:PORT")
        self._url = server.rstrip("/")
        self._token = token.strip()  # who reads it from a file has the end of its line, too
        if not (self._token.isascii() and self._token.isprintable()):
            raise ValueError("the token has characters that no request can carry")
        self._namespace = namespace
        self._opener = build_opener(_Stay)

    def close(self) -> None:
        """Nothing is kept open."""

    # Beginning.

    def create(self, path: Path, workdir: str | None) -> str:
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise Invalid(
                [Fault("", f"cannot be read: {error.strerror}", file=str(path))]
            ) from None
        except UnicodeError:
            fault = Fault("", "the file is not UTF-8", "save it as UTF-8", file=str(path))
            raise Invalid([fault]) from None
        begun = self._ask("POST", "/experiments", {"text": text, "workdir": workdir})
        return f"{begun['namespace']}/{begun['name']}"

    def run(self, path: Path, look: Callable[[], None] | None) -> int:
        name = self.create(path, None)
        while True:
            shown = self._look(name)
            if look is not None:
                look()
            if _has_ended(shown):
                return 0 if shown["state"] == ExperimentState.SUCCEEDED else 1
            time.sleep(LOOK_SECONDS)

    # Looking.

    def experiments(self) -> Sequence[Shape]:
        return [
            self._whole(self._path(f"{each['namespace']}/{each['name']}"), each)
            for each in self._listed("")
            if self._namespace in {None, each["namespace"]}
        ]

    def experiment(self, name: str) -> Shape:
        path = self._path(name)
        return self._whole(path, self._ask("GET", path))

    def _whole(self, path: str, shown: Shape) -> Shape:
        """Add the document, and where it is."""
        import yaml

        document = yaml.safe_load(self._text(f"{path}/yaml"))
        return {**shown, "document": document, "server": self._url}

    def _look(self, name: str) -> Shape:
        shown: Shape = self._ask("GET", self._path(name))
        return shown

    def wait(self, name: str, seconds: float | None) -> Shape:
        until = None if seconds is None else time.monotonic() + seconds
        while not _has_ended(shown := self._look(name)):
            if seconds is not None and until is not None and time.monotonic() >= until:
                raise late(name, shown["state"], seconds)
            time.sleep(LOOK_SECONDS)
        return self._whole(self._path(name), shown)

    def trials(self, name: str, state: str | None) -> Sequence[Shape]:
        wanted = None if state is None else TrialState(state)
        found = self._pages(f"{self._path(name)}/trials")
        return [each for each in found if wanted is None or each["state"] == wanted]

    def trial(self, name: str, trial: str) -> Shape:
        shown: Shape = self._ask("GET", self._trial(name, trial))
        return shown

    def samples(self, name: str, trial: str, metric: str | None) -> Sequence[Sample]:
        path = f"{self._trial(name, trial)}/metrics"
        asked: dict[str, Any] = {} if metric is None else {"metric": metric}
        found: list[Sample] = []
        while True:
            page = self._ask("GET", f"{path}?{urlencode(asked)}")
            found += _samples(page)
            if not page["more"]:
                return found
            since = found[-1].time
            asked |= {"since": since, "skip": sum(each.time == since for each in found)}

    def log(self, name: str, trial: str, *, follow: bool) -> Iterator[str]:
        path, seen = self._trial(name, trial), 0
        while True:
            ended = self._ask("GET", path)["finished_at"] is not None
            part = self._read("GET", f"{path}/log?after={seen}")
            # A character that was cut in two comes whole with what follows it.
            told = part if ended else part[: _whole_characters(part)]
            seen += len(told)
            if told:
                yield told.decode(errors="replace")
            if len(told) >= _LONG:
                continue
            if ended or not follow:
                break
            time.sleep(LOOK_SECONDS)
        if not seen:
            raise NotFound(f"trial {trial} of {name} has no stdout: it wrote nothing")

    def events(self, name: str) -> Sequence[Shape]:
        shown: Sequence[Shape] = self._ask("GET", f"{self._path(name)}/events?limit=1000")
        return shown

    def explain(self, name: str) -> Sequence[str]:
        lines: Sequence[str] = self._ask("GET", f"{self._path(name)}/explain")
        return lines

    # Changing.

    def pause(self, name: str, *, now: bool) -> None:
        self._ask_unless_ended(name, f"pause?now={str(now).lower()}")

    def resume(self, name: str) -> None:
        self._ask("POST", f"{self._path(name)}/resume")

    def stop(self, name: str) -> None:
        self._ask_unless_ended(name, "stop")

    def _ask_unless_ended(self, name: str, verb: str) -> None:
        """Ask for what means nothing to an experiment that has ended, or that ends meanwhile."""
        try:
            self._ask("POST", f"{self._path(name)}/{verb}")
        except Conflict:
            if not _has_ended(self._look(name)):
                raise

    def delete(self, name: str) -> None:
        self._ask("DELETE", self._path(name))

    def edit(self, name: str, changes: Mapping[str, Any]) -> None:
        from ..controller.edits import LABELS, NOTE, budgets_of

        asked = {
            "changes": budgets_of(changes),
            "labels": changes.get(LABELS, {}),
            "note": changes.get(NOTE),
        }
        self._ask("PATCH", self._path(name), asked)

    def change_trial(self, name: str, trial: str, verb: str) -> None:
        self._ask("POST", f"{self._trial(name, trial)}/{verb}")

    def add_trial(self, name: str, values: Mapping[str, Value]) -> None:
        parameters = {each: native(value) for each, value in values.items()}
        self._ask("POST", f"{self._path(name)}/trials", {"parameters": parameters})

    # Trials that people run themselves.

    def answer(self, name: str) -> Answer:
        told = self._ask("POST", f"{self._path(name)}/ask", {})
        point = None if told["point"] is None else Asked(**told["point"])
        return Answer(point, told["over"], told["why"])

    def told(
        self, name: str, index: int, token: str, values: Mapping[str, float], failed: str | None
    ) -> bool:
        """Telling twice is telling once."""
        told = {"index": index, "token": token, "metrics": plain(values), "failed": failed}
        return bool(self._ask("POST", f"{self._path(name)}/tell", told)["counts"])

    # Where things are.

    def _path(self, name: str) -> str:
        """Return the path of an experiment; a bare name is looked for in all namespaces."""
        namespace, _, bare = name.rpartition("/")
        namespace = namespace or self._namespace or self._namespace_of(bare)
        return f"/experiments/{quote(namespace, safe='')}/{quote(bare, safe='')}"

    def _namespace_of(self, name: str) -> str:
        found = [each["namespace"] for each in self._listed(name) if each["name"] == name]
        if len(found) > 1:
            raise several(name, found)
        if not found:
            raise no_experiment(name, {each["name"] for each in self._listed("")}, None)
        return str(found[0])

    def _trial(self, name: str, trial: str) -> str:
        return f"{self._path(name)}/trials/{quote(trial, safe='')}"

    def _listed(self, search: str) -> Sequence[Shape]:
        return self._pages("/experiments", search=search)

    def _pages(self, path: str, **query: str) -> Sequence[Shape]:
        items: list[Shape] = []
        while True:
            asked = urlencode({**query, "offset": len(items), "limit": _PAGE})
            page = self._ask("GET", f"{path}?{asked}")
            items += page["items"]
            if len(items) >= page["total"] or not page["items"]:
                return items

    # Asking the server.

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        answer = self._read(method, path, body)
        try:
            return json.loads(answer)
        except ValueError:
            raise Unsupported(
                f"{self._url} does not answer with JSON: is it the address of a `tunewright ui`?"
            ) from None

    def _text(self, path: str) -> str:
        return self._read("GET", path).decode()

    def _read(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> bytes:
        request = Request(  # noqa: S310 -- http or https, see __init__
            f"{self._url}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
            },
        )
        try:
            with self._opener.open(request, timeout=_PATIENCE) as answer:
                return bytes(answer.read())
        except HTTPError as error:
            raise _error(error) from None
        except (URLError, TimeoutError, ConnectionError, HTTPException) as error:
            raise ServerUnavailable(f"{self._url} does not answer: {error}") from error


def _is_address(server: str) -> bool:
    try:
        parts = urlsplit(server)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        return False
    return has_host and parts.scheme in {"http", "https"} and " " not in server


def _error(error: HTTPError) -> Exception:
    """Return what the server's problem document says, as the error that it is there."""
    if 300 <= error.code < 400:
        there = error.headers.get("Location", "nowhere")
        return Unsupported(f"the server sends elsewhere, to {there}: give the address that answers")
    try:
        problem = json.loads(error.read())
        detail, faults = str(problem["detail"]), problem.get("faults") or []
    except (ValueError, KeyError, TypeError):
        detail, faults = f"the server answered {error.code}", []
    if faults:
        return Invalid(
            Fault(each["path"], each["message"], each["remedy"], line=each["line"])
            for each in faults
        )
    return _ERRORS.get(error.code, Unsupported)(detail)


def _has_ended(shown: Shape) -> bool:
    return ExperimentState(shown["state"]).is_finished


def _samples(columns: Mapping[str, Sequence[Any]]) -> list[Sample]:
    values = (read_value(str(value)) for value in columns["value"])
    rows = zip(columns["metric"], values, columns["at"], columns["step"], strict=True)
    return [Sample(*row) for row in rows]


def _whole_characters(data: bytes) -> int:
    """Return how many bytes of it are whole characters of UTF-8; a broken one counts as whole."""
    for back in range(1, min(4, len(data) + 1)):
        byte = data[-back]
        if byte & 0b1100_0000 != 0b1000_0000:  # where a character begins
            length = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) if length <= back else len(data) - back
    return len(data)
