"""Whether a function can be called with the parameters of a space, before a trial finds out."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from inspect import Parameter
from typing import Any

from ..api.errors import Fault, Invalid

_NAMED = {Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY}
_NO_VALUE = (
    (inspect.iscoroutinefunction, "a coroutine", "give one that runs it: asyncio.run(...)"),
    (inspect.isgeneratorfunction, "a generator", "return the last value, and report() the others"),
    (inspect.isasyncgenfunction, "a generator", "return the last value, and report() the others"),
)
_SEVERAL = {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}


def check_call(function: Callable[..., Any], names: Iterable[str]) -> None:
    """Refuse a function that returns no value, does not take what it would be given, or needs more.

    What a decorator passes on is not known, and taken to fit.

    Raises:
        Invalid: with every name that is amiss.
    """
    for makes, what, remedy in _NO_VALUE:
        if makes(function):
            raise Invalid([Fault("function", f"a call of it returns {what}, no value", remedy)])
    try:
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):  # some that are written in C tell nothing
        return
    faults = list(_faults(signature.parameters.values(), set(names)))
    if faults:
        raise Invalid(faults)


def _faults(takes: Iterable[Parameter], names: set[str]) -> Iterator[Fault]:
    parameters = list(takes)
    known = [each.name for each in parameters if each.kind in _NAMED]
    if all(each.kind is not Parameter.VAR_KEYWORD for each in parameters):
        remedy = f"its parameters are {', '.join(known) or 'none'}"
        for name in sorted(names - set(known)):
            yield Fault(f"space[{name!r}]", "the function takes none of that name", remedy)
    for each in parameters:
        is_needed = each.default is Parameter.empty and each.kind not in _SEVERAL
        if is_needed and each.name not in names:
            message = f"the function needs {each.name}, of which the space says nothing"
            yield Fault("space", message, "add it, or give it a default")
