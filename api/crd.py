"""The custom resource definitions, made from the models.

Structural schemas: every field is typed, foreign pieces (a job, a container, a
volume) are kept as they are, and what a schema can say of the validation rules
it says, so that `kubectl apply` refuses what `validate` would. A rule over two
fields is CEL. What neither can say the operator says in a condition.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin

from .crd_rules import FACTS, REQUIRED, RULES, Rule, Schema
from .experiment import Experiment
from .model import Model
from .suggestion import Suggestion
from .trial import Trial

GROUP, VERSION = "kubeflow.org", "v1beta1"
CATEGORIES = ("all", "kubeflow", "katib")

Texts: TypeAlias = Mapping[str, str]
"""What is said of each field, by path."""

_STATE = {"name": "State", "type": "string", "jsonPath": ".status.conditions[-1:].type"}
_AGE = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
COLUMNS: Mapping[type[Model], Sequence[Schema]] = {
    Experiment: [
        _STATE,
        {"name": "Succeeded", "type": "integer", "jsonPath": ".status.trialsSucceeded"},
        {"name": "Running", "type": "integer", "jsonPath": ".status.trialsRunning"},
        {"name": "Failed", "type": "integer", "jsonPath": ".status.trialsFailed"},
        {"name": "Max", "type": "integer", "jsonPath": ".spec.maxTrialCount"},
        {"name": "Best", "type": "string", "jsonPath": ".status.best"},
        _AGE,
    ],
    Suggestion: [
        _STATE,
        {"name": "Status", "type": "string", "jsonPath": ".status.conditions[-1:].status"},
        {"name": "Requested", "type": "integer", "jsonPath": ".spec.requests"},
        {"name": "Assigned", "type": "integer", "jsonPath": ".status.suggestionCount"},
        _AGE,
    ],
    Trial: [
        _STATE,
        {"name": "Reason", "type": "string", "jsonPath": ".status.conditions[-1:].reason"},
        _AGE,
    ],
}


def definitions(texts: Mapping[str, Texts]) -> dict[str, Schema]:
    """Return the three definitions by plural; `texts` describe the fields of each by path."""
    return {
        "experiments": _definition(Experiment, _Walk(texts["experiments"], FACTS, REQUIRED, RULES)),
        "suggestions": _definition(Suggestion, _Walk(texts["suggestions"])),
        "trials": _definition(Trial, _Walk(texts["trials"])),
    }


def _definition(model: type[Model], walk: "_Walk") -> Schema:
    kind = model.__name__
    plural = f"{kind.lower()}s"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{GROUP}",
            "labels": {"app.kubernetes.io/name": "tunewright"},
        },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "categories": list(CATEGORIES),
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": list(COLUMNS[model]),
                    "schema": {"openAPIV3Schema": walk.root(model)},
                }
            ],
        },
    }


@dataclass(frozen=True)
class _Walk:
    """From a model to its schema, with what is known of each path on the way."""

    texts: Texts
    facts: Mapping[str, Schema] = field(default_factory=dict)
    required: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rules: Mapping[str, Sequence[Rule]] = field(default_factory=dict)

    def root(self, model: type[Model]) -> Schema:
        schema = self._at(model, "")
        # The server knows these, and refuses more than a word about metadata.
        schema["properties"]["metadata"] = {"type": "object"}
        return schema

    def _at(self, annotation: Any, path: str) -> Schema:
        """Return all that is known of a path; facts are laid over what follows from the type."""
        schema = {**self._type(annotation, path), **self.facts.get(path, {})}
        parent, _, name = path.rpartition(".")
        is_required = name in self.required.get(parent, ())
        if _may_be_null(annotation) and not is_required and "default" not in schema:
            schema["nullable"] = True
        if path in self.texts:
            schema["description"] = self.texts[path]
        if path in self.required:
            schema["required"] = list(self.required[path])
        if path in self.rules:
            rules = self.rules[path]
            schema["x-kubernetes-validations"] = [
                {"rule": rule.cel, "message": rule.message} for rule in rules
            ]
        return schema

    def _type(self, annotation: Any, path: str) -> Schema:
        origin, inner = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            return self._type(inner[0], path)
        if origin in {Union, UnionType}:
            return self._union([each for each in inner if each is not NoneType], path)
        if origin is tuple:
            return {"type": "array", "items": self._at(inner[0], f"{path}[]")}
        if origin is dict:
            return self._mapping(inner[1], path)
        if isinstance(annotation, type) and issubclass(annotation, Model):
            return self._model(annotation, path)
        return dict(_SCALARS[annotation])

    def _model(self, model: type[Model], path: str) -> Schema:
        names = {name: each.alias or name for name, each in model.model_fields.items()}
        properties = {
            alias: self._at(model.model_fields[name].annotation, f"{path}.{alias}".strip("."))
            for name, alias in names.items()
        }
        return {"type": "object", "properties": properties}

    def _mapping(self, values: Any, path: str) -> Schema:
        if values is Any:
            return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        return {"type": "object", "additionalProperties": self._at(values, f"{path}[]")}

    def _union(self, kinds: Sequence[Any], path: str) -> Schema:
        if len(kinds) == 1:
            return self._type(kinds[0], path)
        # A whole number or text: Kubernetes' ports; seconds, or a length such as 1h30m.
        return {"x-kubernetes-int-or-string": True}


_SCALARS: Mapping[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer", "format": "int64"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
}


def _may_be_null(annotation: Any) -> bool:
    """Whether null stands for absence: Go's clients write it, and YAML where nothing stands."""
    return NoneType in get_args(annotation) or get_origin(annotation) is tuple


def texts_of(page: str) -> dict[str, str]:
    """Read what a reference page says of each field: rows of `path`, type, default, rule."""
    rows = re.findall(r"^\| `([^`]+)` \|([^|]*)\|([^|]*)\|([^|]*)\|$", page, re.MULTILINE)
    return {path: _description(*map(str.strip, rest)) for path, *rest in rows}


def _description(kind: str, default: str, rule: str) -> str:
    """Say one row in a line of plain text."""
    words = [rule.replace("**extension**; ", "") or kind]
    if "**extension**" in rule:
        words.append("not in Katib")
    if default not in {"–", ""}:
        words.append(f"default: {default.strip('*')}")
    sentences = (word[0].upper() + word[1:] for word in words)
    return f"{'. '.join(sentences)}.".replace("`", "")
