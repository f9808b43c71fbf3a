"""The service account that a trial's workload is created as, where the operator impersonates.

So an experiment can create no more than an account of its own namespace may, however much
the operator may.
"""

from ...api.errors import Fault, Forbidden, Invalid, NotFound
from ...db.records import ExperimentRecord
from .port import Kube, Resource

ACCOUNTS = Resource("", "v1", "serviceaccounts")
_REVIEWS = Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews")
_PATH = "spec.trialServiceAccount"


def account_of(experiment: ExperimentRecord) -> str:
    """Return the account that the experiment names, else `default`, as pods without one have."""
    return experiment.document["spec"].get("trialServiceAccount") or "default"


def user_of(experiment: ExperimentRecord) -> str:
    """Return the account's user name, as the API server knows it."""
    return f"system:serviceaccount:{experiment.key.namespace}:{account_of(experiment)}"


async def check_account(kube: Kube, experiment: ExperimentRecord, kind: Resource) -> None:
    """Make sure that the account is there and may create trials of that kind.

    The API server lets one act as an account that does not exist, and RBAC may know it.

    Raises:
        Invalid: it is not there, or may not.
        Forbidden: the operator may not act as it.
    """
    namespace, name = experiment.key.namespace, account_of(experiment)
    asked = {"namespace": namespace, "group": kind.group, "resource": kind.plural, "verb": "create"}
    review = {
        "apiVersion": _REVIEWS.api_version,
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": asked},
    }
    try:
        await kube.get(ACCOUNTS, namespace, name)
        answer = await kube.create(_REVIEWS, None, review, user=user_of(experiment))
    except NotFound as error:
        message = f"there is no service account {name} in namespace {namespace}"
        raise Invalid([Fault(_PATH, message, "create it, or name another")]) from error
    except Forbidden as error:
        raise Forbidden(
            f"the operator may not act as service account {name} in namespace {namespace}: bind"
            f" ClusterRole tunewright-impersonation there, or set impersonateTrials: false; {error}"
        ) from error
    if not answer["status"].get("allowed"):
        message = f"service account {name} may not create {kind.full_name} in namespace {namespace}"
        remedy = "bind it to a Role that has this verb, or name another"
        raise Invalid([Fault(_PATH, message, remedy, kind="Forbidden")])
