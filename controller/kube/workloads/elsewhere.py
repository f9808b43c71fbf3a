"""Kinds whose pods are made elsewhere: no template of the workload is what its pods come from."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MadeElsewhere:
    """How such a pod is known: `label` has its workload's name, `owner` is what kind made it."""

    label: str
    owner: str


ELSEWHERE: Mapping[str, MadeElsewhere] = {
    "PipelineRun": MadeElsewhere("tekton.dev/pipelineRun", "TaskRun"),
    "TrainJob": MadeElsewhere("jobset.sigs.k8s.io/jobset-name", "Job"),
    "Workflow": MadeElsewhere("workflows.argoproj.io/workflow", "Workflow"),
}
