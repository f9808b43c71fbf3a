"""The operators that users have, in groups of which each can be installed alone.

A version is that of the images of an operator, and stands in its kustomization too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from . import store

NOBODY = "65532:65532"


@dataclass(frozen=True, slots=True)
class Program:
    """One program, alone in an image of its name: `place` is where it stands there.

    `links` are files of its source that are links to others, which modules do not hold.
    """

    name: str
    package: str
    place: str = "/manager"
    runs_as: str = NOBODY
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operator:
    """One of them. `images` are look-alikes of what it has its pods run besides."""

    name: str
    version: str
    requirer: str  # the folder whose go.mod requires it
    module: str
    manifests: str
    namespace: str
    programs: Sequence[Program]
    images: Sequence[str] = ()


_JOBSET = Operator(
    name="jobset",
    version="0.8.2",
    requirer="trainer",
    module="sigs.k8s.io/jobset",
    manifests="config",
    namespace="jobset-system",
    programs=[Program("jobset", "sigs.k8s.io/jobset")],
)
_TRAINER = Operator(
    name="trainer",
    version="2.0.0",
    requirer="trainer",
    module="github.com/kubeflow/trainer/v2",
    manifests="manifests",
    namespace="kubeflow-system",
    programs=[
        Program("trainer", "github.com/kubeflow/trainer/v2/cmd/trainer-controller-manager"),
    ],
)
_TRAINING_OPERATOR = Operator(
    name="training-operator",
    version="1.8.1",
    requirer="training-operator",
    module="github.com/kubeflow/training-operator",
    manifests="manifests",
    namespace="kubeflow",
    programs=[
        Program(
            "training-operator",
            "github.com/kubeflow/training-operator/cmd/training-operator.v1",
        ),
    ],
    images=[store.ALPINE],
)
_ARGO = Operator(
    name="argo-workflows",
    version="3.7.0",
    requirer="argo-workflows",
    module="github.com/argoproj/argo-workflows/v3",
    manifests="manifests",
    namespace="argo",
    programs=[
        Program(
            "workflow-controller",
            "github.com/argoproj/argo-workflows/v3/cmd/workflow-controller",
            place="/bin/workflow-controller",
        ),
        Program(
            "argoexec",
            "github.com/argoproj/argo-workflows/v3/cmd/argoexec",
            place="/bin/argoexec",
            runs_as="0:0",  # as its own image: it reads what a container of any user leaves
            links={"workflow/executor/osspecific/signal_linux.go": "signal_darwin.go"},
        ),
    ],
)
_TEKTON = Operator(
    name="tekton",
    version="1.0.0",
    requirer="tekton",
    module="github.com/tektoncd/pipeline",
    manifests="config",
    namespace="tekton-pipelines",
    programs=[
        Program("tekton-controller", "github.com/tektoncd/pipeline/cmd/controller"),
        Program("tekton-webhook", "github.com/tektoncd/pipeline/cmd/webhook"),
        Program(
            "tekton-entrypoint",
            "github.com/tektoncd/pipeline/cmd/entrypoint",
            place="/ko-app/entrypoint",
        ),
    ],
)
_KUEUE = Operator(
    name="kueue",
    version="0.14.0",
    requirer="kueue",
    module="sigs.k8s.io/kueue",
    manifests="config",
    namespace="kueue-system",
    programs=[Program("kueue", "sigs.k8s.io/kueue/cmd/kueue")],
)

GROUPS: Mapping[str, Sequence[Operator]] = {
    "kubeflow": [_JOBSET, _TRAINER, _TRAINING_OPERATOR],
    "workflows": [_ARGO, _TEKTON],
    "kueue": [_KUEUE],
}
"""In the order in which they are installed: each finds its definitions."""
