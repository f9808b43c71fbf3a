"""From a trial template and a point to the manifest of one trial.

A placeholder `${trialParameters.name}` may stand anywhere in a scalar, also in a
key. Values are put in once: what a value holds is never read as a placeholder,
nor as YAML or JSON.

A placeholder that is the whole of a scalar gives a number where the value is one
(`replicas: ${trialParameters.workers}`), except in the places whose type is text
wherever they occur: commands and their arguments, values of variables and of
parameters, names, images, paths, labels, annotations, and data of config maps.

A conditional parameter that a point does not have stands for nothing: an element of a list
that names it is left out, with an option (`--momentum`) before it that it would be the value
of; elsewhere its placeholder is empty.

Katib runs commands by a shell, and templates that were written for it rely on that in three
ways which have no other meaning. Double quotes around the whole value of an option
(`--config="${trialParameters.config}"`) are left out, and single quotes around a word of JSON
(`'{"r": 8}'`), with which Katib's client writes what a language model is tuned by. A command
of one word that holds blanks and a placeholder, and has no arguments, is a line that `sh` runs.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..api.errors import Fault, Invalid
from ..api.placeholders import PLACEHOLDER, is_meta, parse_meta
from ..api.space import Point, Value, format_value

_QUOTED_OPTION = re.compile(r'(--?[\w.-]+=)"(\$\{trialParameters\.[^}]+\})"')
_QUOTED_JSON = re.compile(r"'(\{.*\}|\[.*\])'", re.DOTALL)
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")

_TEXT_FIELDS = frozenset(
    {
        *("command", "args", "value", "values", "name", "namespace", "image", "subPath"),
        *("workingDir", "mountPath", "path", "labels", "annotations", "nodeSelector"),
        *("matchLabels", "data", "stringData", "restartPolicy", "serviceAccountName"),
        *("schedulerName", "priorityClassName", "hostname", "script", "entrypoint"),
    }
)
"""Keys whose values are text, and everything below them that is a scalar."""


@dataclass(frozen=True, slots=True)
class TrialParameter:
    """One of Katib's `trialParameters`: the placeholder's name and what it stands for."""

    name: str
    reference: str


@dataclass(frozen=True, slots=True)
class Template:
    """A trial template.

    Without `parameters` each parameter of the point is known by its own name. `conditional`
    are the parameters that a point may be without.
    """

    source: Mapping[str, Any]
    parameters: tuple[TrialParameter, ...] = ()
    conditional: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TrialIdentity:
    name: str
    namespace: str


Values: TypeAlias = Mapping[str, Value | None]
"""What placeholders stand for; None for a parameter that the point does not have."""


def render(template: Template, point: Point, trial: TrialIdentity) -> dict[str, Any]:
    """Return the manifest of one trial, under the trial's name.

    Raises:
        Invalid: a placeholder stands for nothing.
    """
    values = _values(template, template.source, point, trial)
    filled = _fill(template.source, values, path="spec.trialTemplate.trialSpec", text=False)
    return _named(filled, trial)


def _values(
    template: Template, manifest: Mapping[str, Any], point: Point, trial: TrialIdentity
) -> Values:
    """Return what each placeholder stands for."""
    known = {**dict.fromkeys(template.conditional), **point}
    if not template.parameters:
        return known
    return {
        parameter.name: _value(parameter, index, manifest, known, trial)
        for index, parameter in enumerate(template.parameters)
    }


def _value(
    parameter: TrialParameter,
    index: int,
    manifest: Mapping[str, Any],
    known: Values,
    trial: TrialIdentity,
) -> Value | None:
    is_metadata = is_meta(parameter.reference)
    if not is_metadata and parameter.reference in known:
        return known[parameter.reference]
    found = _metadata(parameter.reference, manifest, trial) if is_metadata else None
    if found is None:
        raise _invalid(
            f"spec.trialTemplate.trialParameters[{index}].reference",
            f"{parameter.reference} is neither a parameter of the search space nor metadata",
            "write a parameter's name, or ${trialSpec.Name}, .Namespace, .Kind, .APIVersion, "
            ".Labels[key] or .Annotations[key]",
        )
    return found


def _metadata(reference: str, manifest: Mapping[str, Any], trial: TrialIdentity) -> str | None:
    """Return what `${trialSpec.…}` stands for; None where the trial has nothing of that name."""
    try:
        meta = parse_meta(reference)
    except ValueError:
        return None
    fixed = {
        "Name": trial.name,
        "Namespace": trial.namespace,
        "Kind": manifest.get("kind"),
        "APIVersion": manifest.get("apiVersion"),
    }
    if meta.key is None:
        return fixed[meta.field]
    metadata = manifest.get("metadata") or {}
    found = (metadata.get(meta.field.lower()) or {}).get(meta.key)
    return None if found is None else str(found)


def _fill(value: Any, values: Values, *, path: str, text: bool) -> Any:
    """Put the values into a tree. `text` says that a field of text is above."""
    if isinstance(value, Mapping):
        value = _with_shell(value)
        return {
            _put(key, values, path) if isinstance(key, str) else key: _fill(
                each, values, path=f"{path}.{key}", text=_is_text(key, each, below=text)
            )
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [
            _fill(
                _bare(each),
                values,
                path=f"{path}[{index}]",
                text=text and not isinstance(each, Mapping),
            )
            for index, each in _present(value, values)
        ]
    if not isinstance(value, str):
        return value
    whole = PLACEHOLDER.fullmatch(value)
    if whole is None or text:
        return _put(value, values, path)
    return _number(_known(whole[1], values, path))


def _with_shell(mapping: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Return a container whose command is one line as one that runs it by a shell."""
    match mapping.get("command"):
        case [str(line)] if " " in line and PLACEHOLDER.search(line) and not mapping.get("args"):
            return {**mapping, "command": ["sh", "-c", line]}
    return mapping


