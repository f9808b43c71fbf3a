"""Whether an experiment's search and its stopping rule suit it."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..api.compile import problem
from ..api.errors import Fault, Invalid, PluginUnavailable
from ..api.excerpts import stopping_rule_of
from ..api.experiment import Experiment
from . import registry
from .early_stopping.registry import validate_rule


def check_algorithm(document: Mapping[str, Any], *, elsewhere: bool = False) -> None:
    """Refuse a search or a stopping rule that does not suit the experiment.

    `elsewhere`: the algorithm lives in an image of its own, which says itself what suits it.

    Raises:
        Invalid: with every fault.
    """
    experiment = Experiment.read(document)
    faults: list[Fault] = []
    if not elsewhere:
        faults += registry.validate_problem(problem(experiment, uid="", seed=0))
    rule = stopping_rule_of(document)
    if rule is not None:
        faults += validate_rule(rule)
    if faults:
        raise Invalid(faults)


def check_plugins(document: Mapping[str, Any]) -> Sequence[str]:
    """Let the plug-ins of an experiment say what is wrong with it; return which are away, and why.

    Raises:
        Invalid: with every fault.
        PluginBroken: one of them fails.
    """
    faults: list[Fault] = []
    away: list[str] = []
    for ask in (_algorithm_faults, _rule_faults):
        try:
            faults += ask(document)
        except PluginUnavailable as error:
            away.append(f"not checked: {error}")
    if faults:
        raise Invalid(faults)
    return away


def _algorithm_faults(document: Mapping[str, Any]) -> Sequence[Fault]:
    asked = problem(Experiment.read(document), uid="", seed=0)
    if asked.endpoint is None:
        return ()
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    from .client import RemoteSuggester

    async def ask(endpoint: str) -> Sequence[Fault]:
        client = RemoteSuggester(endpoint, lambda _after: ())
        try:
            return await client.validate(asked)
        finally:
            await client.close()

    with ThreadPoolExecutor(1) as apart:  # a notebook has an event loop in its own thread
        return apart.submit(asyncio.run, ask(asked.endpoint)).result()


def _rule_faults(document: Mapping[str, Any]) -> Sequence[Fault]:
    rule = stopping_rule_of(document)
    if rule is None or rule.endpoint is None:
        return ()
    from .early_stopping.endpoints import validate_at_plugin

    return validate_at_plugin(rule)
