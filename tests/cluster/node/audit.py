"""What accounts asked of the API server, by its audit log, beside what roles let them."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .programs import AUDIT


@dataclass(frozen=True, slots=True, order=True)
class Use:
    """One thing that can be done: `resource` is with its subresource behind a slash."""

    group: str
    resource: str
    verb: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{'.' if self.group else ''}{self.group}"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of an account, and whether it was let."""

    account: str
    use: Use
    is_forbidden: bool


def asked(namespace: str, log: Path = AUDIT) -> Iterator[Asked]:
    """Read what the accounts of a namespace asked for since the cluster began."""
    prefix = f"system:serviceaccount:{namespace}:"
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            if prefix not in line:
                continue
            event = json.loads(line)
            user, about = event["user"]["username"], event.get("objectRef")
            if not user.startswith(prefix) or about is None:
                continue
            names = (about.get("resource", ""), about.get("subresource"))
            resource = "/".join(filter(None, names))
            decision = event.get("annotations", {}).get("authorization.k8s.io/decision")
            use = Use(about.get("apiGroup", ""), resource, event["verb"])
            yield Asked(user.removeprefix(prefix), use, decision == "forbid")


def granted(documents: Sequence[Mapping[str, Any]], account: str) -> set[Use]:
    """Return what roles let an account do, aggregated ones included."""
    roles = {
        each["metadata"]["name"]: each
        for each in documents
        if each["kind"] in {"ClusterRole", "Role"}
    }
    bound = {
        each["roleRef"]["name"]
        for each in documents
        if each["kind"] in {"ClusterRoleBinding", "RoleBinding"}
        and account in {subject["name"] for subject in each["subjects"]}
    }
    return {use for name in bound for rule in _rules(roles, name) for use in _uses(rule)}


def _rules(roles: Mapping[str, Mapping[str, Any]], name: str) -> Iterator[Mapping[str, Any]]:
    role = roles.get(name, {})  # what Kubernetes itself brings is nothing that we grant
    yield from role.get("rules") or ()
    for selector in role.get("aggregationRule", {}).get("clusterRoleSelectors", ()):
        wanted = selector["matchLabels"].items()
        for each in roles.values():
            if wanted <= each["metadata"]["labels"].items():
                yield from each["rules"]


def _uses(rule: Mapping[str, Iterable[str]]) -> Iterator[Use]:
    for group in rule["apiGroups"]:
        for resource in rule["resources"]:
            yield from (Use(group, resource, verb) for verb in rule["verbs"])
