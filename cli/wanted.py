"""Turning what `run` was given, files or a command with options, into documents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..api.errors import Fault, Invalid
from ..sdk.sources.where import Where
from .run_options import pairs


@dataclass(frozen=True, slots=True)
class ToRun:
    """Experiments with their defaults, and the other documents of the files.

    `raw` is the Experiment that a command and its options make, without defaults; None for files.
    """

    documents: Sequence[dict[str, Any]]
    others: Sequence[Mapping[str, Any]] = ()
    raw: Mapping[str, Any] | None = None


def wanted(words: Sequence[str], given: Mapping[str, Any], where: Where, *, printed: bool) -> ToRun:
    """Read the files that are named, or the command, with what options say.

    Raises:
        Invalid: with everything that is wrong.
    """
    algorithm = _Chosen.of(given["algorithms"], "--algorithm", "algorithm")
    rule = _Chosen.of(given["rules"], "--early-stopping", "earlyStopping")
    if given["params"]:
        raw = _put(_written(words, given, where, algorithm, rule), algorithm, rule)
        return ToRun([_checked(raw)], raw=raw)
    _refuse_stray(given, printed, words)
    return ToRun(*_loaded(words, given, algorithm, rule, elsewhere=where.is_cluster))


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The algorithm or rule that was named for `spec.<key>`, and plug-ins' addresses by name."""

    key: str
    name: str | None
    addresses: Mapping[str, str]

    @classmethod
    def of(cls, words: Sequence[str], option: str, key: str) -> "_Chosen":
        names = [text for text in words if "=" not in text]
        if len(names) > 1:
            raise Invalid([Fault(option, f"{', '.join(names)} are several", "name one")])
        served = [text for text in words if "=" in text]
        addresses = pairs(served, option, "mine=localhost:6789")
        return cls(key, names[0] if names else next(iter(addresses), None), addresses)

    def put(self, document: dict[str, Any]) -> dict[str, Any]:
        """Write it into an Experiment; where the name changes, the old one's address goes."""
        said = dict(document["spec"].get(self.key) or {})
        if self.name not in {None, said.get("algorithmName")}:
            said["algorithmName"] = self.name
            said.pop("endpoint", None)
        address = self.addresses.get(said.get("algorithmName", ""))
        if address is not None:
            said["endpoint"] = address
        return {**document, "spec": {**document["spec"], self.key: said}} if said else document


def _written(
    words: Sequence[str],
    given: Mapping[str, Any],
    where: Where,
    algorithm: _Chosen,
    rule: _Chosen,
) -> dict[str, Any]:
    """Return the Experiment that a command and its options make."""
    from ..sdk import flags

    if where.is_cluster and given["image"] is None:
        remedy = "name the image that holds the command"
        raise Invalid([Fault("--image", "a cluster runs trials in images", remedy)])
    plain = {key: said for key, said in given.items() if key not in {"algorithms", "rules"}}
    return flags.document(
        flags.Wanted(
            command=words,
            namespace=where.namespace,
            algorithm=algorithm.name,
            early_stopping=rule.name,
            **plain,
        )
    )


def _refuse_stray(given: Mapping[str, Any], printed: bool, words: Sequence[str]) -> None:
    """Refuse options that go with a command only, where files are named."""
    from ..sdk.flags import fields

    only = ("minimize", "maximize", "metrics", "settings", "image")
    stray = [f"--{key.rstrip('s').replace('_', '-')}" for key in only if given[key]]
    stray += ["--print"] if printed else []
    field = next((name for word in words for name in fields(word)), None)
    if field is not None:
        remedy = f"give --param {field}=SPACE for what stands in {{{field}}}"
        raise Invalid([Fault("--param", "a COMMAND has parameters", remedy)])
    if stray:
        remedy = "give --param NAME=SPACE too, or write it in the file"
        raise Invalid([Fault(option, "it needs --param", remedy) for option in stray])
    if not words:
        remedy = "name an Experiment file, or give --param …; see tunewright run --help"
        raise Invalid([Fault("FILE", "there is nothing to run", remedy)])


def _put(raw: dict[str, Any], *chosen: _Chosen) -> dict[str, Any]:
    for choice in chosen:
        raw = choice.put(raw)
    return raw


def _checked(raw: dict[str, Any]) -> dict[str, Any]:
    from ..api.documents import parse

    return parse(raw).write()


def _loaded(
    words: Sequence[str], given: Mapping[str, Any], *chosen: _Chosen, elsewhere: bool
) -> tuple[list[dict[str, Any]], Sequence[Mapping[str, Any]]]:
    """Read the files; options override them."""
    from ..api.documents import load
    from ..sdk.flags import counts

    bundle = load([Path(word) for word in words], elsewhere=elsewhere)
    _refuse_one_name(given["name"], len(bundle.experiments))
    changes = counts(given["trials"], given["parallel"], given["max_failed"])
    if given["seed"] is not None:
        changes["seed"] = given["seed"]
    found = []
    for experiment in bundle.experiments:
        document = experiment.write()
        spec = {**document["spec"], **changes}
        if given["goal"] is not None:
            spec["objective"] = {**spec["objective"], "goal": given["goal"]}
        metadata = dict(document.get("metadata") or {})
        if given["name"] is not None:
            metadata["name"] = given["name"]
        changed = {**document, "metadata": metadata, "spec": spec}
        found.append(_checked(_put(changed, *chosen)))
    return found, bundle.others


def _refuse_one_name(name: str | None, experiments: int) -> None:
    if name is not None and experiments > 1:
        message = f"{experiments} experiments cannot all be called {name}"
        raise Invalid([Fault("--name", message, "name each in its file")])
