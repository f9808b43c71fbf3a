"""Our accounts are granted what they use: held against the audit log of the whole run."""

import json
from collections.abc import Mapping

import pytest
import yaml
from cluster.node.audit import Use, asked, granted
from cluster.node.layout import OVERLAY

pytestmark = [pytest.mark.cluster, pytest.mark.last]

NAMESPACE = "tunewright"
OPERATOR, METRICS, PAGE = "tunewright-operator", "tunewright-metrics", "tunewright-page"

KINDS = {
    "kubeflow.org": ("mpijobs", "pytorchjobs", "tfjobs", "xgboostjobs"),
    "trainer.kubeflow.org": ("trainjobs",),
}
OWNED = "an owner whose deletion waits for what it owns; only some API servers ask for it"
APPLIED = "server-side apply, which the log calls patch, asks for it where nothing is there yet"
PAGES = "asked for where a server does not send the beginning of a watch"
PLUGINS = "algorithms in images of their own are not part of every run"
NAMESAKES = "asked for where an experiment finds what one of its name has left"
LAGS = "asked for where what was seen may be older than what was done"
SERVED = "it is Kubernetes' own role for servers behind its API; they read one object"
OF_USERS = "trials of this kind are not part of every run"

UNUSED: Mapping[str, Mapping[Use, str]] = {
    OPERATOR: {
        Use("kubeflow.org", "experiments/finalizers", "update"): OWNED,
        Use("kubeflow.org", "trials/finalizers", "update"): OWNED,
        Use("kubeflow.org", "suggestions", "create"): APPLIED,
        Use("kubeflow.org", "experiments", "delete"): "ttlSecondsAfterFinished is over",
        Use("kubeflow.org", "trials", "patch"): "Katib's finalizers are taken off",
        Use("apps", "deployments", "create"): PLUGINS,
        Use("apps", "deployments", "delete"): PLUGINS,
        Use("", "services", "create"): PLUGINS,
        Use("", "services", "delete"): PLUGINS,
        Use("", "persistentvolumeclaims", "create"): PLUGINS,
        Use("apps", "deployments", "get"): PLUGINS,
        Use("", "services", "get"): PLUGINS,
        Use("", "persistentvolumeclaims", "get"): NAMESAKES,
        Use("kubeflow.org", "experiments", "get"): LAGS,
        Use("kubeflow.org", "trials", "get"): LAGS,
        Use("batch", "jobs", "get"): LAGS,
        Use("kubeflow.org", "experiments", "list"): PAGES,
        Use("kubeflow.org", "trials", "list"): PAGES,
        Use("batch", "jobs", "list"): PAGES,
        Use("", "pods", "list"): PAGES,
        Use("kueue.x-k8s.io", "workloads", "list"): "trials in a queue are not part of every run",
        Use("", "pods/log", "get"): "a trial's log is read where no collector stands beside it",
        **{
            Use(group, resource, verb): OF_USERS
            for group, resources in KINDS.items()
            for resource in resources
            for verb in ("get", "list", "watch", "create", "patch", "delete")
        },
    },
    METRICS: {
        Use("", "pods", "get"): LAGS,
        Use("", "pods", "list"): PAGES,
        Use("", "configmaps", "list"): SERVED,
        Use("", "configmaps", "watch"): SERVED,
    },
    PAGE: {
        Use("kubeflow.org", "experiments", "patch"): "someone pauses, resumes or edits one",
    },
}
"""What a run may leave unused, and why it is granted all the same."""


@pytest.fixture(scope="module")
def roles(own_cluster, cluster):
    """Return what the overlay of the tests grants, and the role of Kubernetes' that it binds."""
    ours = list(yaml.safe_load_all(cluster.kubectl("kustomize", str(OVERLAY))))
    theirs = ("role", "extension-apiserver-authentication-reader", "--namespace=kube-system")
    return [*ours, json.loads(cluster.kubectl("get", *theirs, "-o", "json"))]


@pytest.mark.parametrize("account", [OPERATOR, METRICS, PAGE])
def test_nothing_was_asked_for_that_no_role_grants(roles, account):
    # While it is removed an account may be refused what its roles granted.
    refused = {
        each.use for each in asked(NAMESPACE) if each.is_forbidden and each.account == account
    }

    assert sorted(map(str, refused - granted(roles, account))) == []


@pytest.mark.parametrize("account", [OPERATOR, METRICS, PAGE])
def test_all_that_is_granted_is_used_or_has_its_reason(roles, account):
    used = {each.use for each in asked(NAMESPACE) if each.account == account}
    if not used:
        pytest.skip(f"{account} did not run on this cluster")

    assert sorted(map(str, granted(roles, account) - used - UNUSED[account].keys())) == []


@pytest.mark.parametrize("account", [OPERATOR, METRICS, PAGE])
def test_what_has_a_reason_is_granted(roles, account):
    assert UNUSED[account].keys() <= granted(roles, account)
