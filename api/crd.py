"""The custom resource definitions, made from the models.

Structural schemas: every field is typed, foreign pieces (a job, a container, a
volume) are kept as they are, and what a schema can say of the validation rules
it says, so that `kubectl apply` refuses what `validate` would. A rule over two
fields is CEL. What neither can say the operator says in a condition.
"""

import re
from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from .crd_rules import FACTS, MOST, REQUIRED, RULES, Rule, Schema
from .experiment import Experiment
from .model import Model
from .suggestion import Suggestion
from .trial import Trial

GROUP, VERSION = "kubeflow.org", "v1beta1"
CATEGORIES = ("all", "kubeflow", "katib")
FREE: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}

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
        {"name": "Status", "type": "string", "jsonPath": ".status.conditions[-1:].status"},
        _AGE,
    ],
}


def definitions(texts: Mapping[str, str]) -> dict[str, Schema]:
    """Return the three definitions by plural; `texts` describe the Experiment's fields by path."""
    return {
        "experiments": _definition(Experiment, texts),
        "suggestions": _definition(Suggestion, {}),
        "trials": _definition(Trial, {}),
    }


def _definition(model: type[Model], texts: Mapping[str, str]) -> Schema:
    kind = model.__name__
    plural = f"{kind.lower()}s"
    is_experiment = model is Experiment
    walk = _Walk(texts, FACTS, REQUIRED, RULES) if is_experiment else _Walk(texts, {}, {}, {})
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


class _Walk:
    """From a model to its schema, with what is known of each path on the way."""

    def __init__(
        self,
        texts: Mapping[str, str],
        facts: Mapping[str, Schema],
        required: Mapping[str, Sequence[str]],
        rules: Mapping[str, Sequence[Rule]],
    ) -> None:
        self._texts = texts
        self._facts = facts
        self._required = required
        self._rules = rules

    def root(self, model: type[Model]) -> Schema:
        schema = self._model(model, "")
        # The server knows its own metadata, and refuses a schema of it.
        schema["properties"]["metadata"] = {"type": "object"}
        return schema

    def _model(self, model: type[Model], path: str) -> Schema:
        properties = {}
        for name, field in model.model_fields.items():
            alias = field.alias or name
            below = f"{path}.{alias}" if path else alias
            properties[alias] = self._field(field.annotation, below)
        schema: Schema = {"type": "object", "properties": properties}
        described = _sentence(model.__doc__ or "")
        if described and path not in self._texts:
            schema["description"] = described
        if path in self._required:
            schema["required"] = list(self._required[path])
        if path in self._rules:
            schema["x-kubernetes-validations"] = [
                {"rule": rule.cel, "message": rule.message} for rule in self._rules[path]
            ]
        return schema

    def _field(self, annotation: Any, path: str) -> Schema:
        schema = self._type(annotation, path)
        text = self._texts.get(path)
        if text:
            schema = {"description": text, **schema}
        return {**schema, **self._facts.get(path, {})}

    def _type(self, annotation: Any, path: str) -> Schema:
        origin, inner = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            return self._type(inner[0], path)
        if origin in {Union, UnionType}:
            return self._union([each for each in inner if each is not NoneType], path)
        if origin is tuple:
            listed: Schema = {"type": "array", "items": self._type(inner[0], f"{path}[]")}
            return listed | ({"maxItems": MOST[path]} if path in MOST else {})
        if origin is dict:
            return self._mapping(inner[1], path)
        if isinstance(annotation, type) and issubclass(annotation, Model):
            return self._model(annotation, path)
        return dict(_SCALARS[annotation])

    def _union(self, kinds: Sequence[Any], path: str) -> Schema:
        if len(kinds) == 1:
            return self._type(kinds[0], path)
        # A whole number or text, as Kubernetes writes ports; seconds or a duration.
        return {"x-kubernetes-int-or-string": True}

    def _mapping(self, values: Any, path: str) -> Schema:
        if values is Any:
            return dict(FREE)
        return {"type": "object", "additionalProperties": self._type(values, path)}


_SCALARS: Mapping[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer", "format": "int64"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
}


def _sentence(docstring: str) -> str:
    """Return the first paragraph of a docstring as one line, without its quotes."""
    first = docstring.strip().partition("\n\n")[0]
    return re.sub(r"\s+", " ", first).replace("`", "")


def texts_of(page: str) -> dict[str, str]:
    """Read what a reference page says of each field: rows of `path`, type, default, rule."""
    rows = re.findall(r"^\| `([^`]+)` \|([^|]*)\|([^|]*)\|([^|]*)\|$", page, re.MULTILINE)
    return {path: _description(*map(str.strip, rest)) for path, *rest in rows}


def _description(kind: str, default: str, rule: str) -> str:
    """Say one row in a line of plain text."""
    words = [
        rule.replace("**extension**", "Beside Katib's").replace(
            "Beside Katib's;", "Beside Katib's:"
        )
    ]
    if default not in {"–", ""}:
        words.append(f"default: {default.strip('*')}")
    return "; ".join(word for word in words if word).replace("`", "") or kind
