"""An editor that checks as one types, and a short form that fills it."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from ...api import yaml_source
from ...db.records import ExperimentRecord
from ...sdk.submit import free_name
from ..board import Board
from ..render import page
from ..rest.experiments import FromBoard

router = APIRouter()

_TEMPLATE = """\
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata:
  name: my-experiment
spec:
  objective:
    type: minimize
    objectiveMetricName: loss
  maxTrialCount: 20
  parallelTrialCount: 2
  parameters:
    - name: lr
      parameterType: double
      feasibleSpace: {min: "1e-5", max: "0.1", distribution: logUniform}
  trialTemplate:
    trialParameters:
      - {name: lr, reference: lr}
    trialSpec:
      apiVersion: batch/v1
      kind: Job
      spec:
        template:
          spec:
            containers:
              - name: training-container
                image: local
                command: [python, train.py, "--lr=${trialParameters.lr}"]
"""


@router.get("/new")
def show(request: Request, board: FromBoard, like: str = "") -> Response:
    """Start from a template or, with `like=namespace/name`, from an experiment."""
    record = board.experiment(*_key(like)) if like else None
    workdir = record.workdir if record else ""
    return page(
        request,
        "new.html",
        title="New experiment",
        text=_clone(board, record) if record else _blank(board),
        like=like,
        workdir=workdir or str(board.workdir),
        local=not board.is_cluster,
    )


def _key(like: str) -> tuple[str, str]:
    namespace, _, name = like.partition("/")
    return namespace, name


def _blank(board: Board) -> str:
    """Return the template; on a cluster it names a namespace, too."""
    if not board.is_cluster:
        return _TEMPLATE
    namespace = board.source.namespace or "my-namespace"
    return _TEMPLATE.replace("spec:\n", f"  namespace: {namespace}\nspec:\n", 1)


def _clone(board: Board, record: ExperimentRecord) -> str:
    namespace, name = record.key.namespace, record.key.name
    document = {
        "apiVersion": record.document["apiVersion"],
        "kind": record.document["kind"],
        "metadata": {
            "name": free_name(board.source.records, name, namespace),
            "namespace": namespace,
        },
        "spec": {k: v for k, v in record.document["spec"].items() if k != "suspend"},
    }
    return yaml_source.write(document)
