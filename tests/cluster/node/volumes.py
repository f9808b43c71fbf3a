"""Volumes of the node's own disk: nothing else provides them here."""

import json
import shutil

from . import kubectl
from .layout import STATE

FOLDER = "/var/lib/volumes"
"""Where they are, as the node sees it."""


def provide(namespace: str, claim: str) -> None:
    """Have an empty volume ready for a claim that is not there yet."""
    if kubectl.ask("get", "persistentvolumeclaim", claim, "--namespace", namespace):
        return
    name = f"{namespace}-{claim}"
    kubectl.run("delete", "persistentvolume", name, "--ignore-not-found")
    folder = STATE / FOLDER.strip("/") / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    folder.chmod(0o777)  # whoever the pod runs as
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "10Gi"},
            "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
            "claimRef": {"namespace": namespace, "name": claim},
            "hostPath": {"path": f"{FOLDER}/{name}"},
        },
    }
    kubectl.run("create", "--filename", "-", given=json.dumps(volume))
