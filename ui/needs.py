"""Which rights in a namespace each request to the page takes.

They are what the same request would take if the user sent it to the API server. The page checks
that the user has them, and then reads and writes with its own account.
"""

from collections.abc import Mapping, Sequence

from fastapi import Request
from starlette.routing import compile_path

from ..controller.kube.review import Right
from .access import Asker
from .paths import inner_path

LIST = Right("list", "experiments")
LOOK = Right("get", "experiments")
CREATE = Right("create", "experiments")
_CHANGE = Right("patch", "experiments")
_DELETE = Right("delete", "experiments")
_TRIAL = Right("get", "trials")
_TRIALS = Right("list", "trials")
_EVENTS = Right("list", "events", "")
_LOG = Right("get", "pods/log", "")
_EVERYTHING = Right("*", "*", "*")

_API = "/api/v1"
_ONE = "/experiments/{namespace}/{name}"
_OF_TRIAL = f"{_ONE}/trials/{{trial}}"

NEEDS: Mapping[tuple[str, str], Sequence[Right]] = {
    # In no namespace, or the board itself checks in which.
    ("GET", "/"): (),
    ("GET", "/compare"): (),
    ("GET", "/new"): (),
    ("GET", "/algorithms"): (),
    ("GET", f"{_API}/experiments"): (),
    ("GET", f"{_API}/experiments/live"): (),
    ("POST", f"{_API}/experiments"): (),
    ("POST", f"{_API}/validate"): (),
    ("POST", f"{_API}/draft"): (),
    ("GET", f"{_API}/algorithms"): (),
    ("GET", f"{_API}/early-stopping"): (),
    # Looking at an experiment.
    ("GET", _ONE): (LOOK, _TRIALS, _EVENTS),
    ("GET", f"{_API}{_ONE}"): (LOOK,),
    ("GET", f"{_API}{_ONE}/yaml"): (LOOK,),
    ("GET", f"{_API}{_ONE}/explain"): (LOOK, _TRIALS, _EVENTS),
    ("GET", f"{_API}{_ONE}/events"): (LOOK, _TRIALS, _EVENTS),
    ("GET", f"{_API}{_ONE}/live"): (LOOK, _TRIALS, _EVENTS),
    ("GET", f"{_API}{_ONE}/trials"): (LOOK, _TRIALS),
    ("GET", f"{_API}{_ONE}/columns"): (LOOK, _TRIALS),
    ("GET", f"{_API}{_ONE}/curves"): (LOOK, _TRIALS),
    ("GET", f"{_API}{_ONE}/csv"): (LOOK, _TRIALS),
    # Looking at a trial.
    ("GET", _OF_TRIAL): (LOOK, _TRIAL, _TRIALS, _EVENTS),
    ("GET", f"{_OF_TRIAL}/network"): (LOOK, _TRIAL),
    ("GET", f"{_API}{_OF_TRIAL}"): (LOOK, _TRIAL),
    ("GET", f"{_API}{_OF_TRIAL}/attempts"): (LOOK, _TRIAL),
    ("GET", f"{_API}{_OF_TRIAL}/metrics"): (LOOK, _TRIAL),
    ("GET", f"{_API}{_OF_TRIAL}/log"): (LOOK, _TRIAL, _LOG),
    # Changing: what is asked of the operator stands in the experiment.
    ("PATCH", f"{_API}{_ONE}"): (_CHANGE,),
    ("DELETE", f"{_API}{_ONE}"): (_DELETE,),
    ("POST", f"{_API}{_ONE}/pause"): (_CHANGE,),
    ("POST", f"{_API}{_ONE}/resume"): (_CHANGE,),
    ("POST", f"{_API}{_ONE}/stop"): (_CHANGE,),
    ("POST", f"{_API}{_ONE}/ask"): (_CHANGE,),
    ("POST", f"{_API}{_ONE}/tell"): (_CHANGE,),
    ("POST", f"{_API}{_ONE}/trials"): (_CHANGE,),
    ("POST", f"{_API}{_OF_TRIAL}/{{verb}}"): (_CHANGE,),
}
"""A request that is not listed here takes every right there is."""

_PATHS = [(method, compile_path(path)[0], rights) for (method, path), rights in NEEDS.items()]


def needed(method: str, path: str) -> Sequence[Right]:
    """Return the rights that a request takes, in the namespace that its path names."""
    for each, pattern, rights in _PATHS:
        found = pattern.match(path) if each == method else None
        if found is not None:
            return [right.within(found.groupdict().get("namespace", "")) for right in rights]
    return [_EVERYTHING]


def asker_of(request: Request) -> Asker:
    asker: Asker = request.state.asker
    return asker


def permitted(request: Request) -> None:
    """Refuse what whoever asks has no right to.

    Raises:
        Forbidden: with who, what and where.
    """
    for right in needed(request.method, inner_path(request.scope)):
        asker_of(request).check(right)
