"""Files in: Experiments, with what they refer to, or every fault with its line."""

import difflib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import defaults, placeholders
from .characters import is_unicode
from .depth import is_deeper
from .errors import Fault, Invalid
from .experiment import API_VERSION, KIND, Experiment
from .identity import DEFAULT_NAMESPACE
from .validation import check_experiment
from .validation.fields import read_leniently
from .yaml_source import MAX_DEPTH, Source, read


@dataclass(frozen=True)
class Bundle:
    """The Experiments of some files, defaults written and templates in place, and the rest.

    `others` are ConfigMaps, Secrets and whatever else stood in the files.
    """

    experiments: tuple[Experiment, ...]
    others: tuple[Mapping[str, Any], ...] = ()

    def values(self, kind: str, name: str, namespace: str) -> Mapping[str, Any] | None:
        """Return the document of a ConfigMap or Secret with that name, None without one."""
        return _find(self.others, kind, name, namespace)


def load(files: Iterable[Path], *, elsewhere: bool = False) -> Bundle:
    """Read and validate files; `-` is what is piped in.

    `elsewhere`: ConfigMaps that are missing are on the cluster.

    Raises:
        Invalid: with every fault of every file.
    """
    texts: list[tuple[str | None, bytes | str]] = []
    faults: list[Fault] = []
    for file in files:
        try:
            piped = str(file) == "-"
            texts.append((str(file), sys.stdin.buffer.read() if piped else file.read_bytes()))
        except OSError as error:
            reason = error.strerror or str(error)
            faults.append(Fault("", f"cannot be read: {reason}", file=str(file)))
    return load_texts(texts, elsewhere=elsewhere, faults=faults)


def load_texts(
    texts: Iterable[tuple[str | None, bytes | str]],
    *,
    elsewhere: bool = False,
    faults: Sequence[Fault] = (),
) -> Bundle:
    """Read and validate named texts.

    Raises:
        Invalid: with every fault of every text, and those already known.
    """
    found = list(faults)
    experiments: list[Source] = []
    others: list[Source] = []
    for file, text in texts:
        sources, wrong = read(text, file)
        found += wrong
        if not sources and not wrong:
            found.append(Fault("", "the file is empty", "write an Experiment", file=file))
        for source in (part for whole in sources for part in _listed(whole)):
            problem = _not_a_document(source)
            if problem:
                found.append(problem)
            elif source.value.get("kind") == KIND:
                experiments.append(source)
            else:
                others.append(source)
    if not experiments and not found:
        found.append(_no_experiment(others))
    rest = tuple(source.value for source in others)
    read_ones = []
    for source in experiments:
        experiment, wrong = _experiment(source, rest, elsewhere=elsewhere)
        found += wrong
        read_ones.append(experiment)
    found += _same_names(experiments, read_ones)
    if found:
        raise Invalid(dict.fromkeys(found))
    return Bundle(tuple(read_ones), rest)


def parse(document: Mapping[str, Any]) -> Experiment:
    """Read and validate one Experiment that is a plain value, as clients send it.

    Raises:
        Invalid: with every fault.
    """
    experiment, faults = _check(document)
    if faults:
        raise Invalid(faults)
    return experiment


def _listed(source: Source) -> list[Source]:
    """Take a Kubernetes List apart."""
    value = source.value
    if not (isinstance(value, dict) and value.get("kind") == "List"):
        return [source]
    items = value.get("items")
    nodes = next((v for k, v in source.node.value if k.value == "items"), None)
    if not isinstance(items, list) or nodes is None:
        return []
    return [Source(i, n, source.file) for i, n in zip(items, nodes.value, strict=False)]


def _not_a_document(source: Source) -> Fault | None:
    value = source.value
    if not isinstance(value, dict):
        shown = "a list" if isinstance(value, list) else repr(value)[:40]
        message, remedy = f"a document must be a mapping, not {shown}", "start with apiVersion:"
        return Fault("", message, remedy, "Invalid", source.line, source.file)
    if not value.get("kind"):
        remedy = f"apiVersion: {API_VERSION} and kind: {KIND} for an Experiment"
        return Fault("kind", "must be specified", remedy, "Required", source.line, source.file)
    return None


def _no_experiment(others: Sequence[Source]) -> Fault:
    """Point at the document that was meant as one, where a kind is spelt much like it."""
    kinds = [str(source.value["kind"]) for source in others]
    near = difflib.get_close_matches(KIND, kinds, n=1)
    if near:
        meant = others[kinds.index(near[0])]
        message, line = f"{near[0]!r} is not known", meant.line_of("kind")
        return Fault("kind", message, f"did you mean {KIND}?", "NotSupported", line, meant.file)
    file = others[0].file if others else None
    return Fault("", f"no {KIND} is among the documents", "add one", file=file)


