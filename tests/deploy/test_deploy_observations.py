"""The component that serves single values through the API server."""

import os

import yaml
from support.apiserver import NEEDED, REPOSITORY

pytestmark = NEEDED


def test_it_fits_an_overlay_whose_metrics_service_is_told_the_port(api_server, tmp_path):
    deploy = os.path.relpath(REPOSITORY / "deploy", tmp_path)
    overlay = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [f"{deploy}/overlays/postgres"],
        "components": [f"{deploy}/components/observations"],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))

    documents = list(yaml.safe_load_all(api_server.kubectl("kustomize", str(tmp_path))))

    named = {(each["kind"], each["metadata"]["name"]): each for each in documents}
    served = named["APIService", "v1.observations.tunewright.dev"]["spec"]["service"]
    (port,) = named["Service", served["name"]]["spec"]["ports"]
    pod = named["Deployment", "tunewright-metrics"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert served["port"] == port["port"]
    assert f"--observations-port={ports[port['targetPort']]}" in container["args"]
