"""The claim `<experiment>-<algorithm>`, which belongs to its experiment and goes with it.

Trials keep their checkpoints on it where the file names no volume. Katib's pbt has it:
`suggestion_trial_dir` is a path, and each trial finds there its own directory
`<experiment>/<trial>` of the claim. Katib asks for resumePolicy FromVolume for that; here
it is there whatever the policy, since trials could not go on from each other without it.

With FromVolume it is there for every algorithm: Katib's clients look for it, though a
built-in one keeps nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...api.checkpoint import TRIAL_DIR
from ...api.policy import ResumePolicy
from ...db.records import ExperimentRecord
from ..brief import Brief
from .belongings import make
from .fields import owner
from .labels import EXPERIMENT
from .plugins import OWN, claim_spec
from .port import Kube
from .resources import CLAIMS

SHARED: Mapping[str, Any] = {
    "accessModes": ["ReadWriteMany"],
    "resources": {"requests": {"storage": "5Gi"}},
}
"""What Katib ships for pbt: trials run on several nodes."""


def with_claim(brief: Brief, experiment: str) -> Brief:
    """Return the brief with the claim as the volume of checkpoints, where it has none."""
    kept = brief.checkpoint
    if kept is None or kept.volume is not None or not brief.problem.settings.get(TRIAL_DIR):
        return brief
    volume = {"persistentVolumeClaim": {"claimName": _name(brief, experiment)}}
    return replace(brief, checkpoint=replace(kept, volume=volume, folder=f"{experiment}/"))


async def make_claim(
    kube: Kube, experiment: ExperimentRecord, brief: Brief, namespaces: Sequence[str]
) -> None:
    """Make the claim, where it is wanted and not there yet.

    `namespaces` are those in which a `katib-config` may be, which may say what to claim.

    Raises:
        ServerUnavailable: that of a namesake is still there.
    """
    is_shared = with_claim(brief, experiment.key.name) != brief
    if not is_shared and brief.policy.resume_policy is not ResumePolicy.FROM_VOLUME:
        return
    usual = SHARED if is_shared else OWN
    key, name = experiment.key, _name(brief, experiment.key.name)
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": name,
            "namespace": key.namespace,
            "labels": {EXPERIMENT: key.name},
            "ownerReferences": [owner("Experiment", key.name, experiment.uid)],
        },
        "spec": await claim_spec(kube, brief.problem.algorithm, namespaces) or usual,
    }
    await make(kube, CLAIMS, experiment, claim)


def _name(brief: Brief, experiment: str) -> str:
    return f"{experiment}-{brief.problem.algorithm}"