def _experiment(
    source: Source, others: Sequence[Mapping[str, Any]], *, elsewhere: bool
) -> tuple[Experiment, list[Fault]]:
    value, faults = with_template(source.value, others, elsewhere=elsewhere)
    experiment, wrong = _check(value)
    return experiment, [
        replace(fault, line=source.line_of(fault.path), file=source.file)
        for fault in (*faults, *wrong)
    ]


def _check(value: Mapping[str, Any]) -> tuple[Experiment, list[Fault]]:
    if is_deeper(value, MAX_DEPTH):
        return Experiment(), [Fault("", "the document is nested too deeply")]
    halves = list(_half_characters(value))
    if halves:
        return Experiment(), halves
    experiment, faults = read_leniently(Experiment, value)
    broken = [fault.path for fault in faults]
    faults.extend(check_experiment(experiment, broken))
    return defaults.write(experiment), faults


def _half_characters(value: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield a fault of each text that no store, pipe or file takes, as JSON can hold it."""
    for path, text in placeholders.texts(value):
        if not is_unicode(text):
            shown = path.encode("utf-8", "backslashreplace").decode()
            yield Fault(shown, "it contains half a character", "send it as UTF-8")


def with_template(
    value: Mapping[str, Any], others: Sequence[Mapping[str, Any]], *, elsewhere: bool = False
) -> tuple[Mapping[str, Any], list[Fault]]:
    """Put the template of a ConfigMap among `others` in the place of its reference.

    `elsewhere`: one that is missing is no fault.
    """
    spec = value.get("spec")
    template = spec.get("trialTemplate") if isinstance(spec, dict) else None
    wanted = template.get("configMap") if isinstance(template, dict) else None
    if not isinstance(wanted, dict) or not isinstance(template, dict) or "trialSpec" in template:
        return value, []
    name, key = wanted.get("configMapName"), wanted.get("templatePath")
    namespace = wanted.get("configMapNamespace")
    if not (name and key and namespace):
        return value, []
    path = "spec.trialTemplate.configMap"
    document = _find(others, "ConfigMap", str(name), str(namespace))
    if document is None:
        missing = f"the ConfigMap {namespace}/{name} is not among the files"
        remedy = "name the file that holds it too"
        return value, [] if elsewhere else [Fault(f"{path}.configMapName", missing, remedy)]
    held = document.get("data")
    text = held.get(key) if isinstance(held, dict) else None
    if not isinstance(text, str):
        known = ", ".join(held) if isinstance(held, dict) else "none"
        fault = Fault(f"{path}.templatePath", f"has no key {key!r}", f"known are {known}")
        return value, [fault]
    hidden, back = placeholders.hide(text)
    sources, wrong = read(hidden)
    if wrong or len(sources) != 1 or not isinstance(sources[0].value, dict):
        why = back("; ".join(fault.message for fault in wrong)) or "it must be one mapping"
        return value, [Fault(f"{path}.templatePath", f"unable to parse spec.trialTemplate: {why}")]
    inlined = {k: v for k, v in template.items() if k != "configMap"}
    inlined["trialSpec"] = back(sources[0].value)
    return {**value, "spec": {**value["spec"], "trialTemplate": inlined}}, []


def _find(
    others: Iterable[Mapping[str, Any]], kind: str, name: str, namespace: str
) -> Mapping[str, Any] | None:
    for document in others:
        metadata = document.get("metadata")
        if document.get("kind") != kind or not isinstance(metadata, dict):
            continue
        if metadata.get("name") == name and metadata.get("namespace", namespace) == namespace:
            return document
    return None


def _same_names(sources: Sequence[Source], experiments: Sequence[Experiment]) -> list[Fault]:
    first: dict[tuple[str, str], Source] = {}
    faults = []
    for source, experiment in zip(sources, experiments, strict=True):
        metadata = experiment.metadata
        if not metadata.name:
            continue
        key = (metadata.namespace or DEFAULT_NAMESPACE, metadata.name)
        if key in first:
            message = f"the Experiment {metadata.name} is defined twice"
            line = source.line_of("metadata.name")
            faults.append(
                Fault("metadata.name", message, "rename one", "Duplicate", line, source.file)
            )
        first.setdefault(key, source)
    return faults
