"""Trials that Kubeflow's training-operator and Trainer run."""

from cluster.experiments import PYTHON

TRAINING = {
    "PyTorchJob": ("pytorchReplicaSpecs", ("Master", "Worker"), "pytorch"),
    "TFJob": ("tfReplicaSpecs", ("Chief", "Worker"), "tensorflow"),
    "XGBoostJob": ("xgbReplicaSpecs", ("Master",), "xgboost"),
    "MPIJob": ("mpiReplicaSpecs", ("Launcher", "Worker"), "mpi"),
}
"""The key of its replicas, their roles, and the name that the container must have."""

SAYS = {"Worker": "loss=9"}
"""What other replicas than the first say, which nobody may take for the trial's."""


def training_job(kind, command=None):
    key, roles, container = TRAINING[kind]

    def replica(role):
        main = {"name": container, "image": PYTHON}
        main["command"] = command or ["sh", "-c", f"echo {SAYS.get(role, 'loss=0.5')}; sleep 1"]
        template = {"spec": {"containers": [main]}}
        return {"replicas": 1, "restartPolicy": "Never", "template": template}

    replicas = {role: replica(role) for role in roles}
    spec = {"runPolicy": {"cleanPodPolicy": "None"}, key: replicas}
    return {"apiVersion": "kubeflow.org/v1", "kind": kind, "spec": spec}


def train_job(command):
    runtime = {"apiGroup": "trainer.kubeflow.org", "kind": "TrainingRuntime", "name": "plain"}
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "spec": {"runtimeRef": runtime, "trainer": {"command": command}},
    }


def runtime():
    pod = {"restartPolicy": "Never", "containers": [{"name": "node", "image": PYTHON}]}
    job = {"spec": {"backoffLimit": 0, "template": {"spec": pod}}}
    step = {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}
    replicated = {"name": "node", "template": {"metadata": {"labels": step}, **job}}
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainingRuntime",
        "metadata": {"name": "plain", "labels": {"trainer.kubeflow.org/framework": "torch"}},
        "spec": {
            "mlPolicy": {"numNodes": 1},
            "template": {"spec": {"replicatedJobs": [replicated]}},
        },
    }
