"""An editor that checks as one types, and a short form that fills it."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from ...api import yaml_source
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
    is_local = not str(board.source).startswith("cluster")
    namespace = "" if is_local else f"  namespace: {board.source.namespace or 'my-namespace'}\n"
    blank = _TEMPLATE.replace("spec:\n", f"{namespace}spec:\n", 1)
    return page(
        request,
        "new.html",
        title="New experiment",
        text=_clone(board, like) if like else blank,
        like=like,
        workdir=_workdir(board, like),
        local=is_local,
    )


def _clone(board: Board, like: str) -> str:
    namespace, _, name = like.partition("/")
    record = board.experiment(namespace, name)
    free = free_name(board.source.records, name, namespace)
    document = {
        "apiVersion": record.document["apiVersion"],
        "kind": record.document["kind"],
        "metadata": {"name": free, "namespace": namespace},
        "spec": {k: v for k, v in record.document["spec"].items() if k != "suspend"},
    }
    return yaml_source.write(document)


def _workdir(board: Board, like: str) -> str:
    if not like:
        return str(board.workdir)
    namespace, _, name = like.partition("/")
    return board.experiment(namespace, name).workdir or str(board.workdir)
