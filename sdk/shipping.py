"""A Python function as a program of its own: its source, and all that the source names."""

import ast
import inspect
import symtable
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType, ModuleType

from ..api.errors import Unsupported

_INSTALL = """\
import subprocess, sys

subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *{packages!r}], check=True)
"""
_CALL = """\
def _tell(returned):
    named = returned if hasattr(returned, "items") else {{{metric!r}: returned}}
    for name, value in named.items():
        if value is not None:
            print(f"{{name}}={{float(value)!r}}", flush=True)


if __name__ == "__main__":
    import json, os

    _tell({function}(**json.loads(os.environ["TUNEWRIGHT_PARAMETERS"])))
"""


def program(function: Callable[..., object], metric: str, packages: Sequence[str] = ()) -> str:
    """Return a program that calls the function with its trial's parameters, and prints metrics.

    It installs `packages` first. What the function uses of its module goes along: imports,
    other functions and classes, and plain values. The values of a closure do not.

    Raises:
        Unsupported: the function has no source, or uses what cannot be written down.
    """
    if not isinstance(function, FunctionType) or function.__name__ == "<lambda>":
        raise Unsupported(
            f"{function!r} is not a function made by `def`: nothing else has a source"
        )
    held = function.__code__.co_freevars
    if held:
        names = ", ".join(held)
        raise Unsupported(
            f"{function.__name__} uses {names} of the function around it: pass it as a default"
            " value, or define both at the top of the module"
        )
    parts = ["from __future__ import annotations\n"]
    parts += [_INSTALL.format(packages=list(packages))] if packages else []
    parts += list(dict.fromkeys(_needed(function, set())))
    parts.append(_CALL.format(metric=metric, function=function.__name__))
    return "\n".join(parts)


def _needed(thing: FunctionType | type, seen: set[int]) -> Iterator[str]:
    """Yield the source of a function or class, behind that of all that it names."""
    seen.add(id(thing))
    source = _source(thing)
    module = vars(sys.modules[thing.__module__])
    scope = thing.__globals__ if isinstance(thing, FunctionType) else module
    for name in dict.fromkeys(_names(symtable.symtable(source, thing.__name__, "exec"))):
        if name in scope and id(scope[name]) not in seen:
            yield from _written(name, scope[name], thing, seen)
    yield source


def _source(thing: FunctionType | type) -> str:
    try:
        return textwrap.dedent(inspect.getsource(thing))
    except (OSError, TypeError):
        raise Unsupported(
            f"{thing.__name__} has no source here: write it into a file or a notebook's cell"
        ) from None


def _names(scope: symtable.SymbolTable) -> Iterator[str]:
    """Yield what a source means of the module that it is in: no function's local of that name."""
    is_class = scope.get_type() == "class"  # what it has not assigned yet is the module's
    for symbol in scope.get_symbols():
        is_outer = symbol.is_global() or (is_class and symbol.is_local())
        if symbol.is_declared_global() or (is_outer and symbol.is_referenced()):
            yield symbol.get_name()
    for inner in scope.get_children():
        yield from _names(inner)


def _written(name: str, value: object, user: FunctionType | type, seen: set[int]) -> Iterator[str]:
    """Yield what gives a program the value under that name."""
    if isinstance(value, ModuleType):
        yield f"import {value.__name__} as {name}\n"
    elif isinstance(value, FunctionType | type) and value.__module__ == user.__module__:
        yield from _needed(value, seen)
        if value.__name__ != name:
            yield f"{name} = {value.__name__}\n"
    elif (home := _home(value)) is not None:
        yield f"from {home[0]} import {home[1]} as {name}\n"
    elif _is_plain(value):
        yield f"{name} = {value!r}\n"
    else:
        raise Unsupported(
            f"{user.__name__} uses {name}, a {type(value).__name__}, which cannot be written into"
            " a program: make it inside the function"
        )


def _home(value: object) -> tuple[str, str] | None:
    """Return module and name by which an import finds the value; None where none does."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    found = getattr(sys.modules.get(str(module)), name, None) if name else None
    return (str(module), name) if found is value else None


def _is_plain(value: object) -> bool:
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (ValueError, SyntaxError, TypeError):
        return False