def _bare(element: Any) -> Any:
    """Return a word without the quotes that a shell would take away, anything else as it is."""
    if not isinstance(element, str):
        return element
    if option := _QUOTED_OPTION.fullmatch(element):
        return option[1] + option[2]
    json = _QUOTED_JSON.fullmatch(element)
    return json[1] if json else element


def _present(elements: Sequence[Any], values: Values) -> Iterator[tuple[int, Any]]:
    """Yield the elements of a list that a point has values for, each with its place."""
    for index, each in enumerate(elements):
        after = elements[index + 1] if index + 1 < len(elements) else None
        is_option = isinstance(each, str) and each.startswith("-") and "=" not in each
        whole = PLACEHOLDER.fullmatch(after) if isinstance(after, str) else None
        if _is_absent(each, values) or (is_option and whole and _is_absent(after, values)):
            continue
        yield index, each


def _is_absent(element: Any, values: Values) -> bool:
    """Say whether a scalar names a parameter that the point does not have."""
    if not isinstance(element, str):
        return False
    return any(values.get(name, "") is None for name in PLACEHOLDER.findall(element))


def _is_text(key: Any, value: Any, *, below: bool) -> bool:
    """Whether scalars at this key are text; a table of texts hands it down to its values."""
    return key in _TEXT_FIELDS or (below and not isinstance(value, Mapping | list))


def _put(text: str, values: Values, path: str) -> str:
    if "$" not in text:
        return text
    return PLACEHOLDER.sub(lambda match: format_value(_known(match[1], values, path)), text)


def _known(name: str, values: Values, path: str) -> Value:
    if name not in values:
        known = ", ".join(values) or "none"
        message = f"nothing is known as ${{trialParameters.{name}}}"
        raise _invalid(path, message, f"the names are: {known}")
    value = values[name]
    return "" if value is None else value


def _number(value: Value) -> Value:
    if not isinstance(value, str) or _NUMBER.fullmatch(value) is None:
        return value
    return int(value) if value.lstrip("+-").isdigit() else float(value)


def _named(manifest: dict[str, Any], trial: TrialIdentity) -> dict[str, Any]:
    metadata = manifest.get("metadata") or {}
    return {
        **manifest,
        "metadata": {**metadata, "name": trial.name, "namespace": trial.namespace},
    }


def _invalid(path: str, message: str, remedy: str = "") -> Invalid:
    return Invalid([Fault(path, message, remedy)])
